"""Relative representations: scores are cosines of the cosines to anchors."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.relative import RelativeAdapter
from palimpsest.index.types import Distance, Vectors


def drawn(rng: np.random.Generator, *shape: int) -> Vectors:
    return rng.standard_normal(shape).astype(np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize("anchors", [1, 4, 40])
def test_scores_are_cosines_of_what_anchors_say(anchors: int, rng: np.random.Generator) -> None:
    pairs = Pairs(drawn(rng, anchors, 6), drawn(rng, anchors, 9))
    adapter = RelativeAdapter.of_anchors(pairs, Distance.COSINE)
    rows, query = drawn(rng, 30, 6), drawn(rng, 9)
    rows[1] = 5 * rows[0]
    of_rows = unit(unit(rows.astype(np.float64)) @ unit(pairs.rows.astype(np.float64)).T)
    of_query = unit(unit(query.astype(np.float64)) @ unit(pairs.queries.astype(np.float64)).T)
    scores = adapter.rescore(query, rows)
    np.testing.assert_allclose(scores, of_rows @ of_query, atol=2e-5)
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_rows_that_no_anchor_says_anything_of_score_next_to_nothing() -> None:
    anchor = np.array([[1, 0, 0]], dtype=np.float32)
    adapter = RelativeAdapter.of_anchors(Pairs(anchor, anchor), Distance.COSINE)
    rows = np.array([[0, 1, 0], [0, 0, 0], [2, 1, 0]], dtype=np.float32)
    scores = adapter.rescore(np.array([1, 1, 0], dtype=np.float32), rows)
    np.testing.assert_allclose(scores, [0, 0, 1], atol=1e-6)
    nothing = adapter.map_query(np.array([0, 0, 1], dtype=np.float32)).vector
    assert np.isfinite(nothing).all()


@pytest.mark.parametrize("distance", [Distance.COSINE, Distance.DOT])
def test_mapped_rows_rank_as_the_scores_do(distance: Distance, rng: np.random.Generator) -> None:
    pairs = Pairs(drawn(rng, 12, 5), drawn(rng, 12, 5))
    adapter = RelativeAdapter.of_anchors(pairs, distance)
    rows, query = drawn(rng, 40, 5), drawn(rng, 5)
    mapped = adapter.map_rows(rows)
    if distance is Distance.COSINE:
        np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), 1, rtol=1e-5)
    else:
        order = np.argsort(-adapter.rescore(query, rows))
        np.testing.assert_array_equal(np.argsort(-(mapped @ query)), order)


def test_it_comes_back_from_json_and_arrays(rng: np.random.Generator) -> None:
    adapter = RelativeAdapter.of_anchors(Pairs(drawn(rng, 8, 3), drawn(rng, 8, 4)), Distance.DOT)
    back = RelativeAdapter.from_json(adapter.to_json(), adapter.arrays())
    rows, query = drawn(rng, 6, 3), drawn(rng, 4)
    np.testing.assert_array_equal(back.rescore(query, rows), adapter.rescore(query, rows))
    assert (back.queries_distance, back.rows_size, back.queries_size) == (Distance.DOT, 3, 4)
