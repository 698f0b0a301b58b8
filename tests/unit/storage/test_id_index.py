"""What the index of ids lost is found in the background too, as by the first who misses an id."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Collection, Damaged, DamagedPoint, Database
from palimpsest.index.storage import store as store_module
from palimpsest.index.storage.checked import Summed
from palimpsest.index.storage.id_index import IdIndex
from palimpsest.index.storage.ids import keys_of
from palimpsest.index.storage.schema import connect
from tests.damage import change, drop_cells, flip, pages, settle
from tests.points import batch_of, config_of

POINTS = 300


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("c", config_of(4))
        collection.upsert(batch_of([*range(POINTS)], np.ones((POINTS, 4), np.float32))).result()
    return tmp_path / "collections/c/store.sqlite3"


@contextmanager
def opened(path: Path) -> Iterator[Collection]:
    """The collection alone: nothing is read in the background but what a test reads."""
    collection = Collection.open("c", path.parent, threads=1, changed=lambda: None)
    try:
        yield collection
    finally:
        collection.close()


def lost_by(path: Path, *, later: bool) -> tuple[set[int], bool]:
    index = IdIndex(path, Summed(True), later=later)
    with closing(connect(path)) as own:
        if later:
            assert index.is_due and index.lost(own) == {}
            index.read(lambda: False)
            assert not index.is_due
        return set(index.lost(own)), index.is_damaged(own)


@pytest.mark.parametrize("seed", range(40))
def test_the_background_finds_what_the_first_who_misses_finds(seed: int, path: Path) -> None:
    settle(path)
    size = int.from_bytes(path.read_bytes()[16:18], "big")
    leaf = [*pages(path, "sqlite_autoindex_points_1")][seed % 2]
    flip(
        path, ((leaf - 1) * size + size - 40 - 37 * seed) * 8 + seed % 8
    )  # in the cells, at the end
    try:
        at_once = lost_by(path, later=False)
    except sqlite3.DatabaseError:  # SQLite itself cannot read it, which is told too
        with pytest.raises(Damaged):
            lost_by(path, later=True)
    else:
        assert lost_by(path, later=True) == at_once


def test_a_whole_index_loses_nothing(path: Path) -> None:
    assert lost_by(path, later=True) == lost_by(path, later=False) == (set(), False)


def test_a_changed_id_is_known_by_its_checksum(path: Path) -> None:
    assert change(path, "UPDATE points SET id = id + 1000 WHERE number = 7")
    assert lost_by(path, later=True)[1] and lost_by(path, later=False)[1]
    (key,) = keys_of([7])
    index = IdIndex(path, Summed(True), later=True)
    with closing(connect(path)) as own:
        index.require_absent(own, [key])
        index.read(lambda: False)
        with pytest.raises(DamagedPoint, match="point 7 "):
            index.require_absent(own, [key])


def test_a_miss_in_a_large_store_is_told_once_the_index_was_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_cells(path, "sqlite_autoindex_points_1")
    (lost,), _ = lost_by(path, later=False)
    monkeypatch.setattr(store_module, "AT_ONCE", 10)
    with opened(path) as collection:
        assert collection.upkeep.due.improve_delay() == 0
        assert collection.retrieve([lost]) == []
        collection.upkeep.improve()
        assert collection.upkeep.due.improve_delay() is None
        with pytest.raises(DamagedPoint, match=f"point {lost} "):
            collection.retrieve([lost])
        with pytest.raises(DamagedPoint, match=f"point {lost} "):
            collection.upsert(batch_of([lost], np.ones((1, 4), np.float32))).result()


def test_reading_stops_when_it_is_told_to(path: Path) -> None:
    index = IdIndex(path, Summed(True), later=True)
    index.read(lambda: True)
    assert index.is_due
