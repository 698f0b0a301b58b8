"""Every row of a store that is read back is verified: each column of each table, by each reader."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    Damaged,
    DamagedPoint,
    Database,
    FieldIndex,
    Filter,
    HasId,
    Match,
    PointBatch,
    Record,
    SearchRequest,
    Spared,
)
from palimpsest.index.errors import StorageError
from palimpsest.index.storage.checked import BadRow, RowKey, bad_rows
from palimpsest.index.storage.schema import connect, connect_frozen
from palimpsest.index.storage.sums import TABLES
from palimpsest.index.types import JobInfo
from tests.damage import change, drop_cells, flip, flipped, pages, settle, without_triggers
from tests.points import batch_of, config_of

SIZE = 4
POINTS = 300
HURT = 7
SEALED = 200
EVERYTHING = Filter(must_not=(HasId(frozenset({999_999})),))
EVEN = Filter(must=(Match(("even",), (True,)),))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a row in every table, all of it in the file."""
    data = tmp_path_factory.mktemp("filled")
    config = config_of(SIZE)
    config = replace(config, maintenance=replace(config.maintenance, quiet_seconds=86_400))
    with Database.open(data, threads=1) as database:
        folders = [database.create(name, config).folder for name in ("good", "c")]
    for folder in folders:
        collection = Collection.open(folder.name, folder, threads=1, changed=lambda: None)
        fill(collection)
        collection.close(dropped=True)  # what was touched stays in the store
        settle(folder / "store.sqlite3")
    return data


def fill(collection: Collection) -> None:
    collection.create_index("n", FieldIndex.from_declared("integer")).result()
    collection.upsert(points(range(SEALED))).result()
    collection.upkeep.seal()
    collection.upsert(points(range(SEALED, POINTS))).result()
    collection.upsert(points([3, 4])).result()
    collection.delete([5]).result()
    collection.set_payload([9, 10], b'{"edited": 1}').result()
    writer, store = collection.writer, collection.writer.store

    def rest() -> None:
        from palimpsest.index.storage.adapter_table import AdapterEntry
        from palimpsest.index.storage.seqs import put_stretch

        with store.transaction():
            store.staged.mark_sealed(5, 1)
            store.demand.put(0, np.array([3], dtype=np.uint32), np.array([2.5], dtype="f4"))
            store.adapters.put(AdapterEntry(70, 71, "nowhere", 5))
            put_stretch(store._connection, 0, collection.view.seqs.stretch(0))
            store.superseded.plan("planned")
            store.jobs.put(JobInfo(0, "fit", "of one", "failed", 0.5, 1.0, 2.0, "why", True))

    writer.call(rest).result()


def points(ids: object) -> PointBatch:
    own = [*ids]  # type: ignore[call-overload]
    vectors = np.random.default_rng(own[0]).standard_normal((len(own), SIZE)).astype(np.float32)
    payloads = [b'{"n":%d,"even":%s}' % (n, b"false" if n % 2 else b"true") for n in own]
    return batch_of(own, vectors, payloads)


@pytest.fixture
def data(filled: Path, tmp_path: Path) -> Iterator[Path]:
    copied = tmp_path / "data"
    shutil.copytree(filled, copied)
    yield copied
    shutil.rmtree(copied)


def path_of(data: Path, name: str = "c") -> Path:
    return data / "collections" / name / "store.sqlite3"


def cells() -> list[tuple[str, str]]:
    return [
        (name, column)
        for name, table in TABLES.items()
        for column in table.columns
        if column != "rowid"  # which is not read back
    ]


def every_bad_row(path: Path) -> list[BadRow]:
    found: list[BadRow] = []
    with closing(connect_frozen(path)) as own:
        for table in TABLES.values():
            after: RowKey | None = None
            for _ in range(1_000):
                after, bad = bad_rows(own, table, after, 64)
                found += bad
                if after is None:
                    break
    return found


