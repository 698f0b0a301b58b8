"""Rankings are fused as plain sums say."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.errors import InvalidInput
from palimpsest.index.query.fusion import fuse, reciprocal, scaled
from palimpsest.index.query.request import Fusion
from palimpsest.index.query.scored import Scored


def ranking(*pairs: tuple[int, float]) -> Scored:
    numbers, scores = zip(*pairs, strict=True)
    return Scored(np.array(numbers, dtype=np.uint32), np.array(scores, dtype=np.float64))


def test_reciprocal_ranks() -> None:
    assert reciprocal(3, 2, 1.0).tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 4])
    assert reciprocal(2, 60, 2.0).tolist() == pytest.approx([1 / 59.5, 1 / 60])
    assert reciprocal(2, 2, 0.0).tolist() == [0, 0]
    assert reciprocal(0, 2, 1.0).tolist() == []


def test_scores_scaled_by_their_distribution() -> None:
    assert scaled(np.array([7.0])).tolist() == [0.5]
    assert scaled(np.array([3.0, 3.0])).tolist() == [0.5, 0.5]
    assert scaled(np.array([1.0, 2.0, 3.0])).tolist() == pytest.approx([1 / 3, 1 / 2, 2 / 3])


def test_fused_points_keep_the_order_they_were_named_in_where_scores_tie() -> None:
    rankings = [ranking((9, 5.0), (4, 3.0)), ranking((2, 8.0), (9, 1.0)), ranking((4, 2.0))]
    found = fuse(Fusion(), rankings)
    assert found.numbers.tolist() == [9, 4, 2]
    assert found.scores.tolist() == pytest.approx([1 / 2 + 1 / 3, 1 / 3 + 1 / 2, 1 / 2])
    assert fuse(Fusion("dbsf"), [ranking((3, 1.0)), ranking((1, 9.0))]).numbers.tolist() == [3, 1]
    with pytest.raises(InvalidInput, match="expected 3, got 2"):
        fuse(Fusion(weights=(1.0, 2.0)), rankings)


def test_weights_of_any_size_in_a_fusion() -> None:
    assert reciprocal(2, 1, 1e308).tolist() == [np.inf, np.inf]
    assert reciprocal(2, 2, 1e-320).tolist() == [0, 0]
