"""Series of snapshots are there for every collection from the first scrape on."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from palimpsest.app.snapshot_metrics import SnapshotSeries
from palimpsest.index import Database
from tests.points import config_of


def scraped(database: Database) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(SnapshotSeries(lambda: database, 1))
    lines = generate_latest(registry).decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_before_there_is_a_database() -> None:
    assert list(SnapshotSeries(lambda: None, 1).collect()) == []


def test_series_before_and_after_a_snapshot(database: Database) -> None:
    database.create("c", config_of(3))
    before = scraped(database)
    assert len(before) == 2 * 6 and not any(before.values())
    info = database.snapshots.create("c")
    after = scraped(database)
    assert after['palimpsest_snapshot_bytes{collection="c"}'] == info.nbytes
    assert after['palimpsest_snapshots_created_total{collection="c"}'] == 1
    assert after['palimpsest_snapshots_failed_total{collection="c"}'] == 0
    for name in ("duration_seconds", "last_success_timestamp_seconds"):
        assert after[f'palimpsest_snapshot_{name}{{collection="c"}}'] > 0
        assert after[f'palimpsest_snapshot_{name}{{collection=""}}'] == 0
    database.drop("c")
    assert 'palimpsest_snapshot_bytes{collection="c"}' not in scraped(database)
