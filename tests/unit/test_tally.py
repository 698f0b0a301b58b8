"""Counts by upper bounds agree with counting each bound anew."""

from __future__ import annotations

import random

import pytest

from palimpsest.index import BUILD_BOUNDS, COMMIT_BOUNDS, Tally


@pytest.mark.parametrize("bounds", [COMMIT_BOUNDS, BUILD_BOUNDS])
def test_buckets_count_what_is_at_most_their_bound(bounds: tuple[float, ...]) -> None:
    drawn = random.Random(7)
    values = [*bounds, 0.0, *(drawn.expovariate(1 / bounds[4]) for _ in range(500)), 1e9]
    tally = Tally(bounds)
    for value in values:
        tally.add(value)
    expected = [(str(bound), sum(value <= bound for value in values)) for bound in bounds]
    assert tally.buckets() == [*expected, ("+Inf", len(values))]
    assert tally.count == len(values)
    assert tally.total == pytest.approx(sum(values))


@pytest.mark.parametrize("n", [0, 1, 700])
def test_many_at_once_are_counted_as_one_by_one(n: int) -> None:
    drawn = random.Random(n)
    values = [*COMMIT_BOUNDS, *(drawn.expovariate(20) for _ in range(n))][:n]
    one, all_at_once = Tally(COMMIT_BOUNDS), Tally(COMMIT_BOUNDS)
    for tally in (one, all_at_once):
        tally.add(0.02)
    for value in values:
        one.add(value)
    all_at_once.add_all(values)
    assert all_at_once.counts == one.counts
    assert all_at_once.total == pytest.approx(one.total)


def test_nothing_added_is_nothing_counted() -> None:
    tally = Tally((1.0, 2.0))
    assert tally.buckets() == [("1.0", 0), ("2.0", 0), ("+Inf", 0)]
    assert (tally.count, tally.total) == (0, 0.0)
