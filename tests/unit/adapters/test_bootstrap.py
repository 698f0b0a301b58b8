"""The bootstrap: coverage, pairing, and what is undefined."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.bootstrap import estimate, queries_needed, resample


def test_the_first_draw_is_the_sample() -> None:
    measured = np.random.default_rng(0).random((40, 3))
    drawn = resample(measured, 1, draws=50)
    assert drawn.shape == (51, 3)
    assert drawn[0] == pytest.approx(measured.mean(axis=0))
    assert np.array_equal(drawn, resample(measured, 1, draws=50))


def test_intervals_cover_the_true_mean_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(2)
    covered = 0
    for seed in range(200):
        value, low, high = estimate(resample(generator.random((60, 1)), seed)[:, 0])
        assert value is not None and low is not None and high is not None
        assert low < value < high
        covered += low <= 0.5 <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_measures_of_a_query_are_drawn_together() -> None:
    one = np.random.default_rng(3).random(100)
    drawn = resample(np.stack([one, one + 0.1], axis=1), 0)
    _, low, high = estimate(drawn[:, 1] - drawn[:, 0])
    assert low == pytest.approx(0.1) and high == pytest.approx(0.1)


def test_undefined_statistics_have_no_interval() -> None:
    assert estimate(np.array([np.nan, 1.0, 2.0])).interval is None
    assert estimate(np.array([1.0, np.nan, np.nan])).interval is None
    assert estimate(np.array([1.0, np.nan, 1.0, 1.0])).interval == [1.0, 1.0]


def test_measures_that_a_query_lacks_are_left_out() -> None:
    some = np.random.default_rng(4).random((50, 2))
    some[:40, 1] = np.nan
    drawn = resample(some, 0)
    assert drawn[0] == pytest.approx([some[:, 0].mean(), some[40:, 1].mean()])
    few, alone = estimate(drawn[:, 1]), estimate(resample(some[40:, 1:], 0)[:, 0])
    assert few.low is not None and few.high is not None and alone.low is not None
    assert few.low == pytest.approx(alone.low, abs=0.1)
    assert np.isnan(resample(np.full((5, 1), np.nan), 0)).all()


def test_as_many_queries_as_are_said_to_decide_do() -> None:
    generator = np.random.default_rng(5)
    few = generator.normal(0.0, 1.0, (50, 1))
    few += 0.2 - few.mean()
    needed = queries_needed(estimate(resample(few, 0)[:, 0]), 50)
    assert needed is not None and needed > 50
    many = np.tile(few, (needed // 50 + 1, 1))  # the same sample over and over
    low = estimate(resample(many, 0)[:, 0]).low
    assert low == pytest.approx(0.0, abs=0.05)
    assert queries_needed(estimate(np.zeros(10)), 50) is None
    assert queries_needed(estimate(np.full(10, np.nan)), 50) is None
