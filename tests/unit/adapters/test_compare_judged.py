"""What judged queries tell of two versions: levels, what each way gains, and what is not known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from palimpsest.index.adapters.compare_judged import Served, Shared, judgement, outcome
from palimpsest.index.adapters.gains import Gains
from palimpsest.index.adapters.measures import Places

QUERIES = 24
KNOWN: list[Gains] = [{7: 1.0}] * QUERIES


def asked(one: list[int]) -> Places:
    return np.tile(np.array(one), (QUERIES, 1))


def served(gains: list[Gains] = KNOWN) -> Served:
    """Return lists of which the old misses point 7 and all others have it first."""
    found = asked([7, 1, 2, 3])
    return Served(asked([1, 2, 3, 4]), found, found, found, gains, points=50)


def shared() -> Shared:
    return Shared(asked([1, 2, 3, 7]), asked([3, 7, 1, 2]), asked([7, 1, 2, 3]), KNOWN, points=50)


def test_the_known_item_is_found_or_not() -> None:
    found = judgement(served(), shared(), None, k=2, collection=50)
    assert (found["measure"], found["k"], found["queries"]) == ("known_item", 2, QUERIES)
    assert (found["old_old"], found["bridged"], found["mixed"]["value"]) == (0.0, 1.0, 1.0)
    assert (found["shared"]["old_old"], found["shared"]["new_new"]) == (0.0, 1.0)
    assert found["over_old"]["bridge"]["value"] == 1.0
    assert found["over_old"]["bridge"]["queries"] == QUERIES
    assert found["over_old"]["cascade_from_old"]["value"] == 1.0
    assert found["bridging_pays"] is not None
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_queries_that_nobody_judged_do_not_count() -> None:
    some: list[Gains] = [{7: 1.0} if place % 2 else {} for place in range(QUERIES)]
    found = judgement(served(some), None, None, k=2, collection=50)
    assert found["queries"] == QUERIES // 2
    assert (found["old_old"], found["bridged"]) == (0.0, 1.0)
    assert found["new_new"] is None and found["shared"] is None
    assert "too few points hold both" in " ".join(found["reasons"])
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_several_relevant_points_are_measured_by_their_gains() -> None:
    graded: list[Gains] = [{7: 2.0, 3: 1.0}] * QUERIES
    found = judgement(served(graded), None, None, k=4, collection=50)
    ideal = 2 + 1 / np.log2(3)
    assert found["measure"] == "ndcg"
    assert found["bridged"] == pytest.approx((2 + 1 / np.log2(5)) / ideal, abs=1e-3)
    assert found["old_old"] == pytest.approx(1 / np.log2(4) / ideal, abs=1e-3)


def test_without_an_adapter_nothing_is_said_of_a_bridge() -> None:
    alone = replace(served(), bridged=None, both=None, mixed=None)
    found = judgement(alone, shared(), None, k=2, collection=10**6)
    assert found["bridged"] is None and found["mixed"] is None
    assert set(found["over_old"]) == {"cascade_from_old", "reindex"}
    assert found["shared"]["expected"]["points"] == 10**6


def test_what_is_kept_for_later_reports_is_of_the_same_judgement() -> None:
    found = judgement(served(), shared(), shared(), k=2, collection=50)
    kept = outcome(found)
    assert kept.items() <= found.items() and {"verdict", "bridged", "over_old"} <= kept.keys()
    assert judgement(served(), shared(), shared(), k=2, collection=50) == found
