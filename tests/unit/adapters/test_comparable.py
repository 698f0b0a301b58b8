"""Merging lists of several versions, and choosing how."""

from __future__ import annotations

import json

import numpy as np
import pytest

from palimpsest.index.adapters.calibration import fit_calibration
from palimpsest.index.adapters.comparable import (
    Listed,
    Merge,
    by_place,
    choose_merge,
    comparable,
    prefer,
)
from palimpsest.index.adapters.kinds import Pairs, fit
from palimpsest.index.adapters.level_shift import PULL
from palimpsest.index.types import Distance
from tests.unit.versions.spaces import two_spaces

COSINE = Distance.COSINE
NATIVE = np.array([0.9, 0.7, 0.6], dtype=np.float32)
BRIDGED = np.array([0.8, 0.65], dtype=np.float32)


def test_raw_leaves_scores_alone() -> None:
    own, others = comparable(NATIVE, 10, [Listed(BRIDGED, Merge("raw"), 10)])
    assert own is NATIVE
    assert others[0] is BRIDGED


def test_isotonic_maps_only_the_bridged_list() -> None:
    calibration = fit_calibration(np.linspace(0, 1, 100), np.linspace(0, 0.5, 100))
    own, others = comparable(NATIVE, 10, [Listed(BRIDGED, Merge("isotonic", calibration), 10)])
    assert own is NATIVE
    np.testing.assert_allclose(others[0], BRIDGED / 2, atol=0.01)


def test_matched_moves_the_bridged_list_whole() -> None:
    merge = Merge("matched")
    own, others = comparable(NATIVE, 10, [Listed(BRIDGED, merge, 10), Listed(NATIVE, merge, 10)])
    assert own is NATIVE
    moved = others[0] - BRIDGED
    assert moved[0] == pytest.approx(moved[1])
    assert 0 < moved[0] < 0.1 * PULL
    np.testing.assert_allclose(others[1], NATIVE)


def test_a_list_of_fewer_points_stands_thinner() -> None:
    """Of a tenth of the points, the first stands about where the fifth of the rest does."""
    native = np.array([0.9, 0.5], np.float32)
    scores = np.linspace(0.99, 0.01, 30, dtype=np.float32)
    own, others = comparable(native, 100, [Listed(scores, Merge("rank"), 900)])
    assert own is native
    before_first = int((others[0] > own[0]).sum())
    between = int(((others[0] < own[0]) & (others[0] > own[1])).sum())
    assert before_first <= 4  # at the same place, or ahead of it by their own scores
    assert int((others[0] >= own[0]).sum()) in (4, 5)
    assert between in (9, 8)


def test_scores_by_place_are_those_of_the_native_list() -> None:
    """Ranks alone are no scores: what is shown is in the metric of the query's version."""
    scores = np.array([-3.0, -4.0, -900.0], dtype=np.float32)
    native = np.array([-10.0, -20.0, -30.0], dtype=np.float32)
    np.testing.assert_allclose(by_place(native, 30, scores, 30), native)
    np.testing.assert_allclose(by_place(native, 30, scores, 60), [-3, -12.5, -17.5])
    np.testing.assert_allclose(by_place(native, 30, scores, 10), [-20, -30, -900])
    farther = by_place(native, 30, np.array([-15, -16, -17], np.float32), 60)
    np.testing.assert_allclose(farther, [-10, -12.5, -17.5])  # not ahead of the first by itself


def test_a_list_by_place_leaves_others_alone() -> None:
    lists = [Listed(BRIDGED, Merge("raw"), 5), Listed(BRIDGED, Merge("rank"), 5)]
    own, others = comparable(NATIVE, 5, lists)
    assert own is NATIVE and others[0] is BRIDGED
    np.testing.assert_allclose(others[1], NATIVE[:2])


def test_no_live_points_do_not_divide_by_zero() -> None:
    own, others = comparable(np.empty(0, np.float32), 0, [Listed(BRIDGED, Merge("rank"), 5)])
    assert len(own) == 0
    assert others[0] is BRIDGED
    assert by_place(NATIVE, 3, BRIDGED, 0) is BRIDGED


