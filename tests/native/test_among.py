"""Rows allowed by the numbers of their points: against flags in plain numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index import _native
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.graph import Graph, build
from palimpsest.index.segments.searcher import Rescoring, Walk
from palimpsest.index.types import Distance, Numbers, Rows, Vectors, Words
from tests import oracle

K = 10
N = 1_500
NO_ROW = 2**32 - 1
METRICS = {Distance.DOT: "inner_product", Distance.EUCLID: "l2", Distance.MANHATTAN: "l1"}


def words_of(flags: NDArray[np.bool_]) -> Words:
    bits = np.zeros((len(flags) + 63) // 64 * 64, dtype=bool)
    bits[: len(flags)] = flags
    return np.packbits(bits, bitorder="little").view(np.uint64)


def spread(points: BitMap) -> Words:
    words = np.zeros(points.max() // 64 + 2 if points else 1, dtype=np.uint64)
    _native.spread_bitmap(points.serialize(), words)
    return words


def rows_by_number(numbers: Numbers, base: int = 0) -> Rows:
    row_of = np.full(int(numbers.max()) - base + 1, NO_ROW, dtype=np.uint32)
    row_of[numbers - base] = np.arange(len(numbers), dtype=np.uint32)
    return row_of


# --- the bitmap -----------------------------------------------------------------------------------


def members(draw_runs: list[tuple[int, int]], single: list[int]) -> BitMap:
    points = BitMap(single)
    for start, length in draw_runs:
        points.add_range(start, start + length)
    return points


@given(
    st.lists(st.tuples(st.integers(0, 400_000), st.integers(1, 90_000)), max_size=3),
    st.lists(st.integers(0, 400_000), max_size=60),
    st.booleans(),
    st.integers(0, 500_000),
)
def test_a_bitmap_is_spread_into_its_flags(
    runs: list[tuple[int, int]], single: list[int], as_runs: bool, below: int
) -> None:
    points = members(runs, single)
    if as_runs:
        points.run_optimize()
    words = np.zeros(below // 64, dtype=np.uint64)
    _native.spread_bitmap(points.serialize(), words)
    expected = np.zeros(len(words) * 64, dtype=bool)
    inside = [point for point in points if point < len(expected)]
    expected[inside] = True
    assert (np.unpackbits(words.view(np.uint8), bitorder="little") == expected).all()


@pytest.mark.parametrize(
    "points", [BitMap([1, 5]), BitMap(range(9_000)), BitMap(range(0, 9_000, 2))]
)
def test_a_bitmap_cut_short_is_refused(points: BitMap) -> None:
    points.run_optimize()
    whole = points.serialize()
    for size in range(0, len(whole), max(1, len(whole) // 40)):
        with pytest.raises(ValueError, match="roaring"):
            _native.spread_bitmap(whole[:size], np.zeros(200, dtype=np.uint64))


def test_other_bytes_are_no_bitmap() -> None:
    for wrong in (b"", b"abc", b"\x00" * 16, b"\xff" * 64):
        with pytest.raises(ValueError, match="roaring|containers"):
            _native.spread_bitmap(wrong, np.zeros(4, dtype=np.uint64))


# --- the rows -------------------------------------------------------------------------------------


@given(st.integers(1, 300), st.integers(0, 700), st.floats(0, 1), st.booleans(), st.integers(0, 99))
def test_rows_are_those_whose_points_are_members_and_alive(
    n: int, above: int, share: float, some_dead: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    numbers = (rng.permutation(2 * n)[:n] + above).astype(np.uint32)
    flags = rng.random(2 * n + above) < share
    alive = rng.random(n) < 0.7 if some_dead else np.ones(n, dtype=bool)
    expected = np.flatnonzero(flags[numbers] & alive)
    words, live = spread(BitMap(np.flatnonzero(flags))), words_of(alive) if some_dead else None
    base = int(numbers.min()) // 64 * 64
    for row_of, start in ((None, 0), (rows_by_number(numbers, base), base)):
        among = _native.Among(n, numbers, words, live, row_of, start)
        out = np.empty(len(expected), dtype=np.uint32)
        assert among.rows(out) == len(expected)
        assert sorted(out.tolist()) == expected.tolist()
        assert among.estimate(n) == len(expected)  # every row is tested


def test_the_estimate_is_close() -> None:
    rng = np.random.default_rng(3)
    numbers = rng.permutation(50_000).astype(np.uint32)
    for share in (0.05, 0.3, 0.9):
        words = spread(BitMap(np.flatnonzero(rng.random(50_000) < share)))
        estimate = _native.Among(50_000, numbers, words, None, None, 0).estimate(1_024)
        assert abs(estimate / 50_000 - share) < 0.05


def test_what_does_not_fit_together_is_refused() -> None:
    numbers, zero = np.arange(100, dtype=np.uint32), np.zeros(2, dtype=np.uint64)
    wrong: list[tuple[Any, ...]] = [
        (101, numbers, zero, None, None, 0),
        (100, numbers, np.ones(2, dtype=np.uint64), None, None, 0),
        (100, numbers, np.zeros(0, dtype=np.uint64), None, None, 0),
        (100, numbers, zero, np.zeros(1, dtype=np.uint64), None, 0),
        (100, numbers, zero, None, numbers, 32),
    ]
    for arguments in wrong:
        with pytest.raises(ValueError, match="rows|word|live|base"):
            _native.Among(*arguments)
    among = _native.Among(2, numbers, np.array([3, 0], dtype=np.uint64), None, None, 0)
    with pytest.raises(ValueError, match="shorter"):
        among.rows(np.empty(1, dtype=np.uint32))


# --- searches -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    segment: _native.Segment
    vectors: Vectors
    numbers: Numbers
    encoder: Encoder

    def among(self, allowed: NDArray[np.bool_], live: Words | None = None) -> _native.Among:
        points = BitMap(self.numbers[allowed])
        return _native.Among(len(allowed), self.numbers, spread(points), live, None, 0)


def part_of(vectors: Vectors, distance: Distance, graph: Graph | None = None) -> Part:
    n, size = vectors.shape
    encoder = Encoder.fit(vectors, distance, 4, 6)
    native = None if graph is None else graph.native
    codes = encoder.encode(vectors)
    segment = _native.Segment(
        n, size, METRICS[distance], encoder.native, codes, 0.0, native, vectors
    )
    numbers = np.random.default_rng(5).permutation(2 * n)[:n].astype(np.uint32)
    return Part(segment, vectors, numbers, encoder)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return np.random.default_rng(11).standard_normal((N, 50)).astype(np.float32)


@pytest.fixture(scope="module")
def queries() -> Vectors:
    return np.random.default_rng(12).standard_normal((12, 50)).astype(np.float32)


@pytest.fixture(scope="module")
def graphed(vectors: Vectors) -> Part:
    config = VectorConfig(50, Distance.EUCLID)
    graph = build(vectors, Distance.EUCLID, config, seed=2, threads=2, cancelled=lambda: False)
    assert graph is not None
    return part_of(np.ascontiguousarray(vectors[graph.order]), Distance.EUCLID, graph)


def found(call: Any, *arguments: Any) -> tuple[list[int], NDArray[np.float32], int]:
    rows, distances = np.empty(K, dtype=np.uint32), np.empty(K, dtype=np.float32)
    hits, _, scored, *_ = call(*arguments, rows, distances)
    return rows[:hits].tolist(), distances[:hits], scored


@pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLID])
@pytest.mark.parametrize("share", [0.004, 0.1, 0.9])
def test_scans_are_those_of_numpy(
    distance: Distance, share: float, vectors: Vectors, queries: Vectors
) -> None:
    part = part_of(vectors, distance)
    allowed = np.random.default_rng(1).random(N) < share
    own = np.flatnonzero(allowed)
    for query in queries:
        expected, distances = oracle.exact(query, vectors[own], distance, K)
        for call, arguments in (
            (part.segment.exact, (query, K)),
            (part.segment.scan, (query, K, Rescoring(N))),  # all of them rescored
        ):
            rows, given, scored = found(call, *arguments, part.among(allowed), None)
            assert rows == own[expected].tolist()
            np.testing.assert_allclose(given, distances, rtol=1e-4, atol=1e-4)
            assert scored == len(own)


def test_a_walk_with_room_for_all_rows_finds_the_closest(graphed: Part, queries: Vectors) -> None:
    allowed = np.random.default_rng(4).random(N) < 0.5
    own = np.flatnonzero(allowed)
    for query in queries:
        expected, _ = oracle.exact(query, graphed.vectors[own], Distance.EUCLID, K)
        for two_hops in (False, True):
            how = Walk(len(own), two_hops), Rescoring(200), graphed.among(allowed), None, -np.inf
            rows, _, _ = found(graphed.segment.walk, query, K, *how)
            assert set(rows) <= set(own.tolist())
            if not two_hops:
                assert rows == own[expected].tolist()
            elif rows:  # it may give up: rows without an allowed neighbour of a neighbour
                assert len(set(rows) & set(own[expected].tolist())) >= K - 1


def test_dead_rows_are_not_found(graphed: Part, queries: Vectors) -> None:
    rng = np.random.default_rng(8)
    allowed, alive = rng.random(N) < 0.6, rng.random(N) < 0.5
    among, both = graphed.among(allowed, words_of(alive)), allowed & alive
    segment, more = graphed.segment, (Rescoring(30), among, None)
    for query in queries:
        for call, arguments in (
            (segment.exact, (among, None)),
            (segment.scan, more),
            (segment.walk, (Walk(100), *more, -np.inf)),
            (segment.walk, (Walk(100, True), *more, -np.inf)),
        ):
            rows, _, _ = found(call, query, K, *arguments)
            assert len(rows) == K and both[rows].all()


def test_walks_give_up_where_a_scan_is_due(graphed: Part, queries: Vectors) -> None:
    few = np.zeros(N, dtype=bool)
    few[::100] = True
    half = np.random.default_rng(6).random(N) < 0.5
    query = queries[0]
    far = np.linalg.norm(graphed.vectors - query, axis=1)
    far_half = far > np.median(far)
    cases = [
        (few, Walk(100, True)),  # fewer than ef
        (half, Walk(100, most_scored=50)),  # too many rows scored
        (half, Walk(100, frontier=20)),  # too small a frontier
        (far_half, Walk(100, True, least_share=0.45)),  # none around
    ]
    for allowed, walk in cases:
        how = walk, Rescoring(30), graphed.among(allowed), None, -np.inf
        assert found(graphed.segment.walk, query, K, *how)[0] == []


@pytest.mark.parametrize("distance", METRICS)
def test_scores_of_rows_are_distances(
    distance: Distance, vectors: Vectors, queries: Vectors
) -> None:
    coded = distance is not Distance.MANHATTAN
    part = part_of(vectors, distance) if coded else None
    plain = _native.Segment(N, 50, METRICS[distance], None, None, 0.0, None, vectors)
    rows = np.random.default_rng(2).permutation(N)[:333].astype(np.uint32)
    expected = oracle.distances(queries, vectors[rows], distance)
    out = np.empty((len(queries), len(rows)), dtype=np.float32)
    plain.score(queries, rows, False, out)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)
    if part is None:
        return
    part.segment.score(queries, rows, True, out)
    codes = part.encoder.encode(vectors[rows])
    for i, query in enumerate(queries):
        estimates = part.encoder.estimate(query, codes)
        if distance is Distance.EUCLID:
            estimates = np.sqrt(np.maximum(estimates, 0))
        np.testing.assert_array_equal(out[i], estimates)


def test_scores_are_refused_for_rows_that_are_not_there(vectors: Vectors, queries: Vectors) -> None:
    segment = _native.Segment(N, 50, "l2", None, None, 0.0, None, vectors)
    rows, out = np.array([N], dtype=np.uint32), np.empty((len(queries), 1), dtype=np.float32)
    with pytest.raises(ValueError, match="outside"):
        segment.score(queries, rows, False, out)
    with pytest.raises(ValueError, match="no such rows"):
        segment.score(queries, rows * 0, True, out)
    with pytest.raises(ValueError, match="shape"):
        segment.score(queries, rows * 0, False, out[:1])
