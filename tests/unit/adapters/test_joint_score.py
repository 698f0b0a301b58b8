"""Two scores of the same rows made one."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.joint_score import fuse


def test_the_ends_are_one_list_or_the_other(rng: np.random.Generator) -> None:
    bridged, own = (rng.normal(size=50).astype(np.float32) for _ in range(2))
    assert np.array_equal(np.argsort(fuse(bridged, own, 0.0)), np.argsort(bridged))
    assert np.array_equal(np.argsort(fuse(bridged, own, 1.0)), np.argsort(own))
    np.testing.assert_allclose(fuse(bridged, own, 0.0), bridged, atol=1e-5)


def test_scores_stay_on_the_scale_of_the_bridged_ones(rng: np.random.Generator) -> None:
    bridged = rng.normal(0.4, 0.05, 80).astype(np.float32)
    fused = fuse(bridged, rng.normal(9, 3, 80).astype(np.float32), 0.4)
    assert fused.mean() == pytest.approx(0.4, abs=0.01)
    assert fused.std() == pytest.approx(bridged.std(), rel=0.01)


def test_two_views_with_errors_of_their_own_rank_better_together(
    rng: np.random.Generator,
) -> None:
    truth = rng.normal(size=400)
    bridged, own = (truth + rng.normal(0, 1, 400) for _ in range(2))
    fused = fuse(bridged.astype(np.float32), own.astype(np.float32), 0.5)
    alone = max(np.corrcoef(one, truth)[0, 1] for one in (bridged, own))
    assert np.corrcoef(fused, truth)[0, 1] > alone + 0.05


def test_outstanding_in_one_stands_above_fair_in_both() -> None:
    bridged = np.array([3.0, 1.6, 0.0, 0.0, -1.0, -1.5, -2.0], dtype=np.float32)
    own = np.array([0.0, 1.6, 3.0, 0.0, -1.0, -1.5, -2.0], dtype=np.float32)
    fused = fuse(bridged, own, 0.5)
    assert fused[0] == pytest.approx(fused[2], abs=1e-5)
    assert fused[0] > fused[1] > fused[3]
    assert bridged[0] + own[0] < bridged[1] + own[1]  # which a sum would have the other way


@pytest.mark.parametrize("n", [0, 1, 3])
def test_lists_without_spread_are_no_error(n: int) -> None:
    scores = np.full(n, 0.5, dtype=np.float32)
    np.testing.assert_allclose(fuse(scores, scores * 2, 0.4), scores)
