"""Searches are counted by what was asked, within a closed set of labels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from palimpsest.app.request_metrics import MOST_WAITING
from palimpsest.app.search_metrics import OTHER, STAGES, Searches
from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Filter,
    GroupRequest,
    Prefetch,
    QueryRequest,
    SearchRequest,
    SearchStats,
    SparseConfig,
    VectorConfig,
    parse_path,
)
from tests.points import batch_of

QUERY = np.ones(2, np.float32)
CONFIG = CollectionConfig({"": VectorConfig(2, "dot", encoding="float32"), "s": SparseConfig()})


def values(searches: Searches, *known: Collection) -> dict[tuple[str, ...], float]:
    searches.declared({one.name: one.config for one in known})
    samples = [sample for family in searches.collect() for sample in family.samples]
    found = {
        (sample.name.removeprefix("palimpsest_search_"), *sample.labels.values()): sample.value
        for sample in samples
    }
    assert len(found) == len(samples)  # no series twice: a scraper refuses all of it then
    return found


def test_labels_say_what_was_asked(database: Database) -> None:
    docs = database.create("écrits", CONFIG)
    searches = Searches(10)
    stats = SearchStats(visited=3, scored=20, rescored=5, seconds={"plan": 0.001, "odd": 1.0})
    prefetch = Prefetch(using="")
    asked: list[Any] = [
        SearchRequest(QUERY),
        SearchRequest(QUERY, filter=Filter()),
        SearchRequest(QUERY, "s"),
        QueryRequest(Prefetch(using="")),
        QueryRequest(Prefetch(using="", prefetches=(prefetch,))),
        GroupRequest(Prefetch(using="", prefetches=(prefetch,)), parse_path("a")),
        QueryRequest(Prefetch(using="undeclared")),
    ]
    for request in asked:
        searches.add(docs, request, stats, 0.002, 10)
    found = values(searches, docs)
    counts = {key[1:]: n for key, n in found.items() if key[0] == "duration_seconds_count"}
    assert counts == {
        ("écrits", "", "dense", "false"): 2,
        ("écrits", "", "dense", "true"): 1,
        ("écrits", "s", "sparse", "false"): 1,
        ("écrits", "", "hybrid", "false"): 2,
        ("écrits", "undeclared", "none", "false"): 1,
    }
    assert found["distance_computations_total", "écrits", "", "float32"] == 100
    assert found["visited_nodes_total", "écrits", "s", "none"] == 3
    assert found["rescored_total", "écrits", "", "float32"] == 25
    assert found["candidates_sum",] == 140
    assert found["stage_duration_seconds_count", "plan"] == 7
    assert not [key for key in found if "odd" in key]


def test_stages_of_searches_of_all_sorts_add_up(database: Database) -> None:
    docs, drawn = database.create("docs", CONFIG), np.random.default_rng(3)
    searches, counts, sums = Searches(10), Counter[str](), Counter[str]()
    for _ in range(2 * MOST_WAITING + 7):
        some = drawn.permutation(STAGES)[: drawn.integers(0, 4)].tolist()
        spent = dict(zip(some, drawn.exponential(0.01, len(some)).tolist(), strict=True))
        counts.update(some)
        sums.update(spent)
        searches.add(docs, SearchRequest(QUERY), SearchStats(seconds=spent), 0.002, 10)
    found = values(searches, docs)
    for stage in STAGES:
        assert found["stage_duration_seconds_count", stage] == counts[stage] > 0
        assert found["stage_duration_seconds_sum", stage] == pytest.approx(sums[stage])


def test_collections_beyond_the_limit_count_together(database: Database) -> None:
    searches = Searches(1)
    known = [database.create(name, CONFIG) for name in ("a", "b", "c")]
    for one in known:
        for request in (SearchRequest(QUERY), SearchRequest(QUERY, "s")):
            searches.add(one, request, SearchStats(scanned=1), 0.001, 10)
    found = values(searches, *known)
    assert found["duration_seconds_count", OTHER, "", OTHER, "false"] == 4
    assert found["exact_fallback_total", OTHER, "every_row"] == 4
    assert {key[1] for key in found if key[0] == "duration_seconds_count"} == {"a", OTHER}


def test_collections_that_are_gone_make_room(database: Database) -> None:
    searches = Searches(1)
    first, second = database.create("a", CONFIG), database.create("b", CONFIG)
    searches.add(first, SearchRequest(QUERY), SearchStats(lacking=2), 0.001, 10)
    assert not [key for key in values(searches, second) if "a" in key[1:]]
    searches.add(second, SearchRequest(QUERY), SearchStats(), 0.001, 10)
    assert values(searches, second)["duration_seconds_count", "b", "", "dense", "false"] == 1


def test_codecs_follow_the_declaration(database: Database) -> None:
    docs = database.create("a", CONFIG)
    searches = Searches(10)
    searches.add(docs, SearchRequest(QUERY), SearchStats(scored=1), 0.001, 10)
    encoded = {"": VectorConfig(2, "dot", encoding="4"), "s": SparseConfig()}
    docs.reconfigure(CollectionConfig(encoded))
    searches.add(docs, SearchRequest(QUERY), SearchStats(scored=1), 0.001, 10)
    found = values(searches, docs)
    assert found["distance_computations_total", "a", "", "4"] == 2


@pytest.mark.parametrize(
    ("asked", "found", "short"),
    [
        (SearchRequest(QUERY, k=3), 3, False),
        (SearchRequest(QUERY, k=3), 2, True),
        (SearchRequest(QUERY, k=10), 5, False),  # all there are
        (SearchRequest(QUERY, k=10), 4, False),  # by an id: without that point
        (SearchRequest(QUERY, k=10), 3, True),
        (SearchRequest(QUERY, k=10, offset=3), 2, False),
        (SearchRequest(QUERY, k=3, max_distance=0.5), 0, False),
        (SearchRequest(QUERY, k=3, filter=Filter()), 0, False),
    ],
)
def test_what_is_short(database: Database, asked: SearchRequest, found: int, short: bool) -> None:
    docs = database.create("a", CONFIG)
    docs.upsert(batch_of([1, 2, 3, 4, 5], np.ones((5, 2), np.float32))).result()
    searches = Searches(10)
    searches.add(docs, asked, SearchStats(), 0.001, found)
    assert values(searches, docs)["results_short_total", "a", "", "float32"] == short


def test_thousands_are_counted_as_they_come(database: Database) -> None:
    """They wait until they are many, or a scrape comes, and none is lost or counted twice."""
    docs = database.create("a", CONFIG)
    searches = Searches(10)
    for _ in range(2 * MOST_WAITING + 5):
        searches.add(docs, SearchRequest(QUERY), SearchStats(scored=2), 0.001, 10)
    for _ in range(2):
        found = values(searches, docs)
        assert found["duration_seconds_count", "a", "", "dense", "false"] == 2 * MOST_WAITING + 5
        assert found["candidates_sum",] == 4 * MOST_WAITING + 10


def test_versions_of_a_collection_count_for_it(database: Database) -> None:
    docs = database.create("a", CONFIG)
    searches = Searches(10)
    for one in (docs, docs.at_once, docs.showing("v1")):
        searches.add(one, SearchRequest(QUERY), SearchStats(), 0.001, 10)
    assert values(searches, docs)["duration_seconds_count", "a", "", "dense", "false"] == 3
