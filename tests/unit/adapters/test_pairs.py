"""Pairs as they come: what no map can be learned from is refused, and says what to give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index.adapters.pairs import MIN_PAIRS, check_pairs, make_pairs, needed_pairs
from palimpsest.index.errors import InvalidPairs
from palimpsest.index.types import Distance

COSINE, DOT = Distance.COSINE, Distance.DOT


def test_vectors_are_normalised_where_cosines_compare_them() -> None:
    pairs = make_pairs([[3, 4]], [[3, 4, 0]], COSINE, DOT)
    assert pairs.rows.tolist() == [pytest.approx([0.6, 0.8])]
    assert pairs.queries.tolist() == [[3, 4, 0]]
    assert pairs.rows.dtype == pairs.queries.dtype == np.float32
    huge = make_pairs([[3e30, 4e30]], [[3e-12, 4e-12]], COSINE, COSINE)
    assert huge.rows.tolist() == [pytest.approx([0.6, 0.8])]
    assert huge.queries.tolist() == [pytest.approx([0.6, 0.8])]


def test_pairs_without_a_direction_are_left_out_under_cosine_alone() -> None:
    rows, queries = [[0, 0], [1, 0], [0, 1]], [[1, 1], [0, 0], [0, 2]]
    assert make_pairs(rows, queries, COSINE, COSINE).queries.tolist() == [[0, 1]]
    assert make_pairs(rows, queries, COSINE, DOT).queries.tolist() == [[0, 0], [0, 2]]
    assert len(make_pairs(rows, queries, DOT, DOT).rows) == 3
    assert len(make_pairs([[1e-20, 0]], [[1, 0]], COSINE, DOT).rows) == 0


@pytest.mark.parametrize(
    ("rows", "queries", "said"),
    [
        ([[1, 2], [3]], [[1], [2]], "rows of the pairs: expected arrays of numbers"),
        ([["a"]], [[1]], "rows of the pairs: expected arrays of numbers"),
        ([1, 2], [[1], [2]], "an array of shape (2,)"),
        ([[]], [[1]], "an array of shape (1, 0)"),
        ([[1]], [[1], [2]], "1 rows and 2 queries"),
        ([[1]], [[float("nan")]], "queries of the pairs: expected finite numbers"),
        ([[1], [float("inf")]], [[1], [2]], "in 1 of 2 (the first is number 1)"),
    ],
)
def test_what_is_no_list_of_pairs_is_refused(rows: Any, queries: Any, said: str) -> None:
    with pytest.raises(InvalidPairs) as refused:
        make_pairs(rows, queries, COSINE, COSINE)
    assert said in str(refused.value)


def test_how_many_are_needed() -> None:
    assert needed_pairs(8, 4) == MIN_PAIRS
    assert needed_pairs(384, 1_024) == 192


def test_pairs_that_determine_no_map_are_refused(rng: np.random.Generator) -> None:
    rows = rng.standard_normal((100, 40))
    check_pairs(make_pairs(rows, rows, DOT, DOT))
    for few, said in (
        (rows[:19], "at least 20"),
        (np.repeat(rows[:1], 100, axis=0), "100 times the same one"),
        (rows[:, :3] @ rng.standard_normal((3, 40)), "span only 3 of 40"),
    ):
        with pytest.raises(InvalidPairs, match=said):
            check_pairs(make_pairs(few, few, DOT, DOT))


def test_a_slice_and_places_take_the_same_from_both_sides() -> None:
    pairs = make_pairs([[1], [2], [3]], [[4], [5], [6]], DOT, DOT)
    assert pairs.take(slice(1, None)).queries.tolist() == [[5], [6]]
    chosen = pairs.take(np.array([2, 2, 0]))
    assert (chosen.rows.tolist(), chosen.queries.tolist()) == ([[3], [3], [1]], [[6], [6], [4]])
