"""Searches by a set over versions of both kinds, against a plain list of what each point scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Distance,
    Filter,
    HasId,
    MissingAdapter,
    MultiVector,
)
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.adapters.set_scores import mapped_set, per_token
from palimpsest.index.encoding.means import mean_of
from tests.oracle import normalise
from tests.unit.kinds.multi.twin import similarity, unit
from tests.unit.versions.set_upgrade import SetUpgrade

NATIVE, ALL = 100, 240
COSINE = Distance.COSINE


@pytest.fixture
def upgrade(tmp_path: Path) -> Iterator[SetUpgrade]:
    made = SetUpgrade(tmp_path / "collection", "v2", "v3", "v4")
    yield made
    made.collection.close()


def half(upgrade: SetUpgrade, rows: str, queries: str, kind: str = "procrustes") -> Fitted:
    """Have all points hold one version and some another; scores are compared as they are."""
    upgrade.put(rows, range(ALL))
    upgrade.put(queries, range(NATIVE))
    upgrade.seal()
    upgrade.fit(rows, queries, kind)
    return upgrade.merged_by(rows, queries, "raw")


def unit_set(values: Any) -> np.ndarray:
    return unit(values.astype(np.float64)).astype(np.float32)


def estimate(fitted: Fitted, query: np.ndarray, row: Any) -> float:
    """Return what a point of the rows' version scores through an adapter, per token."""
    adapter, mean = fitted.adapter, mean_of(query, unit=True)
    mapped = adapter.map_query(mean)
    if fitted.over == "tokens":
        score = similarity(mapped_set(adapter, query), row, COSINE) / len(query)
    else:
        row = normalise(row[None])[0]
        score = float(row @ mapped.vector + mapped.shift)
        score *= float(adapter.row_factors(row[None])[0])
    scores = np.array([score], dtype=np.float32)
    return float(fitted.estimated(scores, COSINE, mean, mapped.vector)[0])


def plain(
    upgrade: SetUpgrade, fitted: Fitted, rows: str, queries: str, query: np.ndarray
) -> dict[int, float]:
    scale = per_token(COSINE, len(query))
    held = {one: similarity(query, upgrade.made[queries][one], COSINE) for one in range(NATIVE)}
    rest = {
        one: scale * estimate(fitted, query, upgrade.made[rows][one]) for one in range(NATIVE, ALL)
    }
    return held | rest


@pytest.mark.parametrize(
    ("rows", "kind"),
    [("v1", "procrustes"), ("v1", "ridge"), ("v3", "procrustes"), ("v4", "identity")],
)
def test_each_point_is_found_once_by_what_it_holds(
    upgrade: SetUpgrade, rows: str, kind: str
) -> None:
    fitted = half(upgrade, rows, "v2", kind)
    for place in (3, 150, 239):
        query = unit_set(upgrade.made["v2"][place])
        found = upgrade.search("v2", MultiVector(query), ALL, exact=True)
        assert sorted(found.ids) == list(range(ALL))
        expected = plain(upgrade, fitted, rows, "v2", query)
        scores = [-one for one in found.distances.tolist()]
        assert scores == pytest.approx([expected[one] for one in found.ids], abs=5e-3)
        assert scores == sorted(scores, reverse=True)
        assert place in found.ids[:3]
        few = upgrade.search("v2", MultiVector(query), 5, exact=True)
        assert few.ids == found.ids[:5]
        told = [(one.version, one.adapter) for one in found.stats.versions]
        assert told == [("v2", None), (rows, kind)]


def test_two_settings_of_one_model_score_alike_through_the_identity(upgrade: SetUpgrade) -> None:
    half(upgrade, "v4", "v2", "identity")
    query = MultiVector(upgrade.made["v2"][200])
    (first, *_) = (found := upgrade.search("v2", query, 5, exact=True)).ids
    assert first == 200
    own = upgrade.search("v4", query, 5, exact=True)
    assert own.ids[0] == 200
    columns = upgrade.collection.view.vectors
    assert len(columns) == 4 and found.distances[0] == pytest.approx(own.distances[0], abs=0.05)


