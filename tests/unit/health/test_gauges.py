"""Gauges of health: readiness at every stage, a status for each collection, room on the disk."""

from __future__ import annotations

from pathlib import Path

from palimpsest.app.context import Context
from palimpsest.app.health.gauges import HealthGauges
from palimpsest.app.health.life import Stage
from palimpsest.app.settings import Settings
from palimpsest.index import CollectionConfig, VectorConfig


def gauges(context: Context) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in HealthGauges(context).collect()
        for sample in family.samples
    }


def test_a_life(tmp_path: Path) -> None:
    context = Context(Settings(data=tmp_path, threads=1))
    assert gauges(context) == {("palimpsest_ready",): 0}  # nothing else is known yet
    context.open()
    try:
        context.database.create("écrits", CollectionConfig({"": VectorConfig(2, "dot")}))
        found = gauges(context)
        context.life.enter(Stage.DRAINING)
        draining = gauges(context)
    finally:
        context.close()
    assert found["palimpsest_ready",] == 1
    status = {key[2]: found[key] for key in found if key[0] == "palimpsest_collection_status"}
    assert sum(status.values()) == 1
    assert status["green"] == 1
    assert found["palimpsest_collection_refuses_writes", "écrits"] == 0
    assert 0 < found["palimpsest_disk_free_bytes",] <= found["palimpsest_disk_capacity_bytes",]
    assert draining["palimpsest_ready",] == 0
    assert ("palimpsest_collection_status", "écrits", "green") in draining
