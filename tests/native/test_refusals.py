"""Arrays that do not fit together are refused at the boundary, before native code reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index import _native
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.searcher import Rescoring, Walk
from palimpsest.index.types import Distance, Vectors
from tests.native.test_segment import FirstRows, K, graph_of, segment_of


@pytest.fixture
def vectors(rng: np.random.Generator) -> Vectors:
    return rng.standard_normal((150, 50)).astype(np.float32)


def test_what_does_not_fit_is_refused(vectors: Vectors) -> None:
    n, size = vectors.shape
    encoder = Encoder.fit(vectors, Distance.DOT, 4, 6)
    codes = encoder.encode(vectors)
    other = Encoder.fit(vectors, Distance.EUCLID, 4, 6)
    ip = "inner_product"
    refused: list[tuple[tuple[Any, ...], str]] = [
        ((n, size, ip, None, None, 0.0, None, None), "neither codes nor kept rows"),
        ((n, size, ip, encoder.native, None, 0.0, None, None), "codes do not fit"),
        ((n + 1, size, ip, encoder.native, codes, 0.0, None, None), "codes do not fit"),
        ((n, size, ip, encoder.native, codes[:, :-1].copy(), 0.0, None, None), "codes do not fit"),
        ((n, size, ip, other.native, codes, 0.0, None, None), "another space"),
        ((n + 1, size, ip, None, None, 0.0, None, vectors), "kept rows"),
        ((n, size + 1, ip, None, None, 0.0, None, vectors), "kept rows"),
        ((n, size, ip, None, None, 0.0, None, vectors.astype(np.float64)), "kept rows must be"),
        ((n, size, ip, None, None, 0.0, graph_of(vectors[:9]).native, vectors), "another number"),
        ((n, size, "hamming", None, None, 0.0, None, vectors), "metric must be"),
    ]
    for arguments, says in refused:
        with pytest.raises(ValueError, match=says):
            _native.Segment(*arguments)


def test_calls_that_do_not_fit_are_refused(vectors: Vectors) -> None:
    n = len(vectors)
    segment = segment_of(vectors, Distance.DOT)
    rows, distances, none = np.empty(K, np.uint32), np.empty(K, np.float32), Rescoring(0)
    query, every = vectors[0], FirstRows(n)
    refused: list[tuple[Any, tuple[Any, ...], str]] = [
        (segment.walk, (query, K, Walk(50), none, every, None, 0.0, rows, distances), "no graph"),
        (segment.scan, (query, K, none, every, None, rows, distances), "no codes"),
        (segment.exact, (query[:-1].copy(), K, every, None, rows, distances), "query"),
        (segment.exact, (query, K, FirstRows(n + 1), None, rows, distances), "more rows"),
        (segment.exact, (query, 0, every, None, rows, distances), "shorter than k"),
        (segment.exact, (query, K + 1, every, None, rows, distances), "shorter than k"),
        (FirstRows, (n, np.zeros(n // 64, np.uint64)), "live is shorter"),
        (Walk, (50, False, 10, 0), "frontier must be"),
    ]
    for call, arguments, says in refused:
        with pytest.raises(ValueError, match=says):
            call(*arguments)


def test_results_are_written_into_the_array_that_is_given_or_it_is_refused(
    vectors: Vectors,
) -> None:
    """One of another type would be copied first, and what is written lost with the copy."""
    segment = segment_of(vectors, Distance.DOT)
    query, every, distances = vectors[0], FirstRows(len(vectors)), np.empty(K, np.float32)
    with pytest.raises(TypeError):
        segment.exact(query, K, every, None, np.empty(K, np.int64), distances)
    with pytest.raises(TypeError):
        segment.exact(query, K, every, None, np.empty(2 * K, np.uint32)[::2], distances)
    with pytest.raises(TypeError):
        _native.parse_floats_into(b"[1,2]", np.empty(2, np.float64))