def test_single_vectors_find_sets_by_their_means(upgrade: SetUpgrade) -> None:
    upgrade.put("v2", range(ALL))
    upgrade.put("v1", range(NATIVE))
    upgrade.fit("v2", "v1", "ridge")
    fitted = upgrade.merged_by("v2", "v1", "raw")
    means = normalise(np.stack([mean_of(unit_set(one), unit=True) for one in upgrade.made["v2"]]))
    factors = fitted.adapter.row_factors(means)
    for sealed in (False, True):
        if sealed:
            upgrade.seal()
        for place in (5, 170):
            query = normalise(upgrade.made["v1"][place][None])[0]
            found = upgrade.search("v1", query, ALL, exact=True)
            assert sorted(found.ids) == list(range(ALL)) and place in found.ids[:3]
            mapped, shift = fitted.adapter.map_query(query)
            bridged = (means @ mapped + shift) * factors
            own = normalise(upgrade.made["v1"]) @ query
            expected = np.where(np.arange(ALL) < NATIVE, own, bridged)
            scores = [-one for one in found.distances.tolist()]
            assert scores == pytest.approx(expected[found.ids].tolist(), abs=5e-3)


def test_what_no_adapter_leads_to_is_told_and_may_be_refused(upgrade: SetUpgrade) -> None:
    upgrade.put("v1", range(ALL))
    upgrade.put("v2", range(NATIVE))
    query = MultiVector(upgrade.made["v2"][3])
    found = upgrade.search("v2", query, ALL)
    assert sorted(found.ids) == list(range(NATIVE))
    ((missed),) = found.stats.out_of_reach
    assert (missed.rows, missed.queries, missed.points) == ("v1", "v2", ALL - NATIVE)
    with pytest.raises(MissingAdapter):
        upgrade.search("v2", query, bridge="require")
    assert len(upgrade.search("v2", query, ALL, bridge="off").ids) == NATIVE


@pytest.mark.parametrize("rows", ["v1", "v3"])
def test_filters_pages_ids_and_zero_queries_reach_both_kinds(
    upgrade: SetUpgrade, rows: str
) -> None:
    half(upgrade, rows, "v2")
    few = Filter(must=(HasId((50, 120, 130, 7)),))
    found = upgrade.search("v2", MultiVector(upgrade.made["v2"][120]), ALL, filter=few)
    assert sorted(found.ids) == [7, 50, 120, 130] and found.ids[0] == 120
    query = MultiVector(upgrade.made["v2"][120])
    whole = upgrade.search("v2", query, 20, exact=True).ids
    pages = [upgrade.search("v2", query, 5, offset=at, exact=True).ids for at in (0, 5, 10, 15)]
    assert [one for page in pages for one in page] == whole
    by_id = upgrade.search("v2", 150, 5).ids  # which holds no set: its vector is mapped
    assert 150 not in by_id and len(by_id) == 5
    zeros = MultiVector(np.zeros((2, 12), np.float32))
    assert upgrade.search("v2", zeros, 200).ids == list(range(200))


def test_all_points_are_scored_for_examples(upgrade: SetUpgrade) -> None:
    fitted = half(upgrade, "v1", "v2")
    query = unit_set(upgrade.made["v2"][130])
    blocks = upgrade.collection.reading().score("@v2", [MultiVector(query)], None)
    ids = upgrade.collection.reading().ids_of
    found: dict[Any, float] = {}
    for numbers, distances, _exact in blocks:
        known = ids(numbers)
        both = zip(numbers.tolist(), distances[0].tolist(), strict=True)
        found |= {known[number]: -distance for number, distance in both}
    expected = plain(upgrade, fitted, "v1", "v2", query)
    assert found.keys() == expected.keys()
    assert [found[one] for one in range(ALL)] == pytest.approx(
        [expected[one] for one in range(ALL)], abs=5e-3
    )
