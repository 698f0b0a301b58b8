"""The version of a hit is that of the last write to its point, whatever it wrote, on every path."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    CollectionConfig,
    Distance,
    GroupRequest,
    MaintenanceConfig,
    NamedSparse,
    NamedVectors,
    PointBatch,
    PointId,
    QueryRequest,
    SearchRequest,
    SparseConfig,
    SparseRows,
    SparseVector,
    VectorConfig,
    answer,
    answer_groups,
    queries,
)
from palimpsest.index.filters.expression import Filter, HasId
from palimpsest.index.filters.paths import parse_path
from palimpsest.index.storage import seqs as storage_seqs
from palimpsest.index.storage.schema import connect
from palimpsest.index.storage.store import Store
from tests.conftest import open_collection
from tests.damage import without_triggers
from tests.stores import bring_back_to_format_3

SIZE = 3
CONFIG = CollectionConfig(
    {
        "": VectorConfig(SIZE, Distance.EUCLID),
        "b": VectorConfig(2, Distance.DOT),
        "s": SparseConfig(),
    },
    MaintenanceConfig(seal_rows=64, quiet_rows=1, quiet_seconds=0.0),
)
QUERY = np.zeros(SIZE, dtype=np.float32)
ALL = 10_000


class World:
    """A collection, and the seq of the last write to each point; which points have what vector."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.collection = open_collection(folder, CONFIG)
        self.seqs: dict[int, int] = {}
        self.having: dict[str, set[int]] = {"": set(), "b": set(), "s": set()}
        self.rng = np.random.default_rng(11)

    def reopen(self) -> None:
        self.collection.close()
        self.collection = open_collection(self.folder)

    def wrote(self, ids: list[int], seq: int) -> None:
        self.seqs.update(dict.fromkeys(ids, seq))

    def batch(self, ids: list[int], names: tuple[str, ...]) -> PointBatch:
        vectors: dict[str, NamedVectors | NamedSparse] = {}
        every = np.arange(len(ids))
        for name in names:
            if name == "s":
                indptr = np.arange(len(ids) + 1)
                ones = np.ones(len(ids), dtype=np.float32)
                rows = SparseRows(indptr, np.zeros(len(ids), dtype=np.uint32), ones)
                vectors[name] = NamedSparse(every, rows)
            else:
                size = SIZE if name == "" else 2
                values = self.rng.standard_normal((len(ids), size), dtype=np.float32)
                vectors[name] = NamedVectors(every, values)
        return PointBatch(ids, vectors, [b'{"g":1}'] * len(ids))

    def upsert(self, ids: list[int], *names: str) -> None:
        self.wrote(ids, self.collection.upsert(self.batch(ids, names)).result())
        for name, having in self.having.items():
            having -= set(ids)
            having |= set(ids) if name in names else set()

    def update(self, ids: list[int], name: str) -> None:
        self.wrote(ids, self.collection.update_vectors(self.batch(ids, (name,))).result())
        self.having[name] |= set(ids)

    def forget(self, ids: list[int], name: str) -> None:
        self.wrote(ids, self.collection.delete_vectors(ids, [name]).result())
        self.having[name] -= set(ids)

    def edit(self, ids: list[int]) -> None:
        whose = Filter(must=(HasId(frozenset(ids)),)) if len(ids) > 2 else ids
        self.wrote(ids, self.collection.set_payload(whose, b'{"x":1}').result())

    def delete(self, ids: list[int]) -> None:
        self.collection.delete(ids).result()
        for one in ids:
            self.seqs.pop(one, None)
        for having in self.having.values():
            having -= set(ids)

    def check(self) -> None:
        """Ask every path for every point."""
        collection = self.collection
        sparse = SparseVector(np.zeros(1, dtype=np.uint32), np.ones(1, dtype=np.float32))
        asked = {"": QUERY, "b": QUERY[:2] + 1, "s": sparse}
        for name, query in asked.items():
            if collection.config.find(name) is None:
                continue
            expected = {one: self.seqs[one] for one in self.having[name]}
            request = SearchRequest(query, name, k=ALL)
            for each in (
                request,
                request._replace(exact=True),
                request._replace(with_payload=True, with_vectors=True),
                request._replace(filter=Filter()),
            ):
                found = collection.search(each)
                assert dict(zip(found.ids, found.seqs, strict=True)) == expected
            (found,) = collection.search_batch([request])
            assert dict(zip(found.ids, found.seqs, strict=True)) == expected
            root = queries.Prefetch(query=queries.Nearest(query), using=name, limit=ALL)
            assert self._by_tree(root) == expected
        records, _ = collection.scroll(None, ALL)
        assert {one.id: one.seq for one in records} == self.seqs

    def _by_tree(self, root: queries.Prefetch) -> dict[PointId, int]:
        reading = self.collection.reading()
        tree = answer(reading, QueryRequest(root), lambda _: reading)
        found = {one.id: one.seq for one in tree.records}
        grouped = GroupRequest(root, parse_path("g"), size=ALL)
        for group in answer_groups(reading, grouped, lambda _: reading):
            assert {one.id: one.seq for one in group.hits.records}.items() <= found.items()
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "c")


