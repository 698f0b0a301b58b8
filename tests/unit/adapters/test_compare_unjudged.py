"""Comparison of two versions' lists on queries that nobody judged: levels, matrix, verdicts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from palimpsest.index.adapters.compare_unjudged import Answers, comparison, list_length
from palimpsest.index.adapters.kinds import Pairs, fit
from palimpsest.index.adapters.measures import Places, overlap
from palimpsest.index.adapters.scoring import best, bridged_scores, native_scores
from palimpsest.index.adapters.verdict import ASSUMED
from palimpsest.index.types import Distance
from tests.oracle import normalise

COSINE = Distance.COSINE


def answers(
    old: list[int],
    bridged: list[int] | None,
    new: list[int],
    *,
    points: int = 50,
    back: list[int] | None = None,
) -> Answers:
    """Return the lists of one query, asked twenty times."""

    def asked(one: list[int] | None) -> Places | None:
        return None if one is None else np.tile(np.array(one), (20, 1))

    lists = [asked(one) for one in (old, bridged, bridged, new, back)]
    return Answers(*lists, points=points, collection=points)  # type: ignore[arg-type]


def test_overlap_is_measured_without_judgements() -> None:
    found = comparison(answers([1, 2, 9, 8], [1, 2, 3, 9], [1, 2, 3, 4]), k=4)
    assert found["measure"] == "overlap"
    assert (found["old_old"], found["bridged"], found["new_new"]) == (0.5, 0.75, 1.0)
    assert (found["both"], found["cascade_from_old"]) == (0.75, 0.5)
    assert (found["arr"], found["gain"]) == (0.75, 0.5)
    assert found["overlap"]["bridged"] == 0.75
    assert (found["ac"], found["am"]) == (1.0, pytest.approx((0.5 + 0.75 + 1.0) / 3))
    assert found["arr_interval"] == [0.75, 0.75]
    values = [[cell["value"] for cell in row] for row in found["matrix"]]
    assert values == [[0.5, None], [0.75, 1.0]]
    assert (found["verdict"], found["assumes"]) == ("compare", ASSUMED)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_without_an_adapter_the_others_are_measured() -> None:
    found = comparison(answers([1, 2, 9, 8], None, [1, 2, 3, 4]), k=4)
    assert (found["old_old"], found["new_new"], found["cascade_from_old"]) == (0.5, 1.0, 0.5)
    nothing = ("bridged", "both", "cascade", "arr", "gain")
    assert [found[name] for name in nothing] == [None] * len(nothing)
    assert found["verdict"] == "reindex"
    assert json.loads(json.dumps(found, allow_nan=False)) == found


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
        return Answers(found[0], found[1], None, found[2], None, points=n, collection=19_700)

    few = comparison(lists(slice(1_300, 2_300), list_length(k)), k=k)
    many = lists(slice(1_300, 21_000), 200)
    assert many.bridged is not None
    truth = overlap(many.bridged[:, :10], many.new[:, :10]).mean()
    assert few["bridged"] > truth + 0.1
    assert few["expected"]["points"] == 19_700
    assert few["expected"]["bridged"] == pytest.approx(truth, abs=0.06)
    assert few["expected"]["cascade"] == pytest.approx(
        overlap(many.bridged, many.new[:, :10]).mean(), abs=0.08
    )
    assert few["expected"]["cascade_from_old"] == pytest.approx(
        overlap(many.old[:, :100], many.new[:, :10]).mean(), abs=0.08
    )
    assert comparison(many, k=k)["expected"] is None
