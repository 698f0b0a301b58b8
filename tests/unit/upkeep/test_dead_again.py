"""Rows of a store that others determine are derived, where they are other than was written."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    Damaged,
    Database,
    SearchRequest,
    check_directory,
    repair_directory,
)
from palimpsest.index.storage.verify import log_of
from tests.damage import change, flip, pages, settle
from tests.points import batch_of, config_of

SIZE, POINTS = 4, 60
DELETED, REPLACED = [3, 17, 41, 59], [8, 22, 55]
FLIPS = 16
DEAD = {
    "another slot": "UPDATE dead SET slot = slot + 1000 WHERE slot = (SELECT max(slot) FROM dead)",
    "a living slot": "UPDATE dead SET slot = 2 WHERE slot = (SELECT min(slot) FROM dead)",
    "another checksum": "UPDATE dead SET checksum = checksum + 1",
    "no checksum": "UPDATE dead SET checksum = NULL WHERE slot = (SELECT min(slot) FROM dead)",
    "one lost": "DELETE FROM dead WHERE slot = (SELECT min(slot) FROM dead)",
    "all lost": "DELETE FROM dead",
    "one too many": "INSERT INTO dead (slot, checksum) VALUES (2, 7)",
}


def vectors(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((POINTS, SIZE)).astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A segment, growing rows, and dead rows in both."""
    with Database.open(tmp_path / "data", threads=1) as database:
        collection = database.create("c", config_of(SIZE))
        half = POINTS // 2
        collection.upsert(batch_of(range(half), vectors(1)[:half])).result()
        collection.upkeep.seal()
        collection.upsert(batch_of(range(half, POINTS), vectors(1)[half:])).result()
        collection.upsert(batch_of(REPLACED, vectors(2)[REPLACED])).result()
        collection.delete(DELETED).result()
        path = collection.folder / "store.sqlite3"
    settle(path)
    return path


def data_of(store: Path) -> Path:
    return store.parents[2]


def living(collection: Collection) -> dict[object, bytes]:
    """Every point that a search finds, with its vector; one that is found twice is told."""
    ids = [*collection.search(SearchRequest(vectors(1)[0], "", 2 * POINTS)).ids]
    assert len(ids) == len(set(ids))
    found = collection.retrieve(ids, with_vectors=True)
    return {one.id: one.vectors[""].tobytes() for one in found}  # type: ignore[union-attr,index]


def listed(store: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(store)) as own:
        return own.execute("SELECT slot FROM dead ORDER BY slot").fetchall()


@pytest.mark.parametrize("damage", DEAD.values(), ids=list(DEAD))
def test_dead_slots_are_derived_from_the_points(
    damage: str, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Database.open(data_of(store), threads=1) as database:
        expected = living(database.get("c"))
    assert {*expected} == {*range(POINTS)} - {*DELETED}
    settle(store)
    before = listed(store)
    assert len(before) == len(DELETED) + len(REPLACED)
    assert change(store, damage)
    with Database.open(data_of(store), threads=1) as database:
        assert living(database.get("c")) == expected
    assert "derived from the points" in caplog.text and str(store) in caplog.text
    settle(store)
    assert listed(store) == before
    caplog.clear()
    with Database.open(data_of(store), threads=1) as database:
        assert living(database.get("c")) == expected
    assert not caplog.records


def test_a_flipped_bit_of_dead_slots_costs_nothing(store: Path, tmp_path: Path) -> None:
    with Database.open(data_of(store), threads=1) as database:
        expected = living(database.get("c"))
    settle(store)
    (page,) = pages(store, "dead")
    with closing(sqlite3.connect(store)) as own:
        (size,) = own.execute("PRAGMA page_size").fetchone()
    whole, draw = data_of(store), random.Random(41)
    used = range(size - 16 * (len(DELETED) + len(REPLACED)), size)
    for turn in range(FLIPS):
        trial = tmp_path / f"trial-{turn}"
        shutil.copytree(whole, trial)
        own_store = trial / store.relative_to(whole)
        place = ((page - 1) * size + draw.choice(used)) * 8 + draw.randrange(8)
        flip(own_store, place)
        with Database.open(trial, threads=1) as database:
            if "c" in database.damaged():  # SQLite itself cannot read the page
                assert "database disk image is malformed" in database.damaged()["c"], place
            else:
                assert living(database.get("c")) == expected, place
        shutil.rmtree(trial)


def test_points_that_are_damaged_too_tell_nothing(store: Path) -> None:
    change(store, "DELETE FROM dead")
    change(store, "UPDATE points SET seq = seq + 1 WHERE number = 5")
    with (
        Database.open(data_of(store), threads=1) as database,
        pytest.raises(Damaged, match="number of rows of dead"),
    ):
        database.get("c")


def test_points_that_are_gone_tell_nothing(store: Path) -> None:
    change(store, "DELETE FROM dead")
    change(store, "DELETE FROM points WHERE number = 5")
    with (
        Database.open(data_of(store), threads=1) as database,
        pytest.raises(Damaged, match="number of rows of dead"),
    ):
        database.get("c")


def test_dead_slots_are_derived_where_nothing_can_be_written(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database.open(data_of(store), threads=1) as database:
        expected = living(database.get("c"))
    settle(store)
    change(store, DEAD["one lost"])
    log_of(store).unlink(missing_ok=True)
    before = store.read_bytes()
    monkeypatch.setattr("palimpsest.index.storage.store.takes_no_writes", lambda folder: True)
    with Database.open(data_of(store), threads=1) as database:
        assert living(database.get("c")) == expected
    assert store.read_bytes() == before


def test_the_doctor_has_them_derived(store: Path) -> None:
    change(store, DEAD["another checksum"])
    report = check_directory(data_of(store))
    told = [one for one in report.findings if one.check == "rows"]
    assert told and {one.severity for one in told} == {"damage"}
    assert repair_directory(data_of(store)).exit_status == 0
