"""What a probe decides of what generators were found to need."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.kinds.multi.probe import (
    K,
    MultiProbed,
    MultiSample,
    closest_of,
    decide,
    queries_of,
    ranks_of,
)

QUERIES = 40


def ranks(within: int, share: float = 1.0) -> list[NDArray[np.int64]]:
    """Return ranks just below a depth, of a share of the closest sets; the others lie far off."""
    found = round(share * QUERIES * K)
    flat = np.where(np.arange(QUERIES * K) < found, within - 1, 10**6)
    return [*np.random.default_rng(0).permutation(flat).reshape(QUERIES, K).astype(np.int64)]


def decided(recent: int = 0, **found: list[NDArray[np.int64]]) -> MultiProbed:
    sample = MultiSample([np.ones((1, 2), np.float32)] * QUERIES, np.zeros(QUERIES), recent)  # type: ignore[arg-type]
    return decide(found, sample)


def test_the_cheaper_generator_is_taken_where_it_finds_as_much() -> None:
    assert decided(mean=ranks(100), fde=ranks(100))[1:4] == ("planned", "mean", 100)
    assert decided(mean=ranks(200), fde=ranks(150))[1:4] == ("planned", "mean", 200)
    assert decided(mean=ranks(200), fde=ranks(100))[1:4] == ("planned", "fde", 100)
    assert decided(mean=ranks(50), fde=ranks(300))[1:4] == ("planned", "mean", 50)


def test_more_candidates_than_planned_are_told() -> None:
    assert decided(mean=ranks(800), fde=ranks(400))[1:4] == ("ef", "fde", 400)
    short = decided(mean=ranks(10**5), fde=ranks(200, 0.9))
    assert short[1:4] == ("short", "fde", 1_600)
    assert abs(short.recall.mean - 0.9) < 1e-9 and short.found["mean"] == 0


def test_what_is_nearly_enough_is_enough_at_the_depth_that_is_planned() -> None:
    assert decided(mean=ranks(10**5), fde=ranks(100, 0.984))[1:4] == ("planned", "fde", 200)
    assert decided(mean=ranks(10**5), fde=ranks(100, 0.96)).decision == "short"


def test_users_queries_do_not_hide_behind_made_ones() -> None:
    mixed = [*ranks(50)[:35], *ranks(400)[:5]]
    assert decided(fde=mixed, recent=5).depth == 400


def test_what_was_found_is_stated() -> None:
    one = decided(mean=ranks(200), fde=ranks(150))
    assert MultiProbed.from_json(json.loads(json.dumps(one.to_json()))) == one
    assert MultiProbed.from_json(None) is None


def test_ranks_count_the_sets_before_but_not_the_querys_own() -> None:
    exact = np.arange(40, dtype=np.float32)[::-1].copy()
    closest = closest_of(exact, 38)
    assert closest.tolist() == [39, 37, 36, 35, 34, 33, 32, 31, 30, 29]
    assert ranks_of(exact, closest, 38).tolist() == [*range(K)]
    assert closest_of(exact, -1)[1] == 38
    same = np.zeros(40, dtype=np.float32)
    assert (ranks_of(same, closest, -1) == 39).all()  # no better than chance: not found at once


def test_queries_are_vectors_of_their_sets() -> None:
    sets = [np.random.default_rng(n).standard_normal((n, 3)).astype(np.float32) for n in (1, 60)]
    one, many = queries_of(sets, 0)
    np.testing.assert_array_equal(one, sets[0])
    assert len(many) == 16 and all((row == sets[1]).all(axis=1).any() for row in many)
