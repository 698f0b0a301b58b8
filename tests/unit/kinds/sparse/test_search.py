"""Searches over the parts of a view, against the plain twin and against the reference client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pyroaring import BitMap
from qdrant_client import QdrantClient, models

from palimpsest.index.config.vectors import Modifier, SparseConfig
from palimpsest.index.kinds.sparse.growing import SparseGrowing
from palimpsest.index.kinds.sparse.seal import live_sparse_rows, write_sparse
from palimpsest.index.kinds.sparse.sealed import SparseSealed
from palimpsest.index.kinds.sparse.search import score_sparse, search_sparse
from palimpsest.index.search.merge import merge
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.storage.ids import pack_ids
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.types import PointId
from palimpsest.index.view.view import SealedPart, VectorView
from tests.unit.kinds.sparse import twin
from tests.unit.kinds.sparse.twin import Row, rows_of, vector

IDS: list[PointId] = [*range(1, 13), *map(UUID, [f"{i:032x}" for i in (1, 256, 2**100, 7)])]
NUMBER = {one: 3 * place for place, one in enumerate(IDS)}  # numbers with gaps

ROW = st.dictionaries(
    st.sampled_from([0, 1, 2, 3, 2**32 - 1]),
    st.integers(-16, 16).map(lambda quarters: quarters / 4),  # sums of products are exact
    max_size=4,
)
SOME_IDS = st.lists(st.sampled_from(IDS), unique=True)


class Parts:
    """The parts of one name, changed the way a collection changes them."""

    def __init__(self, modifier: Modifier) -> None:
        config = SparseConfig(modifier)
        self.view = VectorView(config, (), (SparseGrowing.empty(config),))
        self.slot_of: dict[PointId, int] = {}
        self._slots = 1

    def write(self, rows: Mapping[PointId, Row]) -> None:
        self.delete([one for one in rows if one in self.slot_of])
        slots = np.arange(self._slots, self._slots + len(rows), dtype=np.uint64)
        self._slots += len(rows)
        numbers = np.array([NUMBER[one] for one in rows], dtype=np.uint32)
        growing = self.view.growing[0].extended(
            slots, self._slots, pack_ids(list(rows)), numbers, rows_of(rows.values())
        )
        self.view = VectorView(self.view.config, self.view.sealed, (growing,))
        self.slot_of.update(zip(rows, slots.tolist(), strict=True))

    def delete(self, ids: Sequence[PointId]) -> None:
        dead = np.array([self.slot_of.pop(one) for one in ids], dtype=np.uint64)
        self.view = VectorView(
            self.view.config,
            tuple(part.without(dead) for part in self.view.sealed),
            tuple(part.without(dead) for part in self.view.growing),
        )

    def seal(self, folder: InMemory) -> None:
        growing = self.view.growing[0]
        self._replace([(growing, growing.dead)], folder, self.view.sealed)

    def compact(self, folder: InMemory) -> None:
        parts = [(part.segment, part.dead) for part in self.view.sealed]
        self._replace(parts, folder, (), keep_growing=True)

    def _replace(
        self,
        parts: Any,
        folder: InMemory,
        sealed: tuple[SealedPart, ...],
        keep_growing: bool = False,
    ) -> None:
        config = self.view.config
        growing = self.view.growing if keep_growing else (SparseGrowing.empty(config),)
        if any(part.n > dead.count for part, dead in parts):
            checksum = write_sparse(folder, live_sparse_rows(parts), Build(config))
            assert checksum is not None
            sealed = (*sealed, SealedPart(SparseSealed.open(folder, checksum), Dead()))
        self.view = VectorView(config, sealed, growing)


def numbers_of(ids: Sequence[PointId]) -> BitMap:
    return BitMap([NUMBER[one] for one in ids])


def found(
    parts: Parts,
    query: Row,
    k: int,
    allowed: Sequence[PointId] | None = None,
    corpus: Sequence[PointId] | None = None,
) -> list[tuple[PointId, float]]:
    """Return ids and scores of a search."""
    chosen = None if allowed is None else numbers_of(allowed)
    counted = None if corpus is None else numbers_of(corpus)
    hits, _ = search_sparse(parts.view, vector(query), k, chosen, corpus=counted)
    merged = merge(hits, k)
    return list(zip(merged.ids, (-merged.distances).tolist(), strict=True))


class SparseMachine(RuleBasedStateMachine):
    """Points are written, deleted, sealed and compacted; every search equals the twin's."""

    def __init__(self) -> None:
        super().__init__()
        self.files = InMemory()
        self.written = 0
        self.points: dict[PointId, Row] = {}
        self.parts = Parts("none")

    @initialize(modifier=st.sampled_from(["none", "idf"]))
    def create(self, modifier: Modifier) -> None:
        self.parts = Parts(modifier)

    def next_folder(self) -> InMemory:
        self.written += 1
        return self.files / str(self.written)

    @rule(rows=st.dictionaries(st.sampled_from(IDS), ROW, min_size=1, max_size=6))
    def write(self, rows: dict[PointId, Row]) -> None:
        self.parts.write(rows)
        self.points.update(rows)

    @rule(ids=SOME_IDS)
    def delete(self, ids: list[PointId]) -> None:
        there = [one for one in ids if one in self.points]
        self.parts.delete(there)
        for one in there:
            del self.points[one]

    @rule()
    def seal(self) -> None:
        self.parts.seal(self.next_folder())

    @rule()
    def compact(self) -> None:
        self.parts.compact(self.next_folder())

    @rule(
        query=ROW,
        k=st.integers(1, 6),
        allowed=st.none() | SOME_IDS,
        corpus=st.none() | SOME_IDS,
    )
    def search(
        self,
        query: Row,
        k: int,
        allowed: list[PointId] | None,
        corpus: list[PointId] | None,
    ) -> None:
        chosen = {one: row for one, row in self.points.items() if allowed is None or one in allowed}
        weighed = self.weighed(query, corpus)
        hits = found(self.parts, query, k, allowed, corpus)
        if self.modifier == "none":
            assert hits == twin.best(weighed, chosen, k)
            return
        # weights are rounded, so rows that tie for the twin may not; scores must agree
        scores = dict(twin.best(weighed, chosen, len(chosen)))
        assert [score for _, score in hits] == pytest.approx(
            sorted(scores.values(), reverse=True)[:k], abs=1e-4
        )
        assert [scores[one] for one, _ in hits] == pytest.approx(
            [score for _, score in hits], abs=1e-4
        )

    @rule(queries=st.lists(ROW, max_size=3), allowed=st.none() | SOME_IDS)
    def score(self, queries: list[Row], allowed: list[PointId] | None) -> None:
        chosen = None if allowed is None else numbers_of(allowed)
        blocks = [*score_sparse(self.parts.view, [*map(vector, queries)], chosen)]
        numbers = np.concatenate([np.empty(0, np.uint32), *(block[0] for block in blocks)])
        nothing = np.empty((len(queries), 0), np.float32)
        distances = np.concatenate([nothing, *(block[1] for block in blocks)], axis=1)
        points = {NUMBER[one]: row for one, row in self.points.items()}
        expected = points.keys() if chosen is None else points.keys() & set(chosen)
        assert sorted(numbers.tolist()) == sorted(expected)
        assert distances.shape == (len(queries), len(numbers))
        for row, query in zip(distances, queries, strict=True):
            weighed = self.weighed(query, None)
            scores = [twin.dot(weighed, points[number]) or 0.0 for number in numbers.tolist()]
            assert (-row).tolist() == pytest.approx(scores, abs=1e-4)

    @property
    def modifier(self) -> Modifier:
        assert isinstance(self.parts.view.config, SparseConfig)
        return self.parts.view.config.modifier

    def weighed(self, query: Row, corpus: list[PointId] | None) -> Row:
        if self.modifier == "none":
            return query
        return twin.weighed(
            query, [row for one, row in self.points.items() if corpus is None or one in corpus]
        )

    @invariant()
    def as_many_are_alive_as_there_are_points(self) -> None:
        assert self.parts.view.live == len(self.points)


SparseMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestSparseMachine = SparseMachine.TestCase


def test_of_equal_scores_the_lowest_ids_are_found() -> None:
    """However many parts they lie in, whatever their order of arrival."""
    parts = Parts("none")
    row: Row = {1: 0.5}
    parts.write({one: row for one in reversed(IDS[6:])})
    parts.seal(InMemory() / "first")
    parts.write({one: row for one in reversed(IDS[:3])})
    parts.write({one: {1: 0.75} for one in IDS[3:6]})
    in_order = sorted((one for one in IDS if one not in IDS[3:6]), key=twin.order)
    for k in range(1, len(IDS) + 2):
        expected = [*((one, 0.75) for one in IDS[3:6]), *((one, 0.5) for one in in_order)]
        assert found(parts, {1: 1.0}, k) == expected[:k]


def test_what_was_done_is_counted() -> None:
    parts = Parts("none")
    parts.write({1: {1: 1.0, 2: 1.0}, 2: {2: 1.0}, 3: {3: 1.0}})
    _, stats = search_sparse(parts.view, vector({1: 1.0, 2: 1.0, 9: 1.0}), 1, None)
    assert stats.scored == 3
    assert stats.segments == 0
    assert stats.seconds["scan"] > 0


@pytest.mark.parametrize("modifier", ["none", "idf"])
def test_the_reference_client_finds_the_same(modifier: Modifier, rng: np.random.Generator) -> None:
    params = models.SparseVectorParams(
        modifier=models.Modifier.IDF if modifier == "idf" else models.Modifier.NONE
    )
    client = QdrantClient(":memory:")
    client.create_collection("c", vectors_config={}, sparse_vectors_config={"s": params})
    parts = Parts(modifier)
    groups: dict[PointId, int] = {}
    for step in range(6):
        rows = {one: _random_row(rng) for one in rng.permutation(np.array(IDS, object))[:9]}
        groups |= {one: int(rng.integers(3)) for one in rows}
        client.upsert("c", [_point(one, row, groups[one]) for one, row in rows.items()])
        parts.write(rows)
        gone = list(rng.permutation(np.array([*parts.slot_of], object))[:2])
        client.delete("c", points_selector=[_wire(one) for one in gone])
        parts.delete(gone)
        if step in (1, 3):
            parts.seal(InMemory() / str(step))
        for group in (None, 0, 1):
            query = _random_row(rng)
            allowed = None if group is None else [one for one in IDS if groups.get(one) == group]
            reply = client.query_points(
                "c",
                query=_sparse(query),
                using="s",
                limit=30,
                query_filter=None if group is None else _in_group(group),
                search_params=models.SearchParams(
                    idf=models.IdfCorpusParams(corpus=_in_group(1)) if step % 2 else None
                ),
            )
            corpus = [one for one in IDS if groups.get(one) == 1] if step % 2 else None
            expected = {str(point.id): point.score for point in reply.points}
            hits = {str(one): score for one, score in found(parts, query, 30, allowed, corpus)}
            assert hits == pytest.approx(expected, abs=1e-4)
    client.close()


def _random_row(rng: np.random.Generator) -> Row:
    return {int(i): float(rng.normal()) for i in rng.choice(12, rng.integers(1, 6), replace=False)}


def _sparse(row: Row) -> models.SparseVector:
    return models.SparseVector(indices=list(row), values=list(row.values()))


def _wire(one: PointId) -> int | str:
    return one if isinstance(one, int) else str(one)


def _point(one: PointId, row: Row, group: int) -> models.PointStruct:
    return models.PointStruct(id=_wire(one), vector={"s": _sparse(row)}, payload={"group": group})


def _in_group(group: int) -> models.Filter:
    match = models.MatchValue(value=group)
    return models.Filter(must=[models.FieldCondition(key="group", match=match)])