def hurt(path: Path, table: str, column: str) -> None:
    """Turn a bit of a cell over, in a row of the points 7 or in the first row of another table."""
    key = TABLES[table].key
    where = "number = 7" if table == "points" else "true"
    with closing(connect(path)) as own:
        row = own.execute(
            f"SELECT {', '.join(key)}, {column} FROM {table} WHERE {where} AND"
            f" {column} IS NOT NULL ORDER BY {', '.join(key)}"
        ).fetchone()
        assert row is not None, f"there is no row in {table}"
        own.execute("PRAGMA ignore_check_constraints = ON")
        which = " AND ".join(f"{name} = ?" for name in key)
        statement = f"UPDATE {table} SET {column} = ? WHERE {which}"
        with without_triggers(own):
            assert own.execute(statement, (flipped(row[-1]), *row[:-1])).rowcount == 1
    settle(path)


def test_whole_stores_have_no_bad_rows(filled: Path) -> None:
    assert every_bad_row(path_of(filled)) == []
    with closing(connect_frozen(path_of(filled))) as own:
        for table in TABLES:
            assert own.execute(f"SELECT count(*) FROM {table}").fetchone()[0], table


@pytest.mark.parametrize(("table", "column"), cells())
def test_every_cell_is_under_a_checksum(table: str, column: str, data: Path) -> None:
    path = path_of(data)
    hurt(path, table, column)
    assert {one.table for one in every_bad_row(path)} == {table}
    assert all(table in one.text for one in every_bad_row(path))


@pytest.mark.parametrize("table", [name for name in TABLES if name not in ("position", "points")])
def test_a_row_under_the_key_of_another_is_bad(table: str, data: Path) -> None:
    path = path_of(data)
    key = TABLES[table].key[0]
    if key == "rowid":
        key = TABLES[table].checks[0].columns[0]
    with closing(connect_frozen(path)) as own:
        first = own.execute(f"SELECT {key} FROM {table} ORDER BY {key}").fetchone()[0]
    other = first + "2" if isinstance(first, str) else first + 100_000
    hurt_key = f"UPDATE {table} SET {key} = ? WHERE {key} = ?"
    assert change(path, hurt_key, other, first)
    assert [one.table for one in every_bad_row(path)] == [table] * len(every_bad_row(path))
    assert every_bad_row(path)


SMALL = [
    one for one in cells() if one[0] not in ("points", "demand", "superseded", "staged", "jobs")
]
DERIVED = ("edited", "folded_seqs", "touched", "dead", "adapters", "fields")


@pytest.mark.parametrize(("table", "column"), SMALL)
def test_a_damaged_row_of_a_small_table_is_named_or_derived(
    table: str, column: str, data: Path
) -> None:
    hurt(path_of(data), table, column)
    with Database.open(data, threads=1) as database:
        assert database.get("good").count() == POINTS - 1
        if table in DERIVED:
            require_same(database, "c")
        else:
            assert str(path_of(data)) in database.damaged()["c"]


@pytest.mark.parametrize(
    "column", [name for name in TABLES["staged"].columns]
)  # fmt: skip
def test_damaged_staged_rows_are_named(column: str, data: Path) -> None:
    hurt(path_of(data), "staged", column)
    with Database.open(data, threads=1) as database:
        assert str(path_of(data)) in database.damaged()["c"]


@pytest.mark.parametrize("column", ["vector", "number", "hits", "checksum"])
def test_damaged_demand_is_left_out(column: str, data: Path) -> None:
    hurt(path_of(data), "demand", column)
    with Database.open(data, threads=1) as database:
        damaged, whole = (database.get(name).writer for name in ("c", "good"))
        assert damaged.call(lambda: damaged.store.demand.entries()).result() == {}
        assert whole.call(lambda: whole.store.demand.entries()).result() != {}
        require_same(database, "c")


@pytest.mark.parametrize("table", ["staged", "segments", "sealed"])
def test_a_lost_row_of_a_small_table_is_named(table: str, data: Path) -> None:
    path = path_of(data)
    with closing(connect(path)) as own:
        key = ", ".join(TABLES[table].key)
        with without_triggers(own):
            own.execute(
                f"DELETE FROM {table} WHERE ({key}) = (SELECT {key} FROM {table} ORDER BY {key})"
            )
    settle(path)
    with Database.open(data, threads=1) as database:
        assert f"number of rows of {table}" in database.damaged()["c"]
        assert database.get("good").count() == POINTS - 1


def require_same(database: Database, name: str) -> None:
    """Require that a collection answers as the other one, which is whole."""
    own, whole = database.get(name), database.get("good")
    assert answers(own) == answers(whole)


