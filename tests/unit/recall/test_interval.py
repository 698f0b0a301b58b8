"""Intervals of mean recall hold what they are to hold, near 1 and for hits that hang together."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.recall.interval import interval_of


def test_nothing_missed_leaves_room_below() -> None:
    low, high = interval_of([1.0] * 100)
    assert 0.95 < low < 0.97 and high == 1.0  # each query counts as one trial
    assert interval_of([1.0] * 1_000).low > 0.99


def test_one_query_tells_little() -> None:
    low, high = interval_of([0.9])
    assert low < 0.4 and high > 0.95


def test_bounds_are_around_the_mean_and_within_0_and_1() -> None:
    for each in ([0.0] * 5, [0.0, 1.0], [0.3, 0.3, 0.3], [1.0, 1.0, 0.9]):
        low, high = interval_of(each)
        assert 0 <= low <= np.mean(each) + 1e-12 and np.mean(each) - 1e-12 <= high <= 1


def test_hits_that_hang_together_widen_it() -> None:
    apart = [0.9] * 50 + [0.7] * 50
    together = [1.0] * 80 + [0.0] * 20  # the same mean
    widths = [high - low for low, high in map(interval_of, (apart, together))]
    assert widths[1] > 3 * widths[0]


@pytest.mark.parametrize("found", [0.995, 0.98, 0.8])
def test_true_means_lie_inside_as_often_as_said(found: float) -> None:
    rng = np.random.default_rng(5)
    # Queries differ: the share of each is drawn before its ten hits are.
    shares = rng.beta(20 * found, 20 * (1 - found), (400, 300))
    recalls = rng.binomial(10, shares) / 10
    inside = [low <= found <= high for low, high in map(interval_of, recalls)]
    assert np.mean(inside) >= 0.92
