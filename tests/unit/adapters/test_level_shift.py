"""How far a bridged list is moved, against levels read from whole populations."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index.adapters.level_shift import PULL, shift

LISTED = 64


def top(population: NDArray[np.float32], count: int = LISTED) -> NDArray[np.float32]:
    return -np.sort(-population)[:count]


def plain_shift(
    native: NDArray[np.float32], native_live: int, bridged: NDArray[np.float32], bridged_live: int
) -> float:
    """The same with numpy: interpolated at shares of the points, evenly spaced by their logs."""
    first = max(0.5 / native_live, 0.5 / bridged_live)
    ends = [(len(native) - 0.5) / native_live, (len(bridged) - 0.5) / bridged_live]
    last = min(*ends, max(40 / (native_live + bridged_live), 2 * first))
    if last <= first:
        return 0.0
    levels = np.geomspace(first, last, 4)
    middles = [np.arange(len(each)) + 0.5 for each in (native, bridged)]
    own = np.interp(levels * native_live, middles[0], native)
    other = np.interp(levels * bridged_live, middles[1], bridged)
    return PULL * float(np.mean(own - other))


@pytest.mark.parametrize("share", [0.002, 0.01, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("counts", [(64, 64), (10, 64), (1, 64), (64, 1), (1, 1), (2, 3)])
def test_it_is_the_plain_one(
    rng: np.random.Generator, share: float, counts: tuple[int, int]
) -> None:
    scores = rng.normal(size=20_000).astype(np.float32)
    cut = round(share * len(scores))
    native, bridged = top(scores[:cut], counts[0]), top(scores[cut:] - 0.3, counts[1])
    expected = plain_shift(native, cut, bridged, len(scores) - cut)
    found = shift(native, cut, bridged, len(scores) - cut)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_part_of_a_gap_is_closed_whatever_share_is_native(share: float) -> None:
    """Of one population cut by chance, the bridged part scored lower: its own gap is found."""
    found = []
    for seed in range(200):
        scores = np.random.default_rng(seed).normal(size=4_000).astype(np.float32)
        cut = round(share * len(scores))
        lists = top(scores[:cut]), cut, top(scores[cut:] - 0.5), len(scores) - cut
        found.append(shift(*lists))
    assert np.mean(found) == pytest.approx(PULL * 0.5, abs=0.025)


def test_the_better_part_stays_the_better_one() -> None:
    """Where the points embedded anew are just not those asked for, nothing overtakes."""
    native = np.linspace(0.3, 0.1, LISTED, dtype=np.float32)
    bridged = np.linspace(0.9, 0.6, LISTED, dtype=np.float32)
    moved = bridged + shift(native, 1_000, bridged, 1_000)
    assert moved[0] < bridged[0]
    assert moved[10] > native[0]


@pytest.mark.parametrize(
    ("native", "native_live", "bridged", "bridged_live"),
    [(0, 0, 5, 10), (5, 10, 0, 0), (0, 7, 5, 10), (5, 0, 5, 10), (3, 3, 2, 100_000)],
)
def test_lists_without_a_common_level_stay(
    native: int, native_live: int, bridged: int, bridged_live: int
) -> None:
    lists = np.ones(native, np.float32), np.zeros(bridged, np.float32)
    assert shift(lists[0], native_live, lists[1], bridged_live) == 0.0
