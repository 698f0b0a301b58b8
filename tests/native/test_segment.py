"""Searches of one segment against plain numpy: exact scans, rescoring, the graph, dead rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.graph import Graph, build
from palimpsest.index.segments.searcher import Rescoring, Walk
from palimpsest.index.types import Distance, Vector, Vectors, Words
from tests import oracle
from tests.conftest import Corpus

FirstRows = _native.FirstRows

K = 10
METRICS = {Distance.DOT: "inner_product", Distance.EUCLID: "l2", Distance.MANHATTAN: "l1"}

each_bits = pytest.mark.parametrize("bits", [1, 2, 4, 8])
coded = pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLID])


@dataclass(frozen=True)
class Answer:
    rows: list[int]
    distances: NDArray[np.float32]
    visited: int
    scored: int
    rescored: int


def ask(call: Any, query: Vector, *arguments: Any, k: int = K, usual: Any = ()) -> Answer:
    """Call a search of a segment that scales nothing; the last argument says what may be found."""
    rows = np.full(k, 2**32 - 1, dtype=np.uint32)
    distances = np.full(k, np.nan, dtype=np.float32)
    hits, visited, scored, rescored, *_ = call(query, *arguments, None, *usual, rows, distances)
    assert (rows[hits:] == 2**32 - 1).all()  # nothing is written behind the hits
    return Answer(rows[:hits].tolist(), distances[:hits], visited, scored, rescored)


def walk(
    segment: _native.Segment, query: Vector, ef: int, rescored: int, among: _native.FirstRows
) -> Answer:
    how = Walk(ef), Rescoring(rescored), among
    return ask(segment.walk, query, K, *how, usual=(-np.inf,))


def words(allowed: NDArray[np.bool_]) -> Words:
    bits = np.zeros((len(allowed) + 63) // 64 * 64, dtype=bool)
    bits[: len(allowed)] = allowed
    return np.packbits(bits, bitorder="little").view(np.uint64)


def segment_of(
    vectors: Vectors,
    distance: Distance,
    *,
    bits: int | None = None,
    graph: Graph | None = None,
    kept: NDArray[Any] | None = None,
    bounded: bool = False,
) -> _native.Segment:
    """Return a segment of the rows in order; ``bounded`` lets rescoring stop by the error bound."""
    n, size = vectors.shape
    encoder = None if bits is None else Encoder.fit(vectors, distance, bits, 6)
    return _native.Segment(
        n,
        size,
        METRICS[distance],
        None if encoder is None else encoder.native,
        None if encoder is None else encoder.encode(vectors),
        0.0 if encoder is None or not bounded else encoder.error_scale,
        None if graph is None else graph.native,
        vectors if kept is None else kept,
    )


def graph_of(vectors: Vectors) -> Graph:
    graph = build(
        vectors,
        Distance.EUCLID,
        VectorConfig(vectors.shape[1], Distance.EUCLID),
        seed=2,
        threads=2,
        cancelled=lambda: False,
    )
    assert graph is not None
    return graph


@pytest.fixture
def vectors(rng: np.random.Generator) -> Vectors:
    return rng.standard_normal((1_500, 50)).astype(np.float32)


@pytest.fixture
def queries(rng: np.random.Generator) -> Vectors:
    return rng.standard_normal((12, 50)).astype(np.float32)


# --- exact scans ----------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", METRICS)
@pytest.mark.parametrize("dead", [0.0, 0.5])
def test_exact_search_is_that_of_numpy(
    distance: Distance, dead: float, vectors: Vectors, queries: Vectors, rng: np.random.Generator
) -> None:
    allowed = rng.random(len(vectors)) >= dead
    live = np.flatnonzero(allowed)
    among = FirstRows(len(vectors), words(allowed) if dead else None)
    segment = segment_of(vectors, distance)
    for query in queries:
        found = ask(segment.exact, query, K, among)
        rows, distances = oracle.exact(query, vectors[live], distance, K)
        assert found.rows == live[rows].tolist()
        np.testing.assert_allclose(found.distances, distances, rtol=1e-4, atol=1e-4)
        assert found.scored == len(live)


def test_only_the_first_n_rows_are_scanned(vectors: Vectors, queries: Vectors) -> None:
    segment = segment_of(vectors, Distance.DOT, bits=4)
    for n in (0, 1, 63, 64, 65, 129, len(vectors)):
        for call, arguments in ((segment.exact, (K,)), (segment.scan, (K, Rescoring(20)))):
            found = ask(call, queries[0], *arguments, FirstRows(n))
            assert len(found.rows) == min(n, K)
            assert all(row < n for row in found.rows)
            assert found.scored == n


def test_kept_rows_of_every_type(vectors: Vectors, queries: Vectors) -> None:
    scales = np.abs(vectors).max(axis=1, keepdims=True) / 127
    bytes_ = np.rint(vectors / scales).astype(np.int8)
    int8_rows = np.concatenate([scales.view(np.uint8), bytes_.view(np.uint8)], axis=1)
    halves = vectors.astype(np.float16)
    for kept, decoded in ((halves, halves.astype(np.float32)), (int8_rows, bytes_ * scales)):
        segment = segment_of(vectors, Distance.EUCLID, kept=np.ascontiguousarray(kept))
        for query in queries:
            found = ask(segment.exact, query, K, FirstRows(len(vectors)))
            rows, distances = oracle.exact(query, decoded, Distance.EUCLID, K)
            assert found.rows == rows
            np.testing.assert_allclose(found.distances, distances, rtol=1e-5)


# --- rescoring ------------------------------------------------------------------------------------


@coded
@each_bits
def test_recall_grows_with_the_rows_rescored(
    bits: int, distance: Distance, vectors: Vectors, queries: Vectors
) -> None:
    segment, n = segment_of(vectors, distance, bits=bits), len(vectors)
    truth = oracle.distances(queries, vectors, distance)
    recalls = []
    for candidates in (K, 15, 30, 60, 120, 400, n):
        found = [
            ask(segment.scan, query, K, Rescoring(candidates), FirstRows(n)) for query in queries
        ]
        assert all(answer.rescored == candidates for answer in found)
        recalls.append(oracle.recall([answer.rows for answer in found], truth, K))
    assert recalls == sorted(recalls)
    assert recalls[-1] == 1.0
    assert recalls[0] > {1: 0.3, 2: 0.6, 4: 0.85, 8: 0.95}[bits]


@coded
@each_bits
def test_stopping_by_the_bound_costs_next_to_no_recall(
    bits: int, distance: Distance, vectors: Vectors, queries: Vectors
) -> None:
    segment, n = segment_of(vectors, distance, bits=bits, bounded=True), len(vectors)
    truth = oracle.distances(queries, vectors, distance)
    found = [ask(segment.scan, query, K, Rescoring(n), FirstRows(n)) for query in queries]
    recall = oracle.recall([answer.rows for answer in found], truth, K)
    assert recall >= (0.94 if bits == 1 else 0.98)  # 50 dimensions, where 1 bit errs most
    assert max(answer.rescored for answer in found) < n


@coded
@each_bits
def test_rescored_distances_are_true(
    bits: int, distance: Distance, vectors: Vectors, queries: Vectors
) -> None:
    segment = segment_of(vectors, distance, bits=bits)
    for query in queries:
        found = ask(segment.scan, query, K, Rescoring(40), FirstRows(len(vectors)))
        expected = oracle.distances(query[None], vectors, distance)[0][found.rows]
        np.testing.assert_allclose(found.distances, expected, rtol=1e-4, atol=1e-4)
        assert (np.diff(found.distances) >= 0).all()


@coded
@each_bits
def test_without_rescoring_estimates_are_the_answer(
    bits: int, distance: Distance, vectors: Vectors, queries: Vectors
) -> None:
    encoder = Encoder.fit(vectors, distance, bits, 6)
    codes = encoder.encode(vectors)
    n, size = vectors.shape
    for kept in (vectors, None):
        segment = _native.Segment(
            n, size, METRICS[distance], encoder.native, codes, 0.0, None, kept
        )
        estimates = encoder.estimate(queries[0], codes)
        rows = np.lexsort((np.arange(len(vectors)), estimates))[:K]
        found = ask(segment.scan, queries[0], K, Rescoring(0), FirstRows(n))
        assert found.rows == rows.tolist()
        assert found.rescored == 0
        expected = estimates[rows]
        if distance is Distance.EUCLID:
            expected = np.sqrt(np.maximum(expected, 0))
        np.testing.assert_array_equal(found.distances, expected)


def test_ties_go_to_the_lower_row(queries: Vectors) -> None:
    same = np.repeat(queries[:1], 300, axis=0)
    segment = segment_of(same, Distance.EUCLID, bits=4)
    for call, arguments in ((segment.exact, (K,)), (segment.scan, (K, Rescoring(50)))):
        assert ask(call, queries[1], *arguments, FirstRows(300)).rows == list(range(K))


# --- the graph ------------------------------------------------------------------------------------


@each_bits
def test_a_graph_with_room_for_all_rows_finds_what_a_scan_finds(
    bits: int, vectors: Vectors, queries: Vectors
) -> None:
    graph, n = graph_of(vectors), len(vectors)
    ordered = np.ascontiguousarray(vectors[graph.order])
    segment = segment_of(ordered, Distance.EUCLID, bits=bits, graph=graph)
    for query in queries:
        by_graph = walk(segment, query, n, 100, FirstRows(n))
        by_scan = ask(segment.scan, query, K, Rescoring(100), FirstRows(n))
        assert by_graph.rows == by_scan.rows
        np.testing.assert_array_equal(by_graph.distances, by_scan.distances)
        # a node is expanded once on layer 0, and a few more times on the way down
        assert n <= by_graph.visited < n + 100


def test_with_half_the_rows_dead_recall_is_that_of_a_fresh_graph(corpus: Corpus) -> None:
    vectors, queries, ef = corpus.base[:8_000], corpus.queries, 64
    dead = np.random.default_rng(4).permutation(len(vectors))[: len(vectors) // 2]
    live = np.ones(len(vectors), dtype=bool)
    live[dead] = False
    old, fresh = graph_of(vectors), graph_of(vectors[live])
    recalls = []
    for graph, base, allowed in (
        (old, vectors, live),
        (fresh, vectors[live], np.ones(int(live.sum()), dtype=bool)),
    ):
        ordered = np.ascontiguousarray(base[graph.order])
        segment = segment_of(ordered, Distance.DOT, bits=4, graph=graph)
        kept = FirstRows(len(base), words(allowed[graph.order]))
        found = [walk(segment, query, ef, 30, kept) for query in queries]
        rows = [graph.order[answer.rows] for answer in found]
        assert all(allowed[some].all() for some in rows)
        truth = np.where(allowed, oracle.distances(queries, base, Distance.COSINE), np.inf)
        recalls.append(oracle.recall([some.tolist() for some in rows], truth, K))
    assert recalls[0] >= recalls[1] - 0.01
    assert recalls[1] > 0.95


@pytest.mark.parametrize("alive", [0, 1, 3, 40])
def test_few_live_rows_are_all_found(
    alive: int, vectors: Vectors, queries: Vectors, rng: np.random.Generator
) -> None:
    graph = graph_of(vectors)
    ordered = np.ascontiguousarray(vectors[graph.order])
    segment = segment_of(ordered, Distance.EUCLID, bits=4, graph=graph)
    live = np.zeros(len(vectors), dtype=bool)
    live[rng.choice(len(vectors), alive, replace=False)] = True
    among = FirstRows(len(vectors), words(live))
    for query in queries:
        by_graph = walk(segment, query, 64, 40, among)
        exact = ask(segment.exact, query, K, among)
        assert by_graph.rows == exact.rows
        assert len(exact.rows) == min(alive, K)


def test_a_segment_without_rows_answers_nothing(queries: Vectors) -> None:
    none = np.empty((0, 50), dtype=np.float32)
    graph = graph_of(none)
    segment = segment_of(none, Distance.EUCLID, graph=graph)
    assert walk(segment, queries[0], 50, 0, FirstRows(0)).rows == []
    assert ask(segment.exact, queries[0], K, FirstRows(0)).rows == []
