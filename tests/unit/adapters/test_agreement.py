"""Agreement of neighbours by labels."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.agreement import Labels, agreement, chance


def labels(*groups: str) -> list[Labels]:
    return [frozenset(group) for group in groups]


def test_neighbours_agree_that_share_a_label() -> None:
    found = np.array([[1, 2, 3], [2, 4, -1], [-1, -1, -1]])
    own = labels("a", "bc", "a")
    of = dict(enumerate(labels("", "a", "b", "ac")))  # 4 is not there
    assert agreement(found, own, of).tolist() == pytest.approx([2 / 3, 1 / 2, 0.0])


def test_points_without_labels_agree_with_none() -> None:
    assert agreement(np.array([[0]]), labels(""), dict(enumerate(labels("")))).tolist() == [0.0]


def test_chance_is_the_share_of_pairs_that_agree(rng: np.random.Generator) -> None:
    drawn = rng.integers(0, 5, 60)
    own = labels(*(chr(97 + one) for one in drawn))
    pairs = [(i, j) for i in range(60) for j in range(60) if i != j]
    assert chance(own) == pytest.approx(np.mean([drawn[i] == drawn[j] for i, j in pairs]))
    assert chance(labels("a")) == 0.0 == chance([])
    assert chance(labels("ab", "ab")) == 1.0
