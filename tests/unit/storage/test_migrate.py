"""Stores of format 3, whose rows were not rounded as they came, open with rounded ones."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    MaintenanceConfig,
    SearchRequest,
)
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import Damaged, UnknownFormat
from palimpsest.index.storage.entries import Position
from palimpsest.index.storage.schema import FORMAT
from palimpsest.index.storage.store import Store
from palimpsest.index.types import Vectors
from tests.conftest import open_collection
from tests.crash.boundaries import Boundaries
from tests.damage import rewrite
from tests.oracle import normalise
from tests.points import batch_of
from tests.stores import bring_back_to_format_3, bring_back_to_format_6

SIZE = 4
SEALED, GROWING = 100, 30


def rows_of(n: int, seed: int) -> Vectors:
    rng = np.random.default_rng(seed)
    return (200 * rng.standard_normal((n, SIZE)) + 50).astype(np.float32)


ROWS = rows_of(SEALED + GROWING, 0)


def write_old(
    folder: Path,
    datatype: str,
    originals: Any,
    *,
    named: bool = False,
    distance: Distance = Distance.EUCLID,
) -> None:
    """Write a store as format 3 had it: nothing but the description knows of the datatype."""
    described = {"size": SIZE, "distance": distance.capitalize(), "datatype": datatype}
    config = CollectionConfig(
        {"": VectorConfig(SIZE, distance, originals="float32")},
        MaintenanceConfig(seal_rows=1_000, quiet_rows=1, quiet_seconds=0.0),
        declared={"vectors": {"": described} if named else described},
    )
    collection = open_collection(folder, config)
    collection.upsert(batch_of(list(range(SEALED)), ROWS[:SEALED])).result()
    collection.upkeep.seal()
    collection.upsert(batch_of(list(range(SEALED, SEALED + GROWING)), ROWS[SEALED:])).result()
    collection.close()
    with sqlite3.connect(folder / "store.sqlite3") as connection:
        (text,) = connection.execute("SELECT value FROM settings WHERE name = 'config'").fetchone()
        stored = json.loads(text)
        del stored["vectors"][""]["datatype"]
        stored["vectors"][""]["originals"] = originals
    connection.close()
    rewrite(
        folder / "store.sqlite3",
        "UPDATE settings SET value = ? WHERE name = 'config'",
        json.dumps(stored),
    )
    bring_back_to_format_3(folder / "store.sqlite3")


def rounded(datatype: str, rows: Vectors = ROWS) -> Vectors:
    if datatype == "uint8":
        return np.trunc(np.clip(rows, 0, 255))
    return rows.astype(np.float16).astype(np.float32)


def read(collection: Collection) -> Vectors:
    records = collection.retrieve(list(range(len(ROWS))), with_vectors=True)
    return np.stack([(one.vectors or {})[""] for one in records])  # type: ignore[arg-type]


def require_searched(collection: Collection, datatype: str) -> None:
    """Require that what is read is what is searched."""
    values = read(collection).astype(np.float64)
    for query in ROWS[:3]:
        found = collection.search(SearchRequest(query, k=len(ROWS), exact=True))
        places = [int(one) for one in found.ids if isinstance(one, int)]
        wanted = np.linalg.norm(values[places] - rounded(datatype, query), axis=1)
        np.testing.assert_allclose(found.distances, wanted, rtol=1e-5)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("originals", ["float16", "float32"])
@pytest.mark.parametrize("datatype", ["float16", "uint8"])
def test_rows_are_rounded_on_open_and_segments_in_the_background(
    datatype: str, originals: str, named: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    write_old(folder, datatype, originals, named=named)
    collection = open_collection(folder)
    expected = rounded(datatype)
    np.testing.assert_array_equal(read(collection)[SEALED:], expected[SEALED:])
    assert collection.state().pending >= SEALED  # and so the status is yellow
    collection.upkeep.compact()
    np.testing.assert_array_equal(read(collection), expected)
    require_searched(collection, datatype)
    assert not collection.upkeep.due.parts_to_compact()  # once and for all
    collection.close()
    reopened = open_collection(folder)
    np.testing.assert_array_equal(read(reopened), expected)
    assert not reopened.upkeep.due.parts_to_compact()
    reopened.close()


def test_unit_vectors_whose_bytes_are_lost_stay_readable(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    write_old(folder, "uint8", "float16", distance=Distance.COSINE)
    collection = open_collection(folder)
    before = read(collection)
    np.testing.assert_allclose(before, normalise(ROWS), atol=1e-6)
    collection.upsert(batch_of([0], ROWS[:1])).result()
    for _ in range(2):
        values = read(collection)
        np.testing.assert_array_equal(values[0], rounded("uint8")[0])
        np.testing.assert_array_equal(values[1:], before[1:])
        collection.upkeep.compact()
        collection.upkeep.seal()
    collection.close()


def test_a_store_without_datatypes_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    write_old(folder, "float32", "float32")
    collection = open_collection(folder)
    np.testing.assert_array_equal(read(collection), ROWS)
    assert not collection.upkeep.due.parts_to_compact()
    collection.close()


def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    write_old(folder, "uint8", "float16")
    statement = "UPDATE settings SET value = ? WHERE name = 'format'"
    open_collection(folder).close()  # it is of the newest format now
    assert rewrite(folder / "store.sqlite3", statement, FORMAT + 1)
    with pytest.raises(UnknownFormat, match=rf"format {FORMAT + 1}"):
        open_collection(folder)


def _migrate(folder: Path, last: int | None) -> None:
    Boundaries(last).install()
    collection = open_collection(folder)
    collection.upkeep.compact()
    collection.close()
    os._exit(0)


def test_it_may_be_killed_at_every_step(tmp_path: Path) -> None:
    write_old(tmp_path / "old", "uint8", "float16")
    fork = multiprocessing.get_context("fork")
    for last in range(1, 200):
        folder = tmp_path / "killed"
        shutil.copytree(tmp_path / "old", folder)
        child = fork.Process(target=_migrate, args=(folder, last))
        child.start()
        child.join(60)
        collection = open_collection(folder)
        np.testing.assert_array_equal(read(collection)[SEALED:], rounded("uint8")[SEALED:])
        collection.upkeep.compact()
        np.testing.assert_array_equal(read(collection), rounded("uint8"))
        require_searched(collection, "uint8")
        collection.close()
        shutil.rmtree(folder)
        if child.exitcode == 0:
            break
    assert last > 10 and child.exitcode == 0


@pytest.mark.parametrize("damaged", [False, True])
def test_dead_slots_of_format_6_died_by_the_last_write(path: Path, damaged: bool) -> None:
    """One that is damaged is not made whole by its new checksum."""
    with closing(Store.open(path)) as store, store.transaction():
        store.dead.bury(np.array([4, 9], dtype=np.uint64), 3)
        store.move_to(Position(12, 20, 0))
    bring_back_to_format_6(path)
    if damaged:
        with closing(sqlite3.connect(path)) as own, own:
            own.execute("UPDATE dead SET slot = 8 WHERE slot = 9")
    with closing(Store.open(path)) as store:
        assert store.dead.whole().tolist() == [4] if damaged else [4, 9]
        if damaged:
            with pytest.raises(Damaged, match="slot 8"):
                store.dead.slots()
        else:
            assert [store.dead.slots(since).tolist() for since in (11, 12)] == [[4, 9], []]
