"""Free pages: given back some at a time, in order, and never at the cost of what is in others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Collection
from palimpsest.index.errors import Damaged
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.vacuum import Pages, Step, gives_back, pages_of
from palimpsest.index.storage.verify import check_store
from tests.conftest import OpenCollection, open_collection
from tests.points import batch_of, config_of

N = 4_000


@pytest.fixture
def emptied(collection_of: OpenCollection) -> Collection:
    """A collection most of whose points were deleted, the first ones."""
    made = collection_of(config_of(4))
    texts = [b'{"a": "%d %s"}' % (i, b"x" * 300) for i in range(N)]
    made.upsert(batch_of([*range(N)], np.ones((N, 4), np.float32), list(texts))).result()
    made.delete([*range(N - 100)]).result()
    return made


WHOLE = Step(10.0, 1 << 20)


def vacuum(store: Store, leave: int = 0, most: Step = WHOLE) -> Pages:
    store.vacuum_some(leave, most)
    return store.pages


def test_a_new_store_gives_pages_back(collection_of: OpenCollection) -> None:
    store = collection_of(config_of(4)).writer.store
    assert store.gives_back and gives_back(store._connection)
    assert store.pages == pages_of(store._connection)
    assert store.pages.used_bytes + store.pages.free_bytes == store.pages.count * store.pages.size


def test_pages_are_given_back_and_rows_stay(emptied: Collection) -> None:
    store, before = emptied.writer.store, emptied.writer.store.pages
    assert before.free > before.count // 2
    after = emptied.writer.call(lambda: vacuum(store, leave=10)).result()
    assert after.free <= 10 and after.count < before.count // 2
    kept = emptied.retrieve([*range(N - 100, N)], with_payload=True)
    assert [one.payload for one in kept] == [
        b'{"a": "%d %s"}' % (i, b"x" * 300) for i in range(N - 100, N)
    ]
    emptied.close()
    assert (emptied.folder / "store.sqlite3").stat().st_size == after.count * after.size
    opened = open_collection(emptied.folder)
    assert opened.view.points == 100
    opened.close()


def test_a_step_ends_after_its_time(emptied: Collection) -> None:
    store, before = emptied.writer.store, emptied.writer.store.pages
    after = emptied.writer.call(lambda: vacuum(store, most=Step(0.0, 1 << 20))).result()
    assert before.free - 8 <= after.free < before.free


def test_a_step_moves_so_many_pages_that_its_sync_is_short(emptied: Collection) -> None:
    store, before = emptied.writer.store, emptied.writer.store.pages
    after = emptied.writer.call(lambda: vacuum(store, most=Step(10.0, 21))).result()
    assert after.free == before.free - 21


def test_a_reader_sees_its_moment_while_pages_go(emptied: Collection) -> None:
    store = emptied.writer.store
    with Store.follow(store.path).snapshot() as reach:
        emptied.writer.call(lambda: vacuum(store)).result()
        assert reach == store.reach or reach.commit < store.reach.commit


def test_a_damaged_map_of_pages_is_told_and_changes_nothing(emptied: Collection) -> None:
    emptied.close()
    path = emptied.folder / "store.sqlite3"
    content = bytearray(path.read_bytes())
    content[4096:8192] = bytes(4096)  # the first map is page 2
    path.write_bytes(content)
    store = Store.open(path)
    try:
        with pytest.raises(Damaged):
            store.vacuum_some(0, WHOLE)
        assert store.position().points == 100
    finally:
        store.close()


def test_the_reach_is_found_behind_a_map_of_pages_where_the_schema_is_hidden(
    emptied: Collection,
) -> None:
    emptied.close()
    path = emptied.folder / "store.sqlite3"
    reach = check_store(path)
    content = bytearray(path.read_bytes())
    content[100:4096] = bytes(3996)  # of page 1, behind the head: as a move that was cut short
    hidden = Path(f"{path}.hidden")
    path.rename(hidden)
    path.write_bytes(content)
    assert check_store(path) == reach is not None
