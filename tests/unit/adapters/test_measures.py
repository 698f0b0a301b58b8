"""Measures of answers against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from palimpsest.index.adapters.measures import (
    average_compatibility,
    average_measure,
    gain_captured,
    known_item,
    kolmogorov_smirnov,
    ndcg,
    overlap,
    retained,
)

FOUND = np.array([[1, 2, 3], [4, 5, -1]])


def test_overlap_counts_what_of_the_truth_was_found() -> None:
    truth = np.array([[3, 1, 9], [7, 8, 9]])
    assert overlap(FOUND, truth).tolist() == [2 / 3, 0.0]


def test_missing_places_are_neither_wanted_nor_found() -> None:
    truth = np.array([[3, -1, -1], [4, 8, -1]])
    assert overlap(FOUND, truth).tolist() == [1.0, 0.5]
    assert overlap(FOUND, np.full((2, 3), -1)).tolist() == [1.0, 1.0]


def test_known_item_looks_at_the_first_k_only() -> None:
    assert known_item(FOUND, [[3], [4, 99]], 2).tolist() == [0.0, 1.0]
    assert known_item(FOUND, [[3], [6]], 3).tolist() == [1.0, 0.0]


def test_ndcg_against_a_worked_example() -> None:
    gains = [{2: 3.0, 9: 1.0}, {}]
    ideal = 3.0 + 1.0 / math.log2(3)
    expected = (3.0 / math.log2(3)) / ideal
    assert ndcg(FOUND, gains, 3) == pytest.approx([expected, 0.0])


def test_ndcg_of_the_ideal_order_is_one_and_of_another_is_less() -> None:
    gains = [{1: 4.0, 2: 2.0, 3: 1.0}] * 2
    found = np.array([[1, 2, 3], [3, 2, 1]])
    best, other = ndcg(found, gains, 3)
    assert best == pytest.approx(1.0)
    assert other < 0.85


def test_retained_and_captured() -> None:
    old, bridged, new = (np.array([value]) for value in (0.3, 0.4, 0.5))
    assert retained(bridged, new) == pytest.approx([0.8])
    assert gain_captured(old, bridged, new) == pytest.approx([0.5])
    assert gain_captured(bridged, old, new) == pytest.approx([-1.0])


def test_what_cannot_be_gained_is_undefined() -> None:
    assert np.isnan(gain_captured(np.array([0.5]), np.array([0.6]), np.array([0.5]))).all()
    assert np.isnan(retained(np.array([0.5]), np.array([0.0]))).all()


def test_compatibility_of_three_versions() -> None:
    matrix = np.array([[0.3, np.nan, np.nan], [0.4, 0.5, np.nan], [0.2, 0.6, 0.7]])
    assert average_compatibility(matrix) == pytest.approx(2 / 3)  # the third loses on the first
    assert average_measure(matrix) == pytest.approx((0.3 + 0.4 + 0.5 + 0.2 + 0.6 + 0.7) / 6)
    matrix[1, 0] = np.nan
    assert math.isnan(average_compatibility(matrix))


def test_kolmogorov_smirnov_against_a_plain_loop() -> None:
    generator = np.random.default_rng(1)
    one = generator.normal(size=50).astype(np.float32)
    other = generator.normal(0.5, size=80).astype(np.float32)
    plain = max(abs(float(np.mean(one <= x)) - float(np.mean(other <= x))) for x in [*one, *other])
    assert kolmogorov_smirnov(one, other) == pytest.approx(plain)
    assert kolmogorov_smirnov(one, one) == 0.0
    assert kolmogorov_smirnov(one, one + 100) == 1.0
