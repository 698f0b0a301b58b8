"""Comparison of two versions on a live collection, against plain search in numpy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from palimpsest.index import Collection, Distance, VectorConfig
from palimpsest.index.adapters.fit_request import AdapterInfo, FitRequest
from palimpsest.index.adapters.measures import known_item, ndcg, overlap
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.scoring import best, bridged_scores, native_scores
from palimpsest.index.errors import (
    DimensionMismatch,
    InvalidConfig,
    InvalidPairs,
    InvalidVector,
    VersionNotFound,
)
from palimpsest.index.types import NamedVectors, Vectors
from palimpsest.index.versions.compared_lists import CompareRequest
from palimpsest.index.write.batch import PointBatch
from tests.conftest import OpenCollection, open_collection
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
    collection.versions.declare("", "v2", VectorConfig(24, COSINE), declared={})
    put(collection, "@v2", NEW[:BOTH], IDS[:BOTH])
    collection.upkeep.seal()
    collection.versions.fit(FitRequest("v1", "v2", kind="ridge"))
    return collection


def fitted_on(collection: Collection) -> list[int]:
    """Return the rows that the adapter was fitted on."""
    (fitted,) = [one for (rows, _), one in collection.writer.fitted.items() if rows == 0]
    assert fitted.points is not None
    ids = collection._points.ids_of(fitted.points.tolist())
    return sorted(IDS.index(int(one)) for one in ids.values())  # type: ignore[call-overload]


def plain(collection: Collection, k: int, rows: list[int]) -> dict[str, Any]:
    """Return the lists of plain search among some rows, by their places in all."""
    adapter = collection.writer.fitted[0, collection.config.number("@v2")].adapter
    old, new, places = OLD[rows], NEW[rows], np.array(rows)
    return {
        "old": places[best(native_scores(QUERIES["v1"], old, COSINE), k)],
        "bridged": places[best(bridged_scores(adapter, QUERIES["v2"], old, COSINE), k)],
        "new": places[best(native_scores(QUERIES["v2"], new, COSINE), k)],
    }


def test_overlaps_equal_plain_search_among_points_never_fitted_on(collection: Collection) -> None:
    fitted = fitted_on(collection)
    unseen = [row for row in range(BOTH) if row not in fitted]
    assert 40 < len(unseen) < 140
    found, lists = collection.versions.compare(REQUEST), plain(collection, 5, unseen)
    assert (found["queries"], found["points"]) == (ASKED, len(unseen))
    assert (found["judged"], found["counted"], found["fitted_points"]) == (None, None, len(fitted))
    assert found["old_old"] == pytest.approx(overlap(lists["old"], lists["new"]).mean())
    assert found["bridged"] == pytest.approx(overlap(lists["bridged"], lists["new"]).mean())
    assert found["both"] > found["old_old"]
    assert found["expected"]["points"] == POINTS
    assert found["matrix"][0][1]["value"] is None  # nothing leads back
    assert found["verdict"] in ("compare", "cascade") and found["assumes"]


def test_judged_queries_are_measured_among_all_points_never_fitted_on(
    collection: Collection,
) -> None:
    fitted = fitted_on(collection)
    rows = [row for row in range(POINTS) if row not in fitted]
    lists, k = plain(collection, 5, rows), 5
    wanted = [[int(row)] for row in plain(collection, 5, rows)["new"][:, 1]]
    found = collection.versions.compare(
        replace(REQUEST, relevant=[[IDS[one[0]], 77] for one in wanted])
    )
    assert (found["judged"], found["measure"]) == (ASKED, "known_item")  # 77 is no point
    assert found["points"] == len(rows)
    for name, level in (("old", "old_old"), ("bridged", "bridged")):
        plainly = known_item(lists[name], wanted, k).mean()
        assert found[level] == pytest.approx(plainly), name
    assert 0 < found["mixed"]["value"] <= 1.0 and 0 < found["both"] <= 1.0
    both = [row for row in range(BOTH)]
    shared = [place for place, one in enumerate(wanted) if one[0] < BOTH]
    assert found["shared"]["queries"] == len(shared) == found["counted"]["shared"]
    assert found["shared"]["points"] == BOTH
    new = plain(collection, 5, both)["new"]
    assert found["shared"]["new_new"] == pytest.approx(known_item(new, wanted, k)[shared].mean())
    assert found["shared"]["expected"]["points"] == POINTS
    assert found["over_old"]["bridge"]["queries"] == ASKED
    assert found["over_old"]["reindex"]["queries"] == len(shared)


def test_more_points_are_searched_as_users_search_them(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = best(native_scores(QUERIES["v2"], NEW[:POINTS], COSINE), 1)
    request = replace(REQUEST, relevant=[[IDS[int(row)]] for row in wanted[:, 0]])
    exactly = collection.versions.compare(request)
    monkeypatch.setattr("palimpsest.index.versions.compared_lists._EXACTLY", 0)
    roughly = collection.versions.compare(request)
    for name in ("old_old", "bridged", "both", "new_new"):
        assert roughly[name] == pytest.approx(exactly[name], abs=0.06), name


def test_queries_that_do_not_count_are_named_with_the_reason(collection: Collection) -> None:
    fitted = fitted_on(collection)
    unseen = next(row for row in range(BOTH) if row not in fitted)
    relevant: list[Any] = [[IDS[unseen]] for _ in range(ASKED)]
    relevant[0], relevant[1], relevant[2] = [], [77], [IDS[fitted[0]]]
    relevant[3], relevant[4] = {IDS[unseen]: 0}, [IDS[POINTS - 1]]
    relevant[5] = [IDS[fitted[0]], IDS[unseen]]  # the other still counts
    counted = collection.versions.compare(replace(REQUEST, relevant=relevant))["counted"]
    assert counted["left_out"] == {
        "nothing is relevant to it": [0, 3],
        "none of its relevant points exists": [1],
        "the adapter was fitted on all of its relevant points": [2],
    }
    assert (counted["given"], counted["all_rows"]) == (ASKED, ASKED - 4)
    assert counted["not_shared"] == [4]
    # what it was fitted on is fine where the new version is measured without it
    assert counted["shared"] == ASKED - 4 + 1 - 1


def test_points_without_the_old_version_are_a_reason_too(collection: Collection) -> None:
    collection.delete_vectors([IDS[7]], ["@v1"]).result()
    relevant = [[IDS[7]]] + [[IDS[-1]]] * (ASKED - 1)
    counted = collection.versions.compare(replace(REQUEST, relevant=relevant))["counted"]
    assert counted["left_out"] == {"none of its relevant points holds version 'v1'": [0]}


def test_grades_are_measured_by_ndcg(collection: Collection) -> None:
    fitted = fitted_on(collection)
    rows = [row for row in range(POINTS) if row not in fitted]
    lists = plain(collection, 5, rows)
    gains = [{int(row): 3.0 - place for place, row in enumerate(line[:3])} for line in lists["new"]]
    relevant = [{IDS[row]: gain for row, gain in one.items()} for one in gains]
    found = collection.versions.compare(replace(REQUEST, relevant=relevant))
    assert found["measure"] == "ndcg"
    assert found["old_old"] == pytest.approx(ndcg(lists["old"], gains, 5).mean())
    assert found["bridged"] == pytest.approx(ndcg(lists["bridged"], gains, 5).mean())


def test_without_an_adapter_old_both_and_the_cascade_are_judged(collection: Collection) -> None:
    collection.versions.drop_adapter("", "v1", "v2")
    wanted = best(native_scores(QUERIES["v2"], NEW[:POINTS], COSINE), 1)
    request = replace(REQUEST, relevant=[[IDS[int(row)]] for row in wanted[:, 0]])
    found = collection.versions.compare(request)
    assert (found["judged"], found["points"], found["fitted_points"]) == (ASKED, POINTS, 0)
    assert (found["bridged"], found["mixed"], found["arr"]) == (None, None, None)
    assert found["both"] is not None and found["cascade_from_old"] is not None
    assert set(found["over_old"]) == {"both", "cascade_from_old", "reindex"}
    unjudged = collection.versions.compare(REQUEST)
    assert unjudged["bridged"] is None and unjudged["cascade_from_old"] > unjudged["old_old"]


def test_what_was_judged_stays_with_the_two_versions(collection: Collection) -> None:
    assert adapter_of(collection).report["judged"] is None
    wanted = best(native_scores(QUERIES["v2"], NEW[:POINTS], COSINE), 1)
    request = replace(REQUEST, relevant=[[IDS[int(row)]] for row in wanted[:, 0]])
    found = collection.versions.compare(request)
    for again in (False, True):
        if again:
            collection.versions.fit(FitRequest("v1", "v2", kind="procrustes"))
        report = adapter_of(collection).report
        assert report["verdict"] == found["verdict"] and report["assumes"] is None
        assert report["judged"]["queries"] == found["judged"]
    unjudged = collection.versions.compare(REQUEST)
    assert unjudged["verdict"] == found["verdict"] and unjudged["assumes"] is None
    collection.close()
    again = open_collection(collection.folder)
    assert adapter_of(again).report["verdict"] == found["verdict"]
    again.close()


def adapter_of(collection: Collection) -> AdapterInfo:
    (one,) = collection.versions.adapters()
    return one


def test_pairs_that_were_given_may_be_among_the_points(collection: Collection) -> None:
    pairs = Pairs(OLD[:300], NEW[:300])
    collection.versions.fit(FitRequest("v1", "v2", kind="ridge", pairs=pairs))
    found = collection.versions.compare(REQUEST)
    assert (found["fitted_points"], found["points"]) == (None, BOTH)
    assert any("pairs" in reason for reason in found["reasons"])


def test_both_ways_are_measured_where_adapters_lead_both_ways(collection: Collection) -> None:
    collection.versions.fit(FitRequest("v2", "v1", kind="procrustes"))
    forth = collection.versions.compare(REQUEST)
    back = collection.versions.compare(replace(REQUEST, old="v2", new="v1"))
    assert forth["matrix"][0][1]["value"] is not None
    assert back["new_new"] == 1.0
    assert back["verdict"] == "stay"  # v2 was declared later


def test_comparing_leaves_demand_and_points_as_they_were(collection: Collection) -> None:
    before = collection.view
    collection.versions.compare(REQUEST)
    assert collection.view is before
    numbers = np.arange(POINTS, dtype=np.uint32)
    assert collection.demand.of(collection.config.number("@v2"), numbers).sum() == 0


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"new": "v9"}, VersionNotFound, "v9"),
        ({"new": "v1"}, InvalidConfig, "two versions"),
        ({"k": 0}, InvalidConfig, "k: expected 1 to 100"),
        ({"queries": {"v2": QUERIES["v2"]}}, InvalidConfig, "queries: expected those of"),
        ({"queries": {**QUERIES, "v1": QUERIES["v1"][:3]}}, InvalidConfig, "as many in both"),
        ({"queries": {"v1": OLD[:0], "v2": NEW[:0]}}, InvalidConfig, "1 to 2000"),
        ({"queries": {"v1": NEW[:3], "v2": NEW[:3]}}, DimensionMismatch, "20"),
        ({"queries": {"v1": OLD[:3], "v2": np.nan * NEW[:3]}}, InvalidVector, "NaN"),
        ({"relevant": [[1]]}, InvalidConfig, "one list, or one object"),
        ({"relevant": [[77]] * ASKED}, InvalidPairs, "40: none of its relevant points exists"),
        ({"relevant": [{IDS[0]: -1.0}] * ASKED}, InvalidConfig, r"relevant\[0\].*grade of 0"),
        ({"relevant": [{IDS[0]: float("nan")}] * ASKED}, InvalidConfig, "grade"),
    ],
)
def test_bad_requests_say_what_is_wrong(
    collection: Collection, changed: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        collection.versions.compare(replace(REQUEST, **changed))


def test_too_few_points_with_both_versions(collection: Collection) -> None:
    with pytest.raises(InvalidPairs, match="more than k = 5"):
        put_few = [IDS[0], IDS[1]]
        collection.delete([one for one in IDS[:BOTH] if one not in put_few]).result()
        collection.versions.compare(REQUEST)
