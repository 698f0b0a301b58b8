"""Merging lists of several versions, and choosing how."""

from __future__ import annotations

import json

import numpy as np
import pytest

from index.types import Distance
from index.versions.adapters import Pairs, fit
from index.versions.calibration import fit_calibration
from index.versions.matching import PULL
from index.versions.merging import Listed, Merge, by_rank, choose_merge, comparable, prefer
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
    own, others = comparable(
        np.zeros(2, np.float32), 100, [Listed(np.zeros(30, np.float32), Merge("rank"), 900)]
    )
    before_first = int((others[0] > own[0]).sum())
    between = int(((others[0] < own[0]) & (others[0] > own[1])).sum())
    assert before_first in (4, 5)
    assert between in (9, 8)


def test_one_list_by_rank_puts_all_by_rank() -> None:
    lists = [Listed(BRIDGED, Merge("raw"), 5), Listed(BRIDGED, Merge("rank"), 5)]
    own, others = comparable(NATIVE, 5, lists)
    for scores in (own, *others):
        assert (np.diff(scores) < 0).all()
        assert ((scores > 0) & (scores < 1)).all()


def test_no_live_points_do_not_divide_by_zero() -> None:
    own, others = comparable(np.empty(0, np.float32), 0, [Listed(BRIDGED, Merge("rank"), 5)])
    assert len(own) == 0
    assert np.isfinite(others[0]).all()
    assert np.isfinite(by_rank(3, 0.0)).all()


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