def answers(collection: Collection) -> list[object]:
    return [read(collection) for read in READS.values()]


def as_told(records: list[Record]) -> list[object]:
    return [
        (one.id, one.payload, {n: v.tolist() for n, v in (one.vectors or {}).items()})  # type: ignore[union-attr]
        for one in records
    ]


Read = Callable[[Collection], object]


def query() -> np.ndarray:
    return np.arange(1, SIZE + 1, dtype=np.float32)


def all_pages(collection: Collection, filter: Filter | None) -> list[object]:
    found, start = [], None
    for _ in range(POINTS):
        page, start = collection.scroll(start, 50, filter, with_vectors=True)
        found += as_told(page)
        if start is None:
            return found
    raise AssertionError("a scroll that does not end")


def searched(collection: Collection, filter: Filter | None = None) -> object:
    request = SearchRequest(
        query(), "", POINTS, with_payload=True, with_vectors=True, exact=True, filter=filter
    )
    found = collection.search(request)
    if found.stats.damaged:
        raise Damaged(Path(), "whole points", found.stats.damaged, "result")
    vectors = [one[""].tolist() for one in found.vectors or ()]  # type: ignore[union-attr]
    return found.ids, found.payloads, vectors


READS: dict[str, Read] = {
    "retrieve": lambda c: as_told(c.retrieve(range(POINTS), with_vectors=True)),
    "singly": lambda c: [as_told(c.retrieve([n])) for n in range(0, POINTS, 3)],
    "scroll": lambda c: all_pages(c, None),
    "filtered scroll": lambda c: all_pages(c, EVERYTHING),
    "count": lambda c: c.count(EVEN),
    "filter by ids": lambda c: c.count(Filter(must=(HasId(frozenset(range(50))),))),
    "search": searched,
    "filtered search": lambda c: searched(c, EVEN),
    "search by id": lambda c: c.search(SearchRequest(HURT, "", 5, exact=True)).ids,
    "facet": lambda c: [*c.selector().payloads(c.view.live)],
}


@pytest.mark.parametrize("column", TABLES["points"].columns)
def test_no_column_of_a_point_is_read_back_wrong(column: str, data: Path) -> None:
    hurt(path_of(data), "points", column)
    told = 0
    with Database.open(data, threads=1) as database:
        own, whole = database.get("c"), database.get("good")
        for name, read in READS.items():
            try:
                assert read(own) == read(whole), name
            except Damaged:
                told += 1
        assert told >= 4
        spared = Spared()
        found, following = own.scroll(None, POINTS, spared=spared)
        assert following is None and len(found) == POINTS - 2
        assert len(spared.errors) == 1


def test_pages_go_on_behind_damaged_points(data: Path) -> None:
    damaged = range(10, 40)
    change(path_of(data), "UPDATE points SET payload = x'7b7d' WHERE number BETWEEN 10 AND 39")
    with Database.open(data, threads=1) as database:
        collection = database.get("c")
        for filter in (None, EVERYTHING):
            ids, start, spared = [], None, Spared()
            for _ in range(POINTS):
                page, start = collection.scroll(start, 7, filter, spared=spared)
                ids += [one.id for one in page]
                if start is None:
                    break
            assert ids == [n for n in range(POINTS) if n not in damaged and n != 5]
            assert sorted(one.point for one in spared.errors.values()) == [*damaged]  # type: ignore[type-var]
        bare, _ = collection.scroll(None, POINTS, with_payload=False)
        assert len(bare) == POINTS - 1
        spared = Spared()
        assert len(collection.retrieve(range(20), spared=spared)) == 9
        assert len(spared.errors) == 10


@pytest.mark.parametrize("seed", range(2))
def test_no_bit_of_points_or_their_index_is_read_back_wrong(seed: int, data: Path) -> None:
    path, draw = path_of(data), random.Random(seed)
    whole = path.read_bytes()
    size = int.from_bytes(whole[16:18], "big")
    own = [*pages(path, "points"), *pages(path, "sqlite_autoindex_points_1")]
    with Database.open(data, threads=1) as database:
        expected = {name: read(database.get("good")) for name, read in READS.items()}
    settle(path)
    whole, record = path.read_bytes(), path.with_name("store.reach").read_bytes()
    for _ in range(25):
        path.write_bytes(whole)
        path.with_name("store.reach").write_bytes(record)
        place = (draw.choice(own) - 1) * size * 8 + draw.randrange(size * 8)
        flip(path, place)
        with Database.open(data, threads=1) as database:
            if "c" in database.damaged():
                continue
            collection = database.get("c")
            for name, read in READS.items():
                try:
                    assert read(collection) == expected[name], f"bit {place}: {name}"
                except StorageError:
                    pass
        for leftover in path.parent.glob("store.sqlite3-*"):
            leftover.unlink()


