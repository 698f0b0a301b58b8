"""Shares found among few rows, followed to many: harder with more rows, never above all."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.growth import CASCADE, follow, grown, measured
from palimpsest.index.adapters.trial import Cell, TrialAnswers, TrialShares

CELLS = [Cell(1_000, 10, 10), Cell(500, 10, 10), Cell(250, 10, 10)]


def odds(share: float) -> float:
    return float(np.log(share / (1 - share)))


def test_log_odds_fall_in_a_line_over_the_logarithm_of_rows() -> None:
    line = np.array([[0.5, 0.6, 0.7]])
    (found,) = follow(CELLS, line, Cell(2_000, 10, 10))
    slope = np.polyfit(np.log([1_000, 500, 250]), [odds(one) for one in line[0]], 1)
    assert odds(found) == pytest.approx(float(np.polyval(slope, np.log(2_000))), abs=1e-9)


def test_the_cell_of_the_trial_itself_is_what_was_measured() -> None:
    shares = np.array([[0.123456789, 0.5, 0.5], [1.0, 1.0, 1.0]])
    np.testing.assert_array_equal(follow(CELLS, shares, CELLS[0]), shares[:, 0])


def test_where_more_rows_seem_easier_their_number_is_left_out() -> None:
    noise = np.array([[0.7, 0.6, 0.5]])
    far, farther = (follow(CELLS, noise, Cell(n, 10, 10))[0] for n in (10**6, 10**9))
    assert far == pytest.approx(farther) and 0.5 < far < 0.7


def test_nothing_and_everything_found_stay_within_their_bounds() -> None:
    for share in (0.0, 1.0):
        found = follow(CELLS, np.full((1, 3), share), Cell(2**53 + 1, 10, 10))
        assert np.isfinite(found).all() and 0 < found[0] < 1
        assert abs(found[0] - share) < 0.01


def answers(queries: int) -> TrialAnswers:
    deep = [cell._replace(depth=80) for cell in CELLS]
    old = TrialShares([*CELLS, *deep], np.full((queries, 6), 0.5))
    bridged = TrialShares([*CELLS, *deep], np.full((queries, 6), 0.75))
    return TrialAnswers(old, bridged, TrialShares(CELLS, np.full((queries, 3), 0.8)))


def test_no_fewer_rows_than_were_held_out_and_cascades_that_see_all_find_all() -> None:
    few = grown(answers(40), 3, seed=1)
    assert few.rows == 1_000
    np.testing.assert_allclose(few.old, 0.5)
    np.testing.assert_allclose(few.both, 0.8)
    small = TrialAnswers(*(TrialShares([Cell(50, 5, 5)], np.full((9, 1), 0.5)) for _ in range(3)))
    tiny = grown(small, CASCADE // 2, seed=1)
    assert (tiny.cascade == 1).all() and (tiny.cascade_from_old == 1).all()


def test_the_samples_own_mean_comes_first() -> None:
    found = answers(30)
    found.old.found[:, 0] = np.arange(30) / 30
    means = measured(found, seed=0)
    assert means.shape[0] == 3
    assert means[0, 0] == pytest.approx(float((np.arange(30) / 30).mean()))
    assert means[0].std() > 0 and means[1].std() == pytest.approx(0, abs=1e-9)
