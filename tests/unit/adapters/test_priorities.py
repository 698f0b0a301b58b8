"""Which points are embedded next: order, random share, and what the residual is worth."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.kinds import Pairs, fit
from palimpsest.index.adapters.priorities import Next, next_points, priorities, residuals, shuffled
from palimpsest.index.types import Distance, Numbers
from palimpsest.index.versions.backfilling import Pace
from tests.oracle import normalise

LEFT = np.arange(1_000, 3_000, 2, dtype=np.uint32)


def ones(numbers: Numbers) -> np.ndarray:  # type: ignore[type-arg]
    return np.ones(len(numbers), dtype=np.float32)


def hits_of(*pairs: tuple[int, float]) -> np.ndarray:  # type: ignore[type-arg]
    hits = np.zeros(len(LEFT), dtype=np.float32)
    for number, demand in pairs:
        hits[(number - 1_000) // 2] = demand
    return hits


def chosen(found: Next, *, random: bool) -> list[int]:
    return found.numbers[found.random == random].tolist()


def test_the_most_wanted_come_first() -> None:
    hits = hits_of((1_000, 1.0), (2_000, 9.0), (1_500, 4.0))
    found = next_points(LEFT, hits, ones, limit=3, random_share=0.0)
    assert found.numbers.tolist() == [2_000, 1_500, 1_000]
    assert found.demand.tolist() == [9.0, 4.0, 1.0]
    assert not found.random.any()


def test_priority_is_demand_times_residual() -> None:
    hits = hits_of((1_000, 3.0), (2_000, 2.0))

    def residuals_of(numbers: Numbers) -> np.ndarray:  # type: ignore[type-arg]
        return np.where(numbers == 2_000, 0.9, 0.3).astype(np.float32)

    found = next_points(LEFT, hits, residuals_of, limit=2, random_share=0.0)
    assert found.numbers.tolist() == [2_000, 1_000]
    assert found.residual.tolist() == pytest.approx([0.9, 0.3])
    assert priorities(found.demand, found.residual) == pytest.approx(
        [np.log(3) * 0.9, np.log(4) * 0.3]
    )


def test_a_share_is_drawn_at_random_in_between() -> None:
    hits = hits_of(*((number, 5.0) for number in range(1_000, 1_400, 2)))
    found = next_points(LEFT, hits, ones, limit=100, random_share=0.2)
    assert len(set(found.numbers.tolist())) == 100
    assert found.random.sum() == 20
    assert found.random[:50].sum() == 10
    assert set(chosen(found, random=False)) < set(range(1_000, 1_400, 2))
    beyond = [number for number in chosen(found, random=True) if number >= 1_400]
    assert len(beyond) > 5  # drawn from all that are left


def test_without_demand_all_are_drawn() -> None:
    found = next_points(LEFT, hits_of((1_000, 1.0)), ones, limit=50)
    assert chosen(found, random=False) == [1_000]
    assert found.random.sum() == 49
    everything = next_points(LEFT, hits_of(), ones, limit=5_000)
    assert sorted(everything.numbers.tolist()) == LEFT.tolist()


def test_the_random_order_ignores_demand_and_leaves_the_rest_as_it_was() -> None:
    hits = hits_of(*((number, 5.0) for number in range(1_000, 2_000, 2)))
    first = next_points(LEFT, hits, ones, limit=60, order="random")
    assert first.random.all()
    assert np.array_equal(first.numbers, next_points(LEFT, 0 * hits, ones, limit=60).numbers)
    assert 10 < (first.numbers < 2_000).sum() < 50
    kept = ~np.isin(LEFT, first.numbers[:20])
    later = next_points(LEFT[kept], hits[kept], ones, limit=40, order="random")
    assert later.numbers.tolist() == first.numbers[20:].tolist()


def test_nothing_left_and_a_limit_of_one() -> None:
    assert len(next_points(LEFT[:0], hits_of()[:0], ones, limit=10).numbers) == 0
    found = next_points(LEFT, hits_of((1_200, 1.0)), ones, limit=1)
    assert found.numbers.tolist() == [1_200]


def test_shuffled_numbers_are_all_different_and_without_order() -> None:
    numbers = np.arange(100_000, dtype=np.uint32)
    mixed = shuffled(numbers)
    assert len(np.unique(mixed)) == len(numbers)
    assert abs(np.corrcoef(numbers, mixed)[0, 1]) < 0.02
    assert np.bincount(mixed % 4, minlength=4) == pytest.approx(25_000, rel=0.03)


def test_residuals_tell_rows_that_a_ridge_knows_from_those_it_does_not() -> None:
    generator = np.random.default_rng(0)
    new = normalise(generator.standard_normal((3_000, 16)).astype(np.float32))
    known = generator.random((3_000, 1)) < 0.5  # the old model understood every second point
    noise = generator.standard_normal((3_000, 16)).astype(np.float32)
    old = normalise(np.hstack([new * known, noise * ~known]))
    adapter = fit("ridge", Pairs(old, new).take(slice(2_000)), Distance.COSINE, Distance.COSINE)
    estimated = residuals(adapter, old[2_000:])
    there = known[2_000:, 0]
    assert estimated[there].mean() < 0.7 * estimated[~there].mean()
    assert estimated.min() >= 0.1 and estimated.max() <= 1.0
    turn = fit("procrustes", Pairs(old, new), Distance.COSINE, Distance.COSINE)
    assert (residuals(turn, old) == 1.0).all()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def paced(*samples: tuple[float, int]) -> tuple[Pace, Clock]:
    """Return a pace that was told of counts, each some seconds after the one before."""
    clock = Clock()
    pace = Pace(clock)
    for after, covered in samples:
        clock.now += after
        pace.sample(7, covered)
    return pace, clock


def test_a_rate_is_that_of_the_last_batches() -> None:
    pace, clock = paced((0, 0), *[(2, 100 * i) for i in range(1, 16)])
    assert pace.rate(7) == pytest.approx(50)
    assert pace.rate(8) == 0.0
    clock.now += 50  # the next batch is being embedded
    assert pace.rate(7) == pytest.approx(50)
    clock.now += 50  # the work has stopped
    assert pace.rate(7) == pytest.approx(1_500 / 130)
    clock.now += 600
    assert pace.rate(7) == 0.0


def test_batches_within_a_second_have_a_rate() -> None:
    pace, _ = paced((0, 100), *[(0.01, 100 + 10 * i) for i in range(1, 15)])
    assert pace.rate(7) == pytest.approx(1_000)


def test_one_batch_has_a_rate_since_it_was_asked_for() -> None:
    pace, clock = paced((0, 100), (10, 100), (10, 300))
    assert pace.rate(7) == pytest.approx(10)
    clock.now += 10
    pace.sample(7, 250)  # some were deleted
    assert pace.rate(7) == pytest.approx(150 / 30)
    assert paced((0, 300), (5, 100))[0].rate(7) == 0.0


def test_slow_batches_have_a_rate_too() -> None:
    pace, _ = paced((0, 0), (900, 90), (900, 180))
    assert pace.rate(7) == pytest.approx(0.1)