@pytest.mark.parametrize("method", ["matched", "isotonic"])
def test_nothing_is_closer_than_can_be(method: str) -> None:
    native = np.array([-0.1, -0.2], dtype=np.float32)
    bridged = np.array([-5.0, -6.0, -1e4], dtype=np.float32)
    calibration = fit_calibration(np.array([-9.0, -8.0]), np.array([-4.0, -2.0]))
    merge = Merge(method, calibration if method == "isotonic" else None)  # type: ignore[arg-type]
    listed = [Listed(bridged, merge, 2), Listed(native + 5 - 5, merge, 900)]
    _, others = comparable(native, 2, listed, best=0.0)
    assert all((scores <= 0).all() and (np.diff(scores) <= 0).all() for scores in others)


@pytest.mark.parametrize("method", ["raw", "matched", "rank"])
def test_a_stored_merge_is_the_same(method: str) -> None:
    merge = Merge(method)  # type: ignore[arg-type]
    assert Merge.from_json(json.loads(json.dumps(merge.to_json()))).method == method


def test_a_stored_calibration_comes_with_it(rng: np.random.Generator) -> None:
    merge = Merge("isotonic", fit_calibration(rng.normal(size=50), rng.normal(size=50)))
    again = Merge.from_json(json.loads(json.dumps(merge.to_json())))
    assert again.calibration is not None
    assert merge.calibration is not None
    assert np.array_equal(again.calibration.native, merge.calibration.native)


def test_the_merge_is_never_one_that_held_out_pairs_speak_against(
    rng: np.random.Generator,
) -> None:
    for noise in (0.05, 0.3, 1.0):
        rows, queries = two_spaces(rng, 900, noise=noise)
        pairs = Pairs(rows, queries)
        adapter = fit("ridge", pairs.take(slice(600)), COSINE, COSINE)
        merge, table = choose_merge(pairs.take(slice(600, None)), adapter, COSINE, COSINE)
        assert [one["method"] for one in table] == ["raw", "matched", "isotonic", "rank"]
        chosen = next(one for one in table if one["method"] == merge.method)
        surely = [one for one in table if one["over_raw_interval"][0] > 0]
        best = max([table[0], *surely], key=lambda one: one["found"])
        assert chosen["found"] == best["found"]
        if not surely:
            assert merge.method == "raw"


@pytest.mark.parametrize(
    ("gain", "chosen"), [(0.0, "raw"), (-0.05, "raw"), (0.0005, "raw"), (0.006, "matched")]
)
def test_raw_stays_unless_another_merge_is_surely_better(gain: float, chosen: str) -> None:
    shares = np.full(400, 0.5)
    noise = np.where(np.arange(400) % 2, 0.01, -0.01)
    worse = shares - 0.1
    found = {"raw": shares, "matched": shares + gain + noise, "isotonic": worse, "rank": worse}
    assert prefer(found, "raw", seed=0) == chosen  # type: ignore[arg-type]


def test_the_best_of_those_that_are_surely_better_is_chosen() -> None:
    shares = np.full(400, 0.5)
    found = {"raw": shares, "matched": shares + 0.1, "isotonic": shares + 0.2, "rank": shares + 0.1}
    assert prefer(found, "raw", seed=0) == "isotonic"  # type: ignore[arg-type]


def test_where_scores_have_only_their_order_in_common_that_stays() -> None:
    shares = np.full(400, 0.5)
    found = {"raw": shares, "matched": shares, "isotonic": shares, "rank": shares}
    assert prefer(found, "rank", seed=0) == "rank"  # type: ignore[arg-type]


def test_a_difference_of_a_few_queries_is_none() -> None:
    shares = np.full(400, 0.5)
    lucky = shares.copy()
    lucky[:3] = 1.0
    lucky[3:5] = 0.0
    found = {"raw": shares, "matched": lucky, "isotonic": shares, "rank": shares}
    assert prefer(found, "raw", seed=0) == "raw"  # type: ignore[arg-type]


class Stretched:
    """An adapter whose scores are of quite another scale."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def map_query(self, query: np.ndarray) -> object:
        mapped = self._inner.map_query(query)  # type: ignore[attr-defined]
        return mapped._replace(vector=mapped.vector * np.float32(0.2))


def test_scores_of_another_scale_are_not_merged_raw(rng: np.random.Generator) -> None:
    rows, queries = two_spaces(rng, 900, noise=0.05)
    pairs = Pairs(rows, queries)
    adapter = Stretched(fit("procrustes", pairs.take(slice(600)), COSINE, COSINE))
    merge, table = choose_merge(
        pairs.take(slice(600, None)),
        adapter,  # type: ignore[arg-type]
        COSINE,
        COSINE,
    )
    assert merge.method != "raw"
    found = {one["method"]: one["found"] for one in table}
    assert found[merge.method] > found["raw"] + 0.1
