"""Scaled searches against plain numpy: (distance - shift) * factor of the row, however it is found.

Factors differ a hundredfold from row to row, so a part of a search that forgets them shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index import _native
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.graph import Graph, build
from palimpsest.index.segments.searcher import Hits, Rescoring, Scaling, Searcher, Walk
from palimpsest.index.types import Distance, Vector, Vectors
from tests.native.test_among import spread, words_of

K = 10
N = 1_500
SIZE = 50
CLOSE = 2e-4  # of float32 sums of SIZE products, times the largest factors

each_bits = pytest.mark.parametrize("bits", [1, 4, None])


@dataclass(frozen=True)
class Part:
    """Rows under test, and their distances in numpy."""

    vectors: Vectors
    encoder: Encoder | None
    searcher: Searcher

    def scaled(self, query: Vector, scaling: Scaling) -> NDArray[np.float32]:
        """Return the true distance of every row."""
        plain = -(self.vectors.astype(np.float64) @ query)
        return ((plain - scaling.shift) * scaling.factors[: len(plain)]).astype(np.float32)

    def estimated(self, query: Vector, scaling: Scaling) -> NDArray[np.float32]:
        """Return what the codes make of them, scaled as the native code scales: in float32."""
        plain = self.searcher.score(query[None, :], np.arange(N, dtype=np.uint32), by_codes=True)
        scaled: NDArray[np.float32] = (plain[0] - np.float32(scaling.shift)) * scaling.factors[:N]
        return scaled


def part_of(
    vectors: Vectors, bits: int | None, graph: Graph | None = None, *, bounded: bool = False
) -> Part:
    """Return a part of rows; ``bounded`` lets rescoring stop by the error bound."""
    encoder = None if bits is None else Encoder.fit(vectors, Distance.DOT, bits, 6)
    if encoder is not None and not bounded:
        encoder.error_scale = 0.0
    codes = None if encoder is None else encoder.encode(vectors)
    searcher = Searcher(Distance.DOT, SIZE, vectors, encoder=encoder, codes=codes, graph=graph)
    return Part(vectors, encoder, searcher)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    rows = np.random.default_rng(11).standard_normal((N, SIZE)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


@pytest.fixture(scope="module")
def queries() -> Vectors:
    return np.random.default_rng(12).standard_normal((8, SIZE)).astype(np.float32)


@pytest.fixture(scope="module")
def graph(vectors: Vectors) -> Graph:
    config = VectorConfig(SIZE, Distance.DOT)
    made = build(vectors, Distance.DOT, config, seed=2, threads=2, cancelled=lambda: False)
    assert made is not None
    return made


@pytest.fixture(scope="module", params=[0.0, -0.7, 1.3])
def scaling(request: pytest.FixtureRequest) -> Scaling:
    exponents = np.random.default_rng(13).uniform(-1, 1, N)
    return Scaling((10**exponents).astype(np.float32), request.param)


def first(distances: NDArray[np.float32], k: int = K) -> list[int]:
    rows: list[int] = np.argsort(distances, kind="stable")[:k].tolist()
    return rows


def assert_closest(hits: Hits, distances: NDArray[np.float32], k: int = K) -> None:
    """Check that hits are the k closest rows by true distances, ties apart, and say how close."""
    assert len(hits.rows) == len(set(hits.rows.tolist())) == k
    np.testing.assert_allclose(hits.distances, distances[hits.rows], rtol=1e-4, atol=CLOSE)
    np.testing.assert_allclose(hits.distances, np.sort(distances)[:k], rtol=1e-4, atol=CLOSE)


# --- one part -------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_exact_scans_are_those_of_numpy(
    share: float, vectors: Vectors, queries: Vectors, scaling: Scaling
) -> None:
    alive = np.random.default_rng(1).random(N) < share
    part = part_of(vectors, None)
    for query in queries:
        truth = np.where(alive, part.scaled(query, scaling), np.float32(np.inf))
        among = part.searcher.first(N, words_of(alive))
        assert_closest(part.searcher.exact(query, K, among, scaling), truth)


def test_kept_rows_of_every_type_are_scaled(
    vectors: Vectors, queries: Vectors, scaling: Scaling
) -> None:
    scales = np.abs(vectors).max(axis=1, keepdims=True) / 127
    bytes_ = np.rint(vectors / scales).astype(np.int8)
    int8_rows = np.concatenate([scales.view(np.uint8), bytes_.view(np.uint8)], axis=1)
    halves = vectors.astype(np.float16)
    for kept, decoded in ((halves, halves.astype(np.float32)), (int8_rows, bytes_ * scales)):
        searcher = Searcher(Distance.DOT, SIZE, np.ascontiguousarray(kept))
        part = Part(decoded, None, searcher)
        for query in queries:
            hits = searcher.exact(query, K, searcher.first(N), scaling)
            assert_closest(hits, part.scaled(query, scaling))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_scans_of_codes_scale_their_estimates(
    bits: int, vectors: Vectors, queries: Vectors, scaling: Scaling
) -> None:
    part = part_of(vectors, bits)
    for query in queries:
        estimates = part.estimated(query, scaling)
        hits = part.searcher.scan(query, K, Rescoring(0), part.searcher.first(N), scaling)
        assert hits.rows.tolist() == first(estimates)
        assert (hits.distances == estimates[hits.rows]).all()


def test_estimates_are_those_of_decoded_codes(
    vectors: Vectors, queries: Vectors, scaling: Scaling
) -> None:
    part = part_of(vectors, 4)
    assert part.encoder is not None
    decoded = part.encoder.decode(part.encoder.encode(vectors))
    twin = Part(decoded, None, part.searcher)
    for query in queries:
        hits = part.searcher.scan(query, K, Rescoring(0), part.searcher.first(N), scaling)
        # only the query's rounding to int8 is between them
        bound = 0.02 * float(np.linalg.norm(query)) * scaling.factors[hits.rows]
        assert (abs(hits.distances - twin.scaled(query, scaling)[hits.rows]) < bound).all()


@pytest.mark.parametrize("bits", [1, 4])
@pytest.mark.parametrize("n", [0, 1, 63, 65, N])
def test_rescored_scans_are_exact(
    bits: int, n: int, vectors: Vectors, queries: Vectors, scaling: Scaling
) -> None:
    part = part_of(vectors, bits)
    factors = scaling.factors[:n].copy()  # as many as there are rows to scan
    for query in queries:
        hits = part.searcher.scan(
            query, K, Rescoring(n), part.searcher.first(n), Scaling(factors, scaling.shift)
        )
        assert hits.rescored == n
        assert_closest(hits, part.scaled(query, scaling)[:n], min(K, n))


@each_bits
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_walk_with_room_for_all_rows_finds_the_closest(
    bits: int | None,
    share: float,
    vectors: Vectors,
    graph: Graph,
    queries: Vectors,
    scaling: Scaling,
) -> None:
    part = part_of(np.ascontiguousarray(vectors[graph.order]), bits, graph)
    alive = np.random.default_rng(2).random(N) < share
    among = part.searcher.first(N, None if share == 1 else words_of(alive))
    for query in queries:
        truth = np.where(alive, part.scaled(query, scaling), np.float32(np.inf))
        hits = part.searcher.walk(query, K, Walk(N), Rescoring(N), among, scaling)
        assert_closest(hits, truth)


@each_bits
def test_a_short_walk_answers_scaled_distances(
    bits: int | None, vectors: Vectors, graph: Graph, queries: Vectors, scaling: Scaling
) -> None:
    part = part_of(np.ascontiguousarray(vectors[graph.order]), bits, graph)
    for query in queries:
        hits = part.searcher.walk(query, K, Walk(40), Rescoring(0), part.searcher.first(N), scaling)
        truth = part.scaled(query, scaling)
        if bits is None:
            np.testing.assert_allclose(hits.distances, truth[hits.rows], rtol=1e-4, atol=CLOSE)
        else:
            assert (hits.distances == part.estimated(query, scaling)[hits.rows]).all()
        assert (np.diff(hits.distances) >= 0).all()


@each_bits
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_searches_among_some_rows(
    bits: int | None,
    share: float,
    vectors: Vectors,
    graph: Graph,
    queries: Vectors,
    scaling: Scaling,
) -> None:
    part = part_of(np.ascontiguousarray(vectors[graph.order]), bits, graph)
    numbers = np.random.default_rng(5).permutation(2 * N)[:N].astype(np.uint32)
    allowed = np.random.default_rng(6).random(N) < share
    among = _native.Among(N, numbers, spread(BitMap(numbers[allowed])), None, None, 0)
    for query in queries:
        truth = np.where(allowed, part.scaled(query, scaling), np.float32(np.inf))
        assert_closest(part.searcher.exact(query, K, among, scaling), truth)
        if bits is not None:
            assert_closest(part.searcher.scan(query, K, Rescoring(N), among, scaling), truth)
        ef = int(allowed.sum())
        every = Rescoring(N)
        walk = Walk(ef, False, N, N + 1, 0)
        wide = part.searcher.walk(query, K, walk, every, among, scaling)
        assert_closest(wide, truth)
        walk = Walk(40, True, N, N + 1, 0)
        hops = part.searcher.walk(query, K, walk, every, among, scaling)
        if len(hops.rows):  # it may give up; what it finds is scaled
            assert allowed[hops.rows].all()
            np.testing.assert_allclose(hops.distances, truth[hops.rows], rtol=1e-4, atol=CLOSE)
            assert share < 0.5 or len(set(hops.rows) & set(first(truth))) >= K // 2


# --- pruning --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1, 4])
@pytest.mark.parametrize("factor", [0.0625, 64.0])
def test_one_factor_for_all_changes_nothing_but_the_distances(
    bits: int, factor: float, vectors: Vectors, graph: Graph, queries: Vectors
) -> None:
    """Powers of two scale floats exactly, so walks, bounds and counts must be the same."""
    part = part_of(np.ascontiguousarray(vectors[graph.order]), bits, graph, bounded=True)
    scaling = Scaling(np.full(N, factor, dtype=np.float32), 0.0)
    every, pruned = part.searcher.first(N), 0
    for query in queries:
        calls: list[Callable[..., Hits]] = [
            lambda *more, q=query: part.searcher.walk(q, K, Walk(N), Rescoring(N), every, *more),
            lambda *more, q=query: part.searcher.scan(q, K, Rescoring(N), every, *more),
        ]
        for call in calls:
            plain, scaled = call(), call(scaling)
            assert plain.rows.tolist() == scaled.rows.tolist()
            assert (plain.distances * np.float32(factor) == scaled.distances).all()
            assert plain[2:] == scaled[2:]
            pruned += plain.rescored < N
    assert pruned > 0  # bounds were at work


@pytest.mark.parametrize("bits", [1, 4])
def test_rows_of_large_factors_are_not_pruned_by_the_bounds_of_others(
    bits: int, vectors: Vectors, queries: Vectors
) -> None:
    """Estimates of every other row are a hundred times as wrong as those around them."""
    part = part_of(vectors, bits, bounded=True)
    factors = np.ones(N, dtype=np.float32)
    factors[::2] = 100
    rescored = 0
    for query in queries:
        # about K of them lie below 0, the next best above, and all others close to it
        shift = -float(np.sort(vectors[::2] @ query)[-K])
        scaling = Scaling(factors, shift)
        hits = part.searcher.scan(query, K, Rescoring(N), part.searcher.first(N), scaling)
        assert_closest(hits, part.scaled(query, scaling))
        rescored += hits.rescored
    assert rescored < len(queries) * N  # bounds were at work
