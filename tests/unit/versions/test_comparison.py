"""Comparison of two versions' lists: levels, matrix, judgements and verdicts."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from index.types import Distance
from index.versions.adapters import Pairs, fit
from index.versions.comparison import Answers, comparison, list_length
from index.versions.measures import overlap
from index.versions.scoring import best, bridged_scores, native_scores
from tests.oracle import normalise

COSINE = Distance.COSINE


def answers(
    old: list[int],
    bridged: list[int],
    new: list[int],
    *,
    points: int = 50,
    back: list[int] | None = None,
) -> Answers:
    """Return the lists of one query, asked twenty times."""
    lists = [np.tile(np.array(one), (20, 1)) for one in (old, bridged, new)]
    backs = None if back is None else np.tile(np.array(back), (20, 1))
    return Answers(*lists, back=backs, mixed=None, points=points, collection=points)


def test_overlap_is_measured_without_judgements() -> None:
    found = comparison(answers([1, 2, 9, 8], [1, 2, 3, 9], [1, 2, 3, 4]), k=4)
    assert found["measure"] == "overlap"
    assert (found["old_old"], found["bridged"], found["new_new"]) == (0.5, 0.75, 1.0)
    assert (found["arr"], found["gain"]) == (0.75, 0.5)
    assert found["overlap"]["bridged"] == 0.75
    assert (found["ac"], found["am"]) == (1.0, pytest.approx((0.5 + 0.75 + 1.0) / 3))
    assert found["arr_interval"] == [0.75, 0.75]
    values = [[cell["value"] for cell in row] for row in found["matrix"]]
    assert values == [[0.5, None], [0.75, 1.0]]
    assert found["verdict"] == "bridge"
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_known_items_decide_when_they_are_judged() -> None:
    one = answers([1, 2, 9, 8], [1, 2, 3, 9], [1, 2, 3, 4], back=[1, 2, 8, 9])
    found = comparison(one, k=2, relevant=[[9]] * 10 + [[1]] * 10)
    assert found["measure"] == "known_item"
    assert (found["old_old"], found["bridged"], found["new_new"]) == (0.5, 0.5, 0.5)
    assert found["verdict"] == "stay"  # whatever the overlap
    assert found["overlap"]["bridged"] == 1.0
    assert found["matrix"][0][1]["value"] == 0.5


def test_several_relevant_points_are_measured_by_ndcg() -> None:
    one = answers([9, 8, 7, 1], [9, 1, 2, 8], [1, 2, 3, 4])
    found = comparison(one, k=4, relevant=[[1, 2]] * 20)
    ideal = 1 + 1 / np.log2(3)
    assert found["measure"] == "ndcg"
    assert found["old_old"] == pytest.approx(1 / np.log2(5) / ideal)
    assert found["bridged"] == pytest.approx((1 / np.log2(3) + 1 / np.log2(4)) / ideal)
    assert (found["new_new"], found["verdict"]) == (pytest.approx(1.0), "bridge")


def test_a_cascade_ranks_the_candidates_of_the_bridge_anew() -> None:
    one = answers([9, 8, 7, 6], [9, 8, 1, 2], [1, 2, 3, 4])
    found = comparison(one, k=2, relevant=[[1]] * 20)
    assert (found["bridged"], found["cascade"], found["new_new"]) == (0.0, 1.0, 1.0)
    assert found["verdict"] == "cascade"
    lost = comparison(answers([9, 8, 7, 6], [9, 8, 7, 6], [1, 2, 3, 4]), k=2, relevant=[[1]] * 20)
    assert (lost["cascade"], lost["verdict"]) == (0.0, "reindex")


def test_what_searches_find_now_is_judged_too() -> None:
    one = answers([9, 8], [9, 1], [1, 2])
    mixed = replace(one, mixed=np.tile(np.array([1, 9]), (20, 1)))
    assert comparison(mixed, k=1, relevant=[[1]] * 20)["mixed"]["value"] == 1.0
    assert comparison(one, k=1, relevant=[[1]] * 20)["mixed"] is None
    assert comparison(mixed, k=1)["mixed"] is None


def test_few_points_with_both_versions_do_not_flatter_the_bridge() -> None:
    generator = np.random.default_rng(0)
    scales = (np.arange(1, 33) ** -0.5).astype(np.float32)
    new = normalise(generator.standard_normal((21_000, 32)).astype(np.float32) * scales)
    old = normalise(new + 0.25 * generator.standard_normal(new.shape).astype(np.float32))
    adapter = fit("ridge", Pairs(old[:1_000], new[:1_000]), COSINE, COSINE)
    k, asked = 10, slice(1_000, 1_300)

    def lists(rows: slice, count: int) -> Answers:
        found = [
            best(scores, count)
            for scores in (
                native_scores(old[asked], old[rows], COSINE),
                bridged_scores(adapter, new[asked], old[rows], COSINE),
                native_scores(new[asked], new[rows], COSINE),
            )
        ]
        n = len(old[rows])
        return Answers(*found, back=None, mixed=None, points=n, collection=19_700)

    few = comparison(lists(slice(1_300, 2_300), list_length(k)), k=k)
    many = lists(slice(1_300, 21_000), 200)
    truth = overlap(many.bridged[:, :10], many.new[:, :10]).mean()
    assert few["bridged"] > truth + 0.1
    assert few["expected"]["points"] == 19_700
    assert few["expected"]["bridged"] == pytest.approx(truth, abs=0.06)
    assert few["expected"]["cascade"] == pytest.approx(
        overlap(many.bridged, many.new[:, :10]).mean(), abs=0.08
    )
    assert comparison(many, k=k)["expected"] is None
