"""Comparison of two versions on a live collection, against plain search in numpy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from index import Collection, Distance, VectorConfig
from index.batch import NamedVectors, PointBatch
from index.comparing import CompareRequest
from index.errors import (
    DimensionMismatch,
    InvalidConfig,
    InvalidPairs,
    InvalidVector,
    MissingAdapter,
    VersionNotFound,
)
from index.types import Vectors
from index.versions.fit_request import FitRequest
from index.versions.measures import known_item, overlap
from index.versions.scoring import best, bridged_scores, native_scores
from tests.conftest import OpenCollection
from tests.oracle import normalise
from tests.points import batch_of, config_of

POINTS, BOTH, ASKED = 600, 400, 40
COSINE = Distance.COSINE
ROWS = np.random.default_rng(4)
NEW = normalise(ROWS.standard_normal((POINTS + ASKED, 24)).astype(np.float32))
OLD = normalise((NEW + 0.15 * ROWS.standard_normal(NEW.shape))[:, :20].astype(np.float32))
IDS = [1_000 + 3 * row for row in range(POINTS)]
QUERIES = {"v1": OLD[POINTS:], "v2": NEW[POINTS:]}
REQUEST = CompareRequest("", "v1", "v2", QUERIES, k=5)


def put(collection: Collection, name: str, vectors: Vectors, ids: list[int]) -> None:
    named = NamedVectors(np.arange(len(ids)), vectors)
    collection.update_vectors(PointBatch(ids, {name: named}, [None] * len(ids))).result()


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    """600 points, of which the first 400 hold both versions; an adapter each way."""
    collection = collection_of(config_of(20))
    collection.upsert(batch_of(IDS, OLD[:POINTS])).result()
    collection.declare_version("", "v2", VectorConfig(24, COSINE), declared={})
    put(collection, "@v2", NEW[:BOTH], IDS[:BOTH])
    collection.upkeep.seal()
    collection.fit_adapter(FitRequest("v1", "v2", kind="ridge"))
    return collection


def plain(collection: Collection, k: int) -> dict[str, Any]:
    """Return the lists of plain search among the points that hold both."""
    column = collection.config.number("@v2")
    adapter = collection.writer.fitted[0, column].adapter
    old, new = OLD[:BOTH], NEW[:BOTH]
    return {
        "old": best(native_scores(QUERIES["v1"], old, COSINE), k),
        "bridged": best(bridged_scores(adapter, QUERIES["v2"], old, COSINE), k),
        "new": best(native_scores(QUERIES["v2"], new, COSINE), k),
    }


def test_overlaps_equal_plain_search_among_the_points_with_both(collection: Collection) -> None:
    found, lists = collection.compare(REQUEST), plain(collection, 5)
    assert (found["queries"], found["points"], found["judged"]) == (ASKED, BOTH, None)
    assert found["old_old"] == pytest.approx(overlap(lists["old"], lists["new"]).mean())
    assert found["bridged"] == pytest.approx(overlap(lists["bridged"], lists["new"]).mean())
    assert found["expected"]["points"] == POINTS
    assert found["matrix"][0][1]["value"] is None  # nothing leads back


def test_judgements_are_measured_and_those_out_of_reach_left_out(collection: Collection) -> None:
    lists = plain(collection, 5)
    wanted = [[int(row)] for row in lists["new"][:, 1]]
    relevant = [[IDS[one[0]], 77] for one in wanted]  # 77 is no point
    relevant[0] = [IDS[POINTS - 1]]  # holds the old version only
    found = collection.compare(replace(REQUEST, relevant=relevant))
    assert (found["judged"], found["measure"]) == (ASKED - 1, "known_item")
    for name, level in (("old", "old_old"), ("bridged", "bridged")):
        plainly = known_item(lists[name][1:], wanted[1:], 5).mean()
        assert found[level] == pytest.approx(plainly)
    assert found["new_new"] == 1.0
    assert 0 < found["mixed"]["value"] <= 1.0


def test_both_ways_are_measured_where_adapters_lead_both_ways(collection: Collection) -> None:
    collection.fit_adapter(FitRequest("v2", "v1", kind="procrustes"))
    forth = collection.compare(REQUEST)
    back = collection.compare(replace(REQUEST, old="v2", new="v1"))
    assert forth["matrix"][0][1]["value"] is not None
    assert back["new_new"] == 1.0
    assert back["verdict"] == "stay"  # v2 was declared later
    assert back["overlap"]["old"] == pytest.approx(forth["overlap"]["old"])


def test_comparing_leaves_demand_and_points_as_they_were(collection: Collection) -> None:
    before = collection.view
    collection.compare(REQUEST)
    assert collection.view is before
    numbers = np.arange(POINTS, dtype=np.uint32)
    assert collection.demand.of(collection.config.number("@v2"), numbers).sum() == 0


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"new": "v9"}, VersionNotFound, "v9"),
        ({"new": "v1"}, InvalidConfig, "two versions"),
        ({"old": "v2", "new": "v1"}, MissingAdapter, "adapters"),
        ({"k": 0}, InvalidConfig, "k: expected 1 to 100"),
        ({"queries": {"v2": QUERIES["v2"]}}, InvalidConfig, "queries: expected those of"),
        ({"queries": {**QUERIES, "v1": QUERIES["v1"][:3]}}, InvalidConfig, "as many in both"),
        ({"queries": {"v1": OLD[:0], "v2": NEW[:0]}}, InvalidConfig, "1 to 2000"),
        ({"queries": {"v1": NEW[:3], "v2": NEW[:3]}}, DimensionMismatch, "20"),
        ({"queries": {"v1": OLD[:3], "v2": 0 * NEW[:3]}}, InvalidVector, "zero"),
        ({"relevant": [[1]]}, InvalidConfig, "one list for each"),
        ({"relevant": [[IDS[-1]]] * ASKED}, InvalidPairs, "none of the points"),
    ],
)
def test_bad_requests_say_what_is_wrong(
    collection: Collection, changed: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        collection.compare(replace(REQUEST, **changed))


def test_too_few_points_with_both_versions(collection: Collection) -> None:
    with pytest.raises(InvalidPairs, match="more than k = 5"):
        put_few = [IDS[0], IDS[1]]
        collection.delete([one for one in IDS[:BOTH] if one not in put_few]).result()
        collection.compare(REQUEST)