def life(world: World, after: Callable[[], None]) -> None:
    """Write in every way; ``after`` is called after each."""
    steps: list[Callable[[], None]] = [
        lambda: world.upsert([*range(100)], "", "b"),
        lambda: world.upsert([*range(100, 120)]),
        lambda: world.edit([3, 4, 5, 110]),
        lambda: world.edit([7]),
        lambda: world.update([1, 2, 3, 101], "b"),
        lambda: world.update([8, 102], "s"),
        lambda: world.forget([9, 3], ""),
        lambda: world.forget([10], "b"),
        lambda: world.delete([11, 12, 119]),
        lambda: world.upsert([*range(200, 230)], "", "s"),
        lambda: world.upsert([3, 7, 20], "b"),
        lambda: world.edit([20, 21]),
        lambda: world.edit([*range(60, 100)]),
    ]
    for step in steps:
        step()
        after()


def test_every_write_raises_the_version(world: World) -> None:
    life(world, world.check)
    world.collection.close()


def test_versions_survive_seals_and_compactions(world: World) -> None:
    def after() -> None:
        world.collection.upkeep.seal()
        world.collection.upkeep.compact()

    life(world, after)
    world.check()
    world.collection.close()


def test_versions_survive_every_restart(world: World) -> None:
    def after() -> None:
        world.reopen()
        world.check()

    life(world, after)
    world.collection.upkeep.seal()
    after()
    world.collection.close()


def test_many_edits_are_folded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_seqs, "_LEAST", 3)
    monkeypatch.setattr(storage_seqs, "_SHARE", 1_000)
    monkeypatch.setattr(storage_seqs, "STRETCH", 32)
    life(world, lambda: None)
    with connect(world.folder / "store.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM folded_seqs").fetchone()[0] >= 2
    world.reopen()
    world.check()
    world.edit([200])
    world.reopen()
    world.check()
    world.collection.close()


def test_a_dropped_vector_takes_no_version_with_it(world: World) -> None:
    world.upsert([*range(30)], "")
    world.update([*range(10)], "b")
    world.collection.drop_vector("b", lambda declared: declared)
    world.check()
    world.reopen()
    world.check()
    world.collection.close()


def test_a_point_of_a_number_that_was_another_s(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palimpsest.index.write.numbering.REST_SECONDS", -10.0)
    world.upsert([*range(10)], "")
    world.edit([*range(10)])
    world.delete([4, 5])
    world.upsert([50], "")
    world.upsert([51])
    world.check()
    world.reopen()
    world.check()
    world.collection.close()


def test_stores_of_before_know_the_versions(world: World) -> None:
    """A store of format 3 has no such tables; what it knows of its points is taken over."""
    life(world, lambda: None)
    world.collection.close()
    bring_back_to_format_3(world.folder / "store.sqlite3")
    world.collection = open_collection(world.folder)
    world.check()
    world.collection.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE folded_seqs SET crc32 = crc32 + 1", "DELETE FROM folded_seqs"],
    ids=["damaged", "lost"],
)
def test_damaged_versions_are_read_from_the_points_again(world: World, statement: str) -> None:
    world.upsert([1, 2, 3], "")
    world.upsert([2], "")
    view = world.collection.view
    numbers = np.array(sorted(view.live), dtype=np.uint32)
    seqs = view.seqs.of(numbers)
    path = world.folder / "store.sqlite3"
    world.collection.close()
    with closing(Store.open(path)) as store, store.transaction():
        store.seqs.fold(view.seqs, len(numbers))
    with closing(sqlite3.connect(path)) as raw, raw, without_triggers(raw):
        assert raw.execute(statement).rowcount
    for _ in range(2):
        opened = open_collection(world.folder)
        assert opened.view.seqs.of(numbers) == seqs
        opened.close()
