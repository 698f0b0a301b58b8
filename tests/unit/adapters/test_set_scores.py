"""Exact scores of sets per token, against MaxSim one pair at a time."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import Distance
from palimpsest.index.adapters.fit_kinds import FitOptions, fit
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.scoring import bridged_scores, native_scores
from palimpsest.index.adapters.set_scores import (
    ASKED,
    NO_SETS,
    SetScores,
    asked_by,
    mapped_set,
    per_token,
    set_scores,
)
from tests.unit.kinds.multi.twin import distance_of, unit


@pytest.mark.parametrize("distance", list(Distance))
def test_scores_are_maxsim_of_one_token(distance: Distance) -> None:
    rng = np.random.default_rng(2)
    sets = [rng.standard_normal((t, 6)).astype(np.float32) for t in (1, 3, 7)]
    if distance is Distance.COSINE:
        sets = [unit(one).astype(np.float32) for one in sets]
    found = set_scores(sets, sets, distance)
    for row, query in enumerate(sets):
        scale = per_token(distance, len(query))
        plain = [-distance_of(query, one, distance) / scale for one in sets]
        assert found[row] == pytest.approx(plain, abs=1e-4)
    # the same query twice over is as close, token for token
    twice = [np.concatenate([one, one]) for one in sets]
    assert set_scores(twice, sets, distance) == pytest.approx(found, abs=1e-4)


def test_of_no_points_there_are_no_scores() -> None:
    assert set_scores([], [], Distance.COSINE).shape == (0, 0)
    assert set_scores([np.ones((2, 3), np.float32)], [], Distance.COSINE).shape == (1, 0)


def test_a_point_asks_by_vectors_from_all_of_its_set() -> None:
    long = np.arange(1_000, dtype=np.float32)[:, None]
    asked = asked_by(long)
    assert len(asked) == ASKED and asked[0] == 0 and asked[-1] == 999
    assert (np.diff(asked[:, 0]) > 0).all()
    assert asked_by(long[:5]) is not None and len(asked_by(long[:5])) == 5


def test_what_is_not_known_of_sets_is_told_by_vectors() -> None:
    rng = np.random.default_rng(3)
    pairs = Pairs(*(rng.standard_normal((40, 4)).astype(np.float32) for _ in range(2)))
    cosine = Distance.COSINE
    adapter = fit("procrustes", pairs, cosine, cosine, FitOptions())
    assert np.array_equal(
        NO_SETS.by_new(pairs.queries, pairs.queries, cosine),
        native_scores(pairs.queries, pairs.queries, cosine),
    )
    assert np.array_equal(
        NO_SETS.over(adapter, pairs.queries, pairs.rows, cosine),
        bridged_scores(adapter, pairs.queries, pairs.rows, cosine),
    )
    known = np.eye(3, dtype=np.float32)
    told = SetScores(known, 2 * known, lambda _: 3 * known)
    copy = told.by_new(pairs.queries, pairs.queries, cosine)
    copy.fill(9)  # what is measured on is kept
    assert np.array_equal(told.by_new(pairs.queries, pairs.queries, cosine), known)
    assert np.array_equal(told.by_old(pairs.rows, pairs.rows, cosine), 2 * known)
    assert np.array_equal(told.over(adapter, pairs.queries, pairs.rows, cosine), 3 * known)
    assert mapped_set(adapter, pairs.queries[:3]).shape == (3, 4)
