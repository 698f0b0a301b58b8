"""Adapters, reports and merges with little to go by: zeros, ties, few pairs, no spread."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import numpy as np
import pytest

from palimpsest.index.adapters.comparable import (
    FEWEST,
    Listed,
    Merge,
    choose_merge,
    comparable,
    placed,
    unmeasured,
)
from palimpsest.index.adapters.kinds import (
    KINDS,
    Adapter,
    FitOptions,
    Kind,
    Pairs,
    adapter_from_json,
    check_kind,
    fit,
    make_pairs,
)
from palimpsest.index.adapters.priorities import residuals
from palimpsest.index.adapters.report import report
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.types import Distance, Vectors

COSINE, DOT, EUCLID = Distance.COSINE, Distance.DOT, Distance.EUCLID
OPTIONS = FitOptions(units=32)


def pairs_of(distances: tuple[Distance, Distance], sizes: tuple[int, int], n: int = 300) -> Pairs:
    generator = np.random.default_rng(4)
    rows = generator.standard_normal((n, sizes[0]))
    turn = generator.standard_normal(sizes)
    return make_pairs(
        rows, rows @ turn + 0.3 * generator.standard_normal((n, sizes[1])), *distances
    )


def fitted(kind: Kind, distances: tuple[Distance, Distance], sizes: tuple[int, int]) -> Adapter:
    pairs = pairs_of(distances, sizes)
    matrix = np.random.default_rng(5).standard_normal(sizes[::-1]).astype(np.float32)
    options = FitOptions(units=32, matrix=matrix) if kind == "matrix" else OPTIONS
    return fit(kind, pairs.take(slice(200)), *distances, options)


SPACES = [
    ((COSINE, COSINE), (12, 12)),
    ((COSINE, COSINE), (16, 12)),
    ((COSINE, DOT), (12, 16)),
    ((DOT, COSINE), (16, 12)),
    ((DOT, DOT), (12, 16)),
    ((EUCLID, COSINE), (12, 16)),
    ((EUCLID, EUCLID), (12, 12)),
]


def serves(kind: Kind, distances: tuple[Distance, Distance], sizes: tuple[int, int]) -> bool:
    try:
        check_kind(kind, pairs_of(distances, sizes), *distances)
    except InvalidConfig:
        return False
    return True


SERVED = [(kind, space) for kind, space in product(KINDS, SPACES) if serves(kind, *space)]


@pytest.mark.parametrize(("kind", "space"), SERVED)
def test_factors_are_positive_and_finite_whatever_the_row(kind: Kind, space: Any) -> None:
    (distances, sizes) = space
    adapter = fitted(kind, distances, sizes)
    rows = pairs_of(distances, sizes).rows[:8].copy()
    rows[0] = 0.0
    rows[1] = 0.0
    rows[1, -1] = 1.0  # nothing in the dimensions that a prefix keeps
    rows[2] *= 1e-20 if distances[0] is DOT else 1.0
    rows[3] *= 1e18 if distances[0] is DOT else 1.0
    for factors in (adapter.row_factors(rows), adapter.rescoring_factors(rows)):
        assert factors.dtype == np.float32 and factors.shape == (8,)
        assert np.isfinite(factors).all() and (factors > 0).all()
    left_out = residuals(adapter, rows)
    assert np.isfinite(left_out).all() and (left_out > 0).all() and (left_out <= 1).all()


@pytest.mark.parametrize(("kind", "space"), SERVED)
def test_a_stored_adapter_answers_bit_for_bit(kind: Kind, space: Any) -> None:
    (distances, sizes) = space
    adapter = fitted(kind, distances, sizes)
    stored = json.loads(json.dumps(adapter.to_json(), allow_nan=False))
    back = adapter_from_json(stored, {name: one.copy() for name, one in adapter.arrays().items()})
    pairs = pairs_of(distances, sizes)
    query, rows = pairs.queries[0], pairs.rows[:50]
    assert back.kind == adapter.kind
    assert np.array_equal(back.map_query(query).vector, adapter.map_query(query).vector)
    assert back.map_query(query).shift == adapter.map_query(query).shift
    assert np.array_equal(back.row_factors(rows), adapter.row_factors(rows))
    assert np.array_equal(back.map_rows(rows), adapter.map_rows(rows))
    assert np.array_equal(back.rescore(query, rows), adapter.rescore(query, rows))


@pytest.mark.parametrize(("kind", "space"), SERVED)
def test_reports_and_merges_are_json_without_nan(kind: Kind, space: Any) -> None:
    (distances, sizes) = space
    adapter = fitted(kind, distances, sizes)
    held = pairs_of(distances, sizes).take(slice(200, None))
    for n in (0, 1, 7, 8, FEWEST, 100):
        some = held.take(slice(n))
        merge = unmeasured(adapter, *distances)
        if n >= FEWEST:
            merge, table = choose_merge(some, adapter, *distances)
            json.dumps(table, allow_nan=False)
        found = report(
            adapter,
            some,
            rows_distance=distances[0],
            queries_distance=distances[1],
            points=50_000,
            merge=merge,
        )
        json.dumps(found, allow_nan=False)
        json.dumps(merge.to_json(), allow_nan=False)


@pytest.mark.parametrize("copies", [(1, 1), (1, 100), (50, 2)])
def test_held_out_duplicates_leave_numbers_finite(copies: tuple[int, int]) -> None:
    distances = COSINE, COSINE
    pairs = pairs_of(distances, (12, 12))
    adapter = fit("ridge", pairs.take(slice(200)), *distances)
    several, times = copies
    held = pairs.take(np.repeat(np.arange(200, 200 + several), max(times, 16 // several)))
    merge, table = choose_merge(held, adapter, *distances)
    found = report(adapter, held, rows_distance=COSINE, queries_distance=COSINE, merge=merge)
    json.dumps([table, found], allow_nan=False)


def without_meaning(queries_size: int, rows_size: int) -> Vectors:
    """A map that all queries without a last dimension leave at zero."""
    matrix = np.zeros((queries_size, rows_size), dtype=np.float32)
    matrix[-1, 0] = 1.0
    return matrix


def test_scores_that_tell_nothing_apart_find_what_chance_does() -> None:
    pairs = pairs_of((COSINE, COSINE), (12, 12))
    held = Pairs(pairs.rows, np.hstack([pairs.queries, np.zeros((300, 1), dtype=np.float32)]))
    adapter = fit("matrix", held, COSINE, COSINE, FitOptions(matrix=without_meaning(13, 12)))
    found = report(adapter, held, rows_distance=COSINE, queries_distance=COSINE, points=10_000)
    assert found["bridged"] == pytest.approx(10 / 299, rel=0.2)
    assert found["expected"]["arr"] < 0.05
    assert found["verdict"] != "bridge"


def test_a_row_that_an_estimate_knows_nothing_of_is_worth_embedding() -> None:
    pairs = pairs_of((DOT, COSINE), (12, 12))
    centred = pairs.queries - pairs.queries.mean(axis=0)
    adapter = fit("ridge", Pairs(pairs.rows - pairs.rows.mean(axis=0), centred), DOT, COSINE)
    nothing, known = np.zeros((1, 12), dtype=np.float32), pairs.rows[:1] * np.float32(10.0)
    assert residuals(adapter, nothing)[0] > 0.9 > residuals(adapter, known)[0]


def test_rows_orthogonal_to_all_anchors_score_nothing() -> None:
    eye = np.eye(16, dtype=np.float32)
    anchors = Pairs(eye[:4], eye[:4])
    adapter = fit("relative", anchors, COSINE, COSINE, FitOptions(anchors=anchors))
    mapped = adapter.map_query(eye[0])
    scores = (eye @ mapped.vector + mapped.shift) * adapter.row_factors(eye)
    assert scores[:4].tolist() == pytest.approx([1.0, 0.0, 0.0, 0.0], abs=1e-5)
    assert np.abs(scores[4:]).max() < 1e-6


@pytest.mark.parametrize("shrinkage", [0.0, -1.0, 1e-300, 1e-9, 1e9, float("inf"), float("nan")])
def test_a_shrinkage_that_leaves_only_noise_or_nothing_is_refused(shrinkage: float) -> None:
    pairs = pairs_of((COSINE, COSINE), (12, 12))
    with pytest.raises(InvalidConfig, match="shrinkage: expected 1e-08 to 1e"):
        fit("ridge", pairs, COSINE, COSINE, FitOptions(shrinkage=shrinkage))


@pytest.mark.parametrize("shrinkage", [None, 1e-8, 1e6])
def test_ridge_on_a_rank_deficient_covariance_is_finite(shrinkage: float | None) -> None:
    generator = np.random.default_rng(6)
    rows = generator.standard_normal((200, 13)) @ generator.standard_normal((13, 24))
    pairs = make_pairs(rows, generator.standard_normal((200, 24)), COSINE, COSINE)
    adapter = fit("ridge", pairs, COSINE, COSINE, FitOptions(shrinkage=shrinkage))
    outside = make_pairs(generator.standard_normal((9, 24)), np.ones((9, 24)), COSINE, COSINE).rows
    assert np.isfinite(adapter.map_rows(outside)).all()
    assert np.isfinite(adapter.row_factors(outside)).all()


def test_scores_of_unlike_distances_merge_by_rank_unless_measured() -> None:
    like = fitted("procrustes", (COSINE, COSINE), (12, 12))
    assert unmeasured(like, COSINE, COSINE).method == "raw"
    unlike = fitted("procrustes", (EUCLID, COSINE), (12, 16))
    assert unmeasured(unlike, EUCLID, COSINE).method == "rank"
    estimating = fitted("ridge", (DOT, COSINE), (16, 12))
    assert unmeasured(estimating, DOT, COSINE).method == "raw"


@pytest.mark.parametrize("method", ["raw", "matched", "rank"])
@pytest.mark.parametrize("lengths", [(0, 0), (0, 1), (1, 0), (1, 1), (64, 1), (1, 64)])
def test_lists_of_any_length_merge_in_their_own_order(method: Any, lengths: Any) -> None:
    generator = np.random.default_rng(7)
    native, bridged = (-np.sort(-generator.random(length)).astype(np.float32) for length in lengths)
    merge = unmeasured(fitted("ridge", (COSINE, COSINE), (12, 12)), COSINE, COSINE)
    listed = Listed(bridged, type(merge)(method), max(1, lengths[1]))
    own, (other,) = comparable(native, lengths[0], [listed])
    for before, after in ((native, own), (bridged, other)):
        assert after.shape == before.shape and np.isfinite(after).all()
        assert (np.diff(after) <= 0).all()


def test_equal_scores_keep_their_order_in_every_merge() -> None:
    same = np.full(20, 0.5, dtype=np.float32)
    pairs = pairs_of((COSINE, COSINE), (12, 12))
    adapter = fit("ridge", pairs.take(slice(200)), COSINE, COSINE)
    merge, _ = choose_merge(pairs.take(slice(200, None)), adapter, COSINE, COSINE)
    own, (other,) = comparable(same, 20, [Listed(same, merge, 20)])
    assert len(set(own.tolist())) in (1, 20) and len(set(other.tolist())) in (1, 20)
    assert (np.diff(other) <= 0).all()


def test_rows_known_by_rank_only_stand_among_those_scored_again() -> None:
    ranked = np.linspace(0.8, 0.2, 6, dtype=np.float32)
    scored = np.array([False, True, False, True, False, True])
    scores = np.where(scored, [0, 0.7, 0, 0.9, 0, 0.1], ranked).astype(np.float32)
    found = placed(ranked, scored, scores)
    assert found[scored].tolist() == scores[scored].tolist()
    first, between, later = found[~scored].tolist()
    assert first == pytest.approx(0.9)  # at the best rank, so like the best of the scored
    assert 0.9 > between > 0.7 > later > 0.1
    for flags in (np.zeros(6, dtype=bool), np.ones(6, dtype=bool)):
        assert placed(ranked, flags, scores).tolist() == scores.tolist()


def test_a_merge_of_no_known_method_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of .*'matched'.* got 'affine'"):
        Merge.from_json({"method": "affine", "calibration": None})
