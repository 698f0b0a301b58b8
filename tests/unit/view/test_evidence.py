"""Reads of a store whose rows contradict the rest end, soon, and name what is damaged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    Damaged,
    DamagedPoint,
    Database,
    Filter,
    HasId,
    Match,
    Prefetch,
    QueryRequest,
    SearchRequest,
    SearchResult,
    answer,
    queries,
)
from palimpsest.index.storage.store import Store
from palimpsest.index.versions.demand import Demand
from tests.damage import change, rewrite, swap_cells
from tests.points import batch_of, config_of

SIZE = 4
POINTS = 300
HURT = 7
EVERYTHING = Filter(must_not=(HasId(frozenset({999_999})),))
THREE = Filter(must=(Match(("n",), (3,)),))
SECONDS = 5  # for a read that takes milliseconds


def path_of(data: Path) -> Path:
    return data / "collections" / "c" / "store.sqlite3"


def fill(data: Path) -> None:
    with Database.open(data, threads=1) as database:
        collection = database.create("c", config_of(SIZE))
        vectors = np.random.default_rng(3).standard_normal((POINTS, SIZE)).astype(np.float32)
        payloads = [b'{"n":%d}' % n for n in range(POINTS)]
        collection.upsert(batch_of(range(POINTS), vectors, payloads)).result()


@contextmanager
def opened(data: Path) -> Iterator[Collection]:
    with Database.open(data, threads=1) as database:
        yield database.get("c")


def query_of(collection: Collection) -> np.ndarray:
    one = collection.retrieve([HURT + 1], with_vectors=True)[0]
    assert one.vectors is not None
    vector = one.vectors[""]
    assert isinstance(vector, np.ndarray)
    return vector


def tree(
    collection: Collection, *, payload: bool, vectors: bool, like: int | None = None
) -> object:
    query = None if like is None else queries.Nearest(like)
    request = QueryRequest(
        Prefetch(query=query, limit=POINTS), with_payload=payload, with_vectors=vectors
    )
    reading = collection.reading()
    return answer(reading, request, lambda _: reading)


Read = Callable[[Collection], object]

OF_VECTORS: dict[str, Read] = {
    "retrieve": lambda c: c.retrieve([HURT], with_vectors=True),
    "scroll": lambda c: c.scroll(None, POINTS, with_vectors=True),
    "filtered scroll": lambda c: c.scroll(None, POINTS, EVERYTHING, with_vectors=True),
    "search": lambda c: c.search(
        SearchRequest(query_of(c), "", POINTS, with_payload=True, exact=True)
    ),
    "search with vectors": lambda c: c.search(
        SearchRequest(query_of(c), "", POINTS, with_vectors=True, exact=True)
    ),
    "search by id": lambda c: c.search(SearchRequest(HURT, "", 3)),
    "tree with vectors": lambda c: tree(c, payload=False, vectors=True),
    "tree by id": lambda c: tree(c, payload=False, vectors=False, like=HURT),
}


@pytest.mark.parametrize("read", OF_VECTORS.values(), ids=list(OF_VECTORS))
@pytest.mark.parametrize("slot", [b"\xff\0\0\1", b"\xff\0\0\0\0\0\0\x80"], ids=["far", "negative"])
def test_a_damaged_slot_is_named_and_never_left_out(
    read: Read, slot: bytes, tmp_path: Path
) -> None:
    fill(tmp_path)
    hurt = slot.ljust(8, b"\0")
    assert rewrite(path_of(tmp_path), "UPDATE points SET slots = ? WHERE number = ?", hurt, HURT)
    with opened(tmp_path) as collection:
        started = time.monotonic()
        with pytest.raises(DamagedPoint, match=rf"point {HURT} "):
            read(collection)
        assert time.monotonic() - started < SECONDS
        whole = collection.retrieve([HURT + 1, HURT + 2], with_vectors=True)
        assert all(one.vectors for one in whole)
        bare = collection.search(SearchRequest(query_of(collection), "", POINTS, exact=True))
        assert HURT in bare.ids


def test_a_slot_of_another_point_is_named_by_a_search(tmp_path: Path) -> None:
    fill(tmp_path)
    path = path_of(tmp_path)
    swap = "UPDATE points SET slots = (SELECT slots FROM points WHERE number = ?) WHERE number = ?"
    assert rewrite(path, swap, HURT + 1, HURT)
    with opened(tmp_path) as collection, pytest.raises(DamagedPoint, match=rf"point {HURT} "):
        OF_VECTORS["search"](collection)


@pytest.mark.parametrize(
    "value", [b"", b"\1\2\3", "text", 5], ids=["none", "short", "text", "number"]
)
def test_slots_of_another_kind_are_named(value: object, tmp_path: Path) -> None:
    fill(tmp_path)
    statement = "UPDATE points SET slots = ? WHERE number = ?"
    assert change(path_of(tmp_path), statement, value, HURT)
    with opened(tmp_path) as collection:
        with pytest.raises(DamagedPoint, match=rf"point {HURT} "):
            collection.retrieve([HURT])
        require_left_out(OF_VECTORS["search"](collection))


def require_whole(found: object) -> None:
    """Raise Damaged for what a search says it left out."""
    if isinstance(found, SearchResult) and found.stats.damaged:
        raise Damaged(Path(), "whole points", found.stats.damaged, "result")


def require_left_out(found: object) -> None:
    """Require that all points but the damaged one were found, and that it is named."""
    assert isinstance(found, SearchResult)
    assert [*found.ids].count(HURT) == 0 and len(found.ids) == POINTS - 1
    assert any(f"point {HURT} " in text for text in found.stats.damaged)


@pytest.mark.parametrize("read", OF_VECTORS.values(), ids=list(OF_VECTORS))
def test_a_seq_that_was_never_written_is_named(read: Read, tmp_path: Path) -> None:
    fill(tmp_path)
    statement = "UPDATE points SET seq = seq + 4096, slots = x'ffff000000000000' WHERE number = ?"
    assert rewrite(path_of(tmp_path), statement, HURT)
    with opened(tmp_path) as collection:
        started = time.monotonic()
        with pytest.raises(DamagedPoint, match=rf"point {HURT} "):
            read(collection)
        assert time.monotonic() - started < SECONDS


OF_ROWS: dict[str, Read] = {
    "filtered scroll": lambda c: c.scroll(None, POINTS, EVERYTHING),
    "filter": lambda c: c.count(THREE),
    "search": OF_VECTORS["search"],
    "search with vectors": OF_VECTORS["search with vectors"],
    "tree": lambda c: tree(c, payload=True, vectors=False),
    "delete by filter": lambda c: c.delete(EVERYTHING).result(),
}


@pytest.mark.parametrize("read", OF_ROWS.values(), ids=list(OF_ROWS))
def test_a_lost_row_is_named_and_never_left_out(read: Read, tmp_path: Path) -> None:
    fill(tmp_path)
    swap_rows = "UPDATE points SET number = 1000000 WHERE number = ?"
    assert change(path_of(tmp_path), swap_rows, HURT)
    with opened(tmp_path) as collection:
        started = time.monotonic()
        with pytest.raises(Damaged, match=rf"{HURT}|1000000"):
            require_whole(read(collection))
        assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize("name", ["points", "sqlite_autoindex_points_1"])
@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("vectors", [False, True])
def test_a_scroll_over_cells_out_of_order_ends(
    name: str, filtered: bool, vectors: bool, tmp_path: Path
) -> None:
    fill(tmp_path)
    swap_cells(path_of(tmp_path), name)
    filter = EVERYTHING if filtered else None
    with Database.open(tmp_path, threads=1) as database:
        if database.damaged():
            return
        collection = database.get("c")
        started, start, pages = time.monotonic(), None, 0
        with pytest.raises(Damaged):
            while pages <= POINTS:
                _, start = collection.scroll(start, 10, filter, with_vectors=vectors)
                pages += 1
                if start is None:
                    break
            assert pages <= POINTS
            collection.retrieve(range(POINTS))
            collection.search(
                SearchRequest(np.ones(SIZE, dtype=np.float32), "", POINTS, with_payload=True)
            )
        assert time.monotonic() - started < SECONDS


def test_ids_stay_ids(tmp_path: Path) -> None:
    fill(tmp_path)
    change(path_of(tmp_path), "UPDATE points SET id = x'00112233' WHERE number = ?", HURT)
    with opened(tmp_path) as collection:
        with pytest.raises(Damaged):
            collection.scroll(None, POINTS)
        assert collection.retrieve([UUID(int=3)]) == []


def test_staged_rows_that_cannot_be_deleted_do_not_keep_a_store_from_ending(tmp_path: Path) -> None:
    fill(tmp_path)
    path = path_of(tmp_path)
    columns = "vector, n, seq, crc32, ids, value, numbers, checksum"
    change(path, f"INSERT INTO staged SELECT slot + 5, {columns} FROM staged")
    change(path, "UPDATE sealed SET slot = 1000000")
    change(path, "INSERT OR REPLACE INTO sealed VALUES (0, 1000000, 0)")
    swap_cells(path, "staged")
    store = Store.open(path)
    try:
        started = time.monotonic()
        with pytest.raises(Damaged), store.transaction():
            while store.staged.purge(1 << 20):
                assert time.monotonic() - started < SECONDS
            raise Damaged(path, "", "", "nothing")  # all were deleted, which is as good
    finally:
        store.close()


def test_demand_that_is_no_number_ends_its_writing(tmp_path: Path) -> None:
    fill(tmp_path)
    path = path_of(tmp_path)
    for number, hits in ((3, "1e999"), (4_000_000_000, "2.0"), (-5, "1.0"), (5, "'a'")):
        rewrite(path, f"INSERT INTO demand VALUES (0, {number}, {hits}, 0)")
    rewrite(path, "INSERT INTO demand VALUES (77, 1, 1.0, 0)")
    with opened(tmp_path) as collection:
        demand: Demand = collection.demand
        demand.note(0, np.array([3, 5], dtype=np.uint32))
        started = time.monotonic()
        demand.save()
        assert time.monotonic() - started < SECONDS
