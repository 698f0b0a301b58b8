"""Scans of codes against their plain twin: every metric, size of codes and level of kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import _native, _native_test
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.graph import build
from palimpsest.index.segments.searcher import Hits, Rescoring, Scaling, Searcher, Walk
from palimpsest.index.types import Distance, Vectors
from tests.native.sweep_twin import Coded, Swept, by_number, by_words, swept
from tests.native.test_among import spread, words_of
from tests.unit.segments.bad import cut

N, SIZE, K = 900, 40, 10
CASES = [
    *product((1, 2, 4, 8), (Distance.DOT, Distance.EUCLID), (None,)),
    *product((1, 2, 4, 8), (Distance.DOT,), (0.0, 1.3)),
]
# How many candidates are rescored, whether each is, and how many results are to be sure.
DEPTHS = [
    Rescoring(K, False, K),
    Rescoring(3, False, K),
    Rescoring(40, True, K),
    Rescoring(40, False, 3),
    Rescoring(40, False, 0),
    Rescoring(N, False, K),
]
ROOT = Path(__file__).parents[2]


def rows_of(rng: np.random.Generator) -> Vectors:
    """Some far apart, some closer than codes tell, some equal."""
    loose = rng.standard_normal((N // 3, SIZE))
    tight = loose[:3].repeat(N // 9, axis=0) + 0.02 * rng.standard_normal((N // 3, SIZE))
    rows = np.concatenate([loose, tight, loose[rng.integers(30, size=N // 3)]])
    return rng.permutation(rows).astype(np.float32)


def check(bits: int, distance: Distance, shift: float | None, count: int = 2) -> int:
    """Compare all scans of one encoding with the twin; return how many went over all codes."""
    rng = np.random.default_rng(bits)
    vectors = rows_of(rng)
    encoder = Encoder.fit(vectors, distance, bits, 6)
    coded = Coded(vectors, encoder, encoder.encode(vectors))
    searcher = Searcher(distance, SIZE, vectors, encoder=encoder, codes=coded.codes)
    queries = rng.standard_normal((count, SIZE)).astype(np.float32)
    queries[::2] = vectors[:count:2] + 0.01 * queries[::2]
    scaling = None
    if shift is not None:  # equal rows have equal factors
        scaling = Scaling((2 ** np.cos(9 * vectors[:, 0])).astype(np.float32), shift)
    some = rng.random(N) < 0.5
    holes = np.ones(N, dtype=bool)
    holes[rng.integers(N, size=5)] = False
    few = np.arange(N) < 3 * K
    numbers = np.arange(N, dtype=np.uint32)
    scanned = 0
    for query, depth in product(queries, DEPTHS):
        twin = swept(coded, query, K, depth, np.ones(N, bool), scaling, by_words)
        agree(searcher.scan(query, K, depth, searcher.first(N), scaling), twin)
        scanned += twin.scanned
        for allowed in (some, holes, few):
            twin = swept(coded, query, K, depth, allowed, scaling, by_words)
            first = searcher.first(N, words_of(allowed))
            agree(searcher.scan(query, K, depth, first, scaling), twin)
            among = _native.Among(N, numbers, spread(BitMap(numbers[allowed])), None, None, 0)
            twin = swept(coded, query, K, depth, allowed, scaling, by_number)
            agree(searcher.scan(query, K, depth, among, scaling), twin)
    return scanned


def agree(hits: Hits, twin: Swept) -> None:
    ties = np.diff(twin.distances) < 1e-5  # copies, whose order a sum of products does not tell
    if not ties.any():
        assert hits.rows.tolist() == twin.rows
    np.testing.assert_allclose(hits.distances, twin.distances, rtol=1e-4, atol=2e-4)
    assert hits.scored == twin.scored
    assert (hits.rescored, hits.extended, hits.scanned) == (
        twin.rescored,
        twin.extended,
        twin.scanned,
    )


@pytest.mark.parametrize(("bits", "distance", "shift"), CASES)
def test_scans_are_those_of_the_twin(bits: int, distance: Distance, shift: float | None) -> None:
    assert check(bits, distance, shift, count=10) > 0


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize(("bits", "distance", "shift"), CASES)
def test_walks_of_which_all_is_open_end_in_a_scan(
    bits: int, distance: Distance, shift: float | None, keeps: bool
) -> None:
    """Of codes that say nothing all rows are read; of a graph without links, codes are scanned."""
    rng = np.random.default_rng(bits)
    vectors = rows_of(rng)
    config = VectorConfig(SIZE, distance)
    graph = build(vectors, distance, config, seed=2, threads=1, cancelled=lambda: False)
    assert graph is not None and graph.has_copies
    vectors = np.ascontiguousarray(vectors[graph.order])
    encoder = Encoder.fit(vectors, distance, bits, 6)
    coded = Coded(vectors, encoder, encoder.encode(vectors))
    if keeps:
        encoder.error_scale = 1e6
    else:
        graph = cut(graph, lambda one, other: one < 0)
    kept = vectors if keeps else None
    searcher = Searcher(distance, SIZE, kept, encoder=encoder, codes=coded.codes, graph=graph)
    scaling = None
    if shift is not None:
        scaling = Scaling((2 ** np.cos(9 * vectors[:, 0])).astype(np.float32), shift)
    few, scanned = rng.random(N) < 0.3, 0
    for query in rng.standard_normal((6, SIZE)).astype(np.float32):
        every = coded.true(query) if keeps else encoder.estimate(query, coded.codes)
        if scaling is not None:
            every = (every - np.float32(scaling.shift)) * scaling.factors
        for allowed in (None, few):
            among = searcher.first(N, None if allowed is None else words_of(allowed))
            hits = searcher.walk(query, K, Walk(20), Rescoring(K, sure=K), among, scaling)
            scanned += hits.scanned
            if not (keeps or hits.scanned):
                continue  # no row that was looked at beside the walk is closer
            best = np.sort(every if allowed is None else every[allowed])[:K]
            if distance is Distance.EUCLID:
                best = np.sqrt(np.maximum(best, 0))
            assert (hits.extended, hits.scanned) == (1, 1)
            assert allowed is None or allowed[hits.rows].all()
            assert len(set(hits.rows.tolist())) == K
            np.testing.assert_allclose(hits.distances, best, rtol=1e-4, atol=2e-4)
    assert scanned >= (12 if keeps else 4)


def others() -> list[str]:
    return [level for level in _native_test.levels() if level != _native.simd_level()]


@pytest.mark.parametrize("level", others())
def test_every_level_scans_alike(level: str) -> None:
    program = (
        "from tests.native.test_sweep import CASES, check\n"
        "for bits, distance, shift in CASES:\n"
        "    check(bits, distance, shift)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PALIMPSEST_SIMD": level},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