@pytest.mark.parametrize("name", ["points", "sqlite_autoindex_points_1"])
def test_lost_cells_are_missed(name: str, data: Path) -> None:
    path = path_of(data)
    drop_cells(path, name)
    (lost,) = lost_ids(path)
    with Database.open(data, threads=1) as database:
        collection, whole = database.get("c"), database.get("good")
        for read in ("retrieve", "scroll", "filtered scroll"):
            with pytest.raises(Damaged):
                READS[read](collection)
        for name, read_it in READS.items():
            with suppress(Damaged):
                assert read_it(collection) == read_it(whole), name
        with pytest.raises(Damaged):
            collection.retrieve([lost])
        with pytest.raises(Damaged):
            collection.upsert(points([lost])).result()
        with pytest.raises(Damaged):
            collection.delete([lost]).result()
        collection.upsert(points([5_000])).result()
        assert len(collection.retrieve([5_000, 4_000])) == 1
        spared = Spared()
        found, _ = collection.scroll(None, 2 * POINTS, spared=spared)
        assert len(found) == POINTS - 1 and len(spared.errors) == 1


def lost_ids(path: Path) -> set[int]:
    """Return the ids that only the points, or only their index, still know."""
    with closing(connect_frozen(path)) as own:
        rows = own.execute("SELECT number, id + 0 FROM points NOT INDEXED").fetchall()
        index = own.execute(
            "SELECT id FROM points INDEXED BY sqlite_autoindex_points_1 ORDER BY id"
        ).fetchall()
    return {key + (1 << 63) for key in {key for _, key in rows} ^ {key for (key,) in index}}


def test_a_damaged_point_is_replaced_or_deleted_and_no_other_is_hurt(data: Path) -> None:
    path = path_of(data)
    with closing(connect(path)) as own:
        (slots,) = own.execute("SELECT slots FROM points WHERE number = 8").fetchone()
    assert change(path, "UPDATE points SET slots = ? WHERE number IN (7, 201)", slots)
    assert change(path, "UPDATE points SET payload = x'7b7d' WHERE number = 20")
    with Database.open(data, threads=1) as database:
        collection, whole = database.get("c"), database.get("good")
        for one in (7, 201):
            with pytest.raises(DamagedPoint, match=rf"point {one} "):
                collection.update_vectors(points([one])).result()
            with pytest.raises(DamagedPoint, match=rf"point {one} "):
                collection.set_payload([one], b"{}").result()
        with pytest.raises(DamagedPoint, match="point 20 "):
            collection.set_payload([20], b"{}").result()
        for own_or_whole in (collection, whole):
            own_or_whole.upsert(points([7, 20])).result()
            own_or_whole.delete([201]).result()
        require_same(database, "c")
        found = collection.search(SearchRequest(query(), "", POINTS, exact=True))
        assert len(found.ids) == len({*found.ids}) == POINTS - 2 and 8 in found.ids
        three = Filter(must=(Match(("n",), (20,)),))
        assert [one.id for one in collection.scroll(None, 5, three)[0]] == [20]
    assert every_bad_row(path) == []
    with Database.open(data, threads=1) as database:
        require_same(database, "c")


def test_a_write_to_a_damaged_point_fails_alone(data: Path) -> None:
    assert change(path_of(data), "UPDATE points SET slots = x'00' WHERE number = 7")
    with Database.open(data, threads=1) as database:
        collection = database.get("c")
        held = collection.writer.call(lambda: __import__("time").sleep(0.2))
        bad = collection.set_payload([7], b'{"x": 1}')
        good = collection.set_payload([8], b'{"x": 1}')
        held.result()
        with pytest.raises(DamagedPoint, match="point 7 "):
            bad.result()
        assert good.result() and b'"x"' in (collection.retrieve([8])[0].payload or b"")
