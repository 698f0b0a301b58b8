"""Measures of judged lists, whole and in parts, against the plain ones query by query."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.gains import Gains, Judged, measure_of
from palimpsest.index.adapters.lists import in_part, is_in
from palimpsest.index.adapters.measures import known_item, ndcg

POINTS, ASKED, LISTED = 200, 40, 60


def lists(rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    found = np.stack([rng.permutation(POINTS)[:LISTED] for _ in range(ASKED)]).astype(np.int64)
    found[::5, 50:] = -1  # some lists are shorter
    return found


def gains(rng: np.random.Generator, most: int) -> list[Gains]:
    """Return gains of some points, none for every seventh query."""
    return [
        {}
        if query % 7 == 0
        else {int(one): float(rng.integers(1, 5)) for one in rng.choice(POINTS, most, False)}
        for query in range(ASKED)
    ]


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("part", [(1, 0), (2, 1), (4, 3)])
@pytest.mark.parametrize("most", [1, 12])
def test_every_measure_is_that_of_plain_lists(
    rng: np.random.Generator, k: int, part: tuple[int, int], most: int
) -> None:
    found, judged = lists(rng), gains(rng, most)
    measure = measure_of(judged)
    assert measure == ("known_item" if most == 1 else "ndcg")
    inside: list[Gains] = [
        {one: gain for one, gain in each.items() if is_in(np.array([one]), *part)[0]}
        for each in judged
    ]
    there = in_part(found, *part, k)
    if measure == "known_item":
        plain = known_item(there, [list(each) for each in inside], k)
    else:
        plain = ndcg(there, inside, k)
    known = np.array([bool(each) for each in inside])
    one = Judged(judged, measure, 10)
    worth = one.worth(one.placed(there), k, part)
    assert np.isnan(worth[~known]).all()
    assert worth[known] == pytest.approx(plain[known])
    kept = is_in(found, *part) & (found >= 0)  # the same without cutting the lists
    again = one.worth(one.placed(found).among(kept), k, part)
    np.testing.assert_array_equal(again, worth)
