"""Adapters that only map queries: matrices there and back, prefixes of both lengths."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.map_queries import MatrixAdapter, PrefixAdapter
from palimpsest.index.types import Distance

COSINE, DOT, EUCLID = Distance.COSINE, Distance.DOT, Distance.EUCLID


def prefix(rows_size: int, queries_size: int, distance: Distance = COSINE) -> PrefixAdapter:
    return PrefixAdapter("prefix", distance, distance, rows_size, queries_size)


def test_a_longer_query_is_cut_and_a_shorter_one_filled_up() -> None:
    cut = prefix(2, 4).map_query(np.array([3, 4, 5, 6], dtype=np.float32)).vector
    assert cut.tolist() == pytest.approx([0.6, 0.8])
    filled = prefix(4, 2).map_query(np.array([0.6, 0.8], dtype=np.float32)).vector
    assert filled.tolist() == pytest.approx([0.6, 0.8, 0, 0])
    same = prefix(2, 4, DOT).map_query(np.array([3, 4, 5, 6], dtype=np.float32)).vector
    assert same.tolist() == [3, 4]


def test_the_query_that_came_is_not_changed() -> None:
    query = np.array([3, 4, 0], dtype=np.float32)
    prefix(2, 3).map_query(query)
    prefix(3, 3).map_query(query)
    assert query.tolist() == [3, 4, 0]


def test_only_prefixes_of_longer_rows_are_scaled_under_cosine() -> None:
    rows = np.array([[3, 4, 12], [0, 0, 1]], dtype=np.float32)
    assert [prefix(3, 2).scales_rows, prefix(2, 3).scales_rows, prefix(3, 3).scales_rows] == [
        True, False, False,
    ]  # fmt: skip
    assert not prefix(3, 2, EUCLID).scales_rows
    factors = prefix(3, 2).row_factors(rows)
    assert factors[0] == pytest.approx(0.2) and 0 < factors[1] < 1e-20
    assert prefix(3, 2, EUCLID).row_factors(rows).tolist() == [1, 1]
    assert prefix(3, 2).map_rows(rows).tolist() == [pytest.approx([0.6, 0.8]), [0, 0]]
    assert prefix(3, 4, DOT).map_rows(rows).tolist() == [[3, 4, 12, 0], [0, 0, 1, 0]]


def matrix(rows_distance: Distance, queries_distance: Distance) -> MatrixAdapter:
    ahead = np.array([[0, 1], [1, 0], [0, 0]], dtype=np.float32)
    return MatrixAdapter(
        "matrix",
        rows_distance,
        queries_distance,
        ahead,
        np.array([1, 0], dtype=np.float32),
        np.ascontiguousarray(ahead.T),
        np.array([0, 0, 2], dtype=np.float32),
    )


def test_a_matrix_maps_with_its_offset_and_rows_back_with_theirs() -> None:
    query = np.array([4, 2, 9], dtype=np.float32)
    assert matrix(DOT, DOT).map_query(query).vector.tolist() == [3, 4]
    assert matrix(COSINE, DOT).map_query(query).vector.tolist() == pytest.approx([0.6, 0.8])
    rows = np.array([[1, 5], [0, 0]], dtype=np.float32)
    assert matrix(DOT, EUCLID).map_rows(rows).tolist() == [[5, 1, 2], [0, 0, 2]]
    lengths = np.linalg.norm(matrix(DOT, COSINE).map_rows(rows), axis=1)
    assert lengths.tolist() == pytest.approx([1, 1])
    assert matrix(COSINE, COSINE).row_factors(rows).tolist() == [1, 1]


def test_a_query_that_maps_to_nothing_stays_nothing() -> None:
    mapped = prefix(2, 4).map_query(np.array([0, 0, 1, 0], dtype=np.float32)).vector
    assert mapped.tolist() == [0, 0]


def test_they_come_back_from_json_and_arrays() -> None:
    for adapter in (matrix(COSINE, EUCLID), prefix(5, 2, DOT)):
        back = type(adapter).from_json(adapter.to_json(), adapter.arrays())
        query = np.arange(adapter.queries_size, dtype=np.float32)
        np.testing.assert_array_equal(back.map_query(query).vector, adapter.map_query(query).vector)
        assert back.to_json() == adapter.to_json()
