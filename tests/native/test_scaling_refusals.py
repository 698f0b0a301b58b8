"""Scalings that do not fit the rows or the distance are refused before native code reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from palimpsest.index import _native
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.searcher import Hits, Rescoring, Scaling, Searcher, Walk
from palimpsest.index.types import Distance, Vectors
from tests.native.test_segment import graph_of

K = 10
N = 150
SIZE = 50


@pytest.fixture
def vectors(rng: np.random.Generator) -> Vectors:
    return rng.standard_normal((N, SIZE)).astype(np.float32)


def test_scalings_that_do_not_fit_are_refused(vectors: Vectors) -> None:
    encoder, graph = Encoder.fit(vectors, Distance.DOT, 4, 6), graph_of(vectors)
    search = Searcher(
        Distance.DOT, SIZE, vectors, encoder=encoder, codes=encoder.encode(vectors), graph=graph
    )
    numbers, words = np.arange(N, dtype=np.uint32), np.zeros(1, dtype=np.uint64)
    among = _native.Among(N, numbers, words, None, None, 0)
    query, every = vectors[0], search.first(N)
    ones = np.ones(N, dtype=np.float32)
    few = Scaling(ones[:-1].copy(), 0.0)
    calls: list[Callable[[Any], Hits]] = [
        lambda scaling: search.walk(query, K, Walk(50), Rescoring(0), every, scaling),
        lambda scaling: search.scan(query, K, Rescoring(0), every, scaling),
        lambda scaling: search.exact(query, K, every, scaling),
        lambda scaling: search.walk(
            query, K, Walk(50, True, N, N, 0), Rescoring(0), among, scaling
        ),
        lambda scaling: search.scan(query, K, Rescoring(0), among, scaling),
        lambda scaling: search.exact(query, K, among, scaling),
    ]
    for call in calls:
        call(Scaling(np.ones(N + 1, dtype=np.float32), 0.5))  # more than the rows are welcome
        with pytest.raises(ValueError, match="fewer than the rows"):
            call(few)


def test_factors_are_one_contiguous_row_and_shifts_finite() -> None:
    ones = np.ones(N, dtype=np.float32)
    for factors in (ones.astype(np.float64), np.ones(2 * N, dtype=np.float32)[::2], ones[:, None]):
        with pytest.raises(ValueError, match="contiguous row of float32"):
            Scaling(factors, 0.0)
    for shift in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="shift must be finite"):
            Scaling(ones, shift)


@pytest.mark.parametrize("distance", [Distance.EUCLID, Distance.MANHATTAN])
def test_only_inner_products_are_scaled(distance: Distance, vectors: Vectors) -> None:
    searcher = Searcher(distance, SIZE, vectors)
    scaling = Scaling(np.ones(N, dtype=np.float32), 0.0)
    with pytest.raises(ValueError, match="only inner products"):
        searcher.exact(vectors[0], K, searcher.first(N), scaling)
