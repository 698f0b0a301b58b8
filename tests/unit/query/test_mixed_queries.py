"""Trees, examples and groups over points of two versions, against the plain account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    Distance,
    Filter,
    GroupRequest,
    InvalidInput,
    Match,
    MissingAdapter,
    Prefetch,
    QueryRequest,
    VectorConfig,
    answer,
    answer_groups,
    queries,
)
from palimpsest.index.types import BridgeMode, OutOfReach
from tests.conftest import open_collection
from tests.unit.versions.mixed import EVEN, SIZES, Account, config_of, texts_of

N = 150
EXACT = queries.SearchParams(exact=True)


@pytest.fixture
def account(tmp_path: Path, rng: np.random.Generator) -> Iterator[Account]:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
    collection = open_collection(tmp_path / "collection", config_of(spaces["v1"]))
    account = Account(collection, texts_of(N, rng), spaces)
    account.declare("v2")
    account.put("v1", range(N))
    account.put("v2", range(0, N, 3))
    account.fit("v1", "v2")
    yield account
    collection.close()


def ask(collection: Collection, root: Prefetch, bridge: BridgeMode = "on") -> list[int]:
    reading = collection.reading(bridge)
    found = answer(reading, QueryRequest(root), lambda _: reading)
    return [int(str(record.id)) for record in found.records]


def order(account: Account, place: int) -> list[int]:
    return [p for p, _ in account.expected("v2", account.query("v2", place), ["v1"])]


def nearest(account: Account, place: int, version: str = "v2") -> queries.Nearest:
    return queries.Nearest(account.query(version, place))


@pytest.mark.parametrize("virtual", [False, True])
def test_nearest_points(account: Account, virtual: bool) -> None:
    collection = account.collection.showing("v2") if virtual else account.collection
    using = "" if virtual else "@v2"
    for place in range(3):
        expected = order(account, place)
        root = Prefetch(nearest(account, place), using, params=EXACT, limit=30)
        assert ask(collection, root) == expected[:30]
        even = Prefetch(nearest(account, place), using, EVEN, EXACT, limit=30)
        assert ask(collection, even) == [p for p in expected if p % 2 == 0][:30]
        native = [p for p in expected if p % 3 == 0]
        assert ask(collection, root, "off") == native[:30]


def test_nearest_points_are_counted_as_demand(account: Account) -> None:
    root = Prefetch(nearest(account, 0), "@v2", params=EXACT, limit=5)
    ask(account.collection, root)
    number = account.collection.config.number("@v2")
    top = account.collection.demand.top(number, account.collection.view.live, 5)[0]
    ids = account.collection._points.ids_of(top.tolist())
    expected = [p for p in order(account, 0) if p % 3][:5]
    assert [ids[n] for n in top.tolist()] == expected


@pytest.mark.parametrize("strategy", ["best_score", "sum_scores", "average_vector"])
@pytest.mark.parametrize("example", [3, 4], ids=["new", "old only"])
def test_one_example_finds_what_its_vector_finds(
    account: Account, strategy: queries.Strategy, example: int
) -> None:
    adapter = account.adapter("v1", "v2").adapter
    vector = account.rows["v2"].get(example)
    if vector is None:
        vector = adapter.map_rows(account.rows["v1"][example][None, :])[0]
    expected = [p for p, _ in account.expected("v2", vector, ["v1"]) if p != example]
    query = queries.Recommend((example,), (), strategy)
    root = Prefetch(query, "@v2", params=EXACT, limit=40)
    assert ask(account.collection, root) == expected[:40]


def test_several_examples_judge_points_of_both_versions(account: Account) -> None:
    """``best_score``: the nearest example decides, a disliked one against the point."""
    adapter = account.adapter("v1", "v2").adapter
    examples = {3: 1, 4: 1, 7: -1}
    similar = {}
    for example in examples:
        row = account.rows["v2"].get(example)
        if row is None:
            row = adapter.map_rows(account.rows["v1"][example][None, :])[0]
        similar[example] = {p: -d for p, d in account.expected("v2", row, ["v1"])}

    def judged(point: int) -> float:
        liked = max(similar[3][point], similar[4][point])
        disliked = similar[7][point]
        return 2 + liked / (1 + abs(liked)) if liked > disliked else -2 - disliked

    left = [point for point in range(N) if point not in examples]
    expected = sorted(left, key=judged, reverse=True)
    root = Prefetch(queries.Recommend((3, 4), (7,), "best_score"), "@v2", params=EXACT, limit=20)
    assert ask(account.collection, root) == expected[:20]


def test_candidates_of_one_version_scored_in_another(account: Account) -> None:
    first = [p for p, _ in account.expected("v1", account.query("v1", 1))][:60]
    below = Prefetch(nearest(account, 1, "v1"), "@v1", params=EXACT, limit=60)
    root = Prefetch(nearest(account, 1), "@v2", params=EXACT, limit=25, prefetches=(below,))
    assert ask(account.collection, root) == [p for p in order(account, 1) if p in first][:25]
    native = [p for p in order(account, 1) if p in first and p % 3 == 0]
    assert ask(account.collection, root, "off") == native[:25]


def test_ranks_of_two_versions_fused(account: Account) -> None:
    levels = tuple(
        Prefetch(nearest(account, 2, version), f"@{version}", params=EXACT, limit=N)
        for version in ("v1", "v2")
    )
    root = Prefetch(queries.Fusion(), "", limit=20, prefetches=levels)
    ranks = [[p for p, _ in account.expected("v1", account.query("v1", 2))], order(account, 2)]
    score = {p: sum(1 / (2 + one.index(p)) for one in ranks) for p in range(N)}
    found = ask(account.collection, root)
    scores = [score[p] for p in found]
    assert scores == sorted(scores, reverse=True)
    assert scores == sorted(score.values(), reverse=True)[:20]


def test_groups_hold_points_of_both_versions(account: Account) -> None:
    root = Prefetch(nearest(account, 0), "@v2", params=EXACT, limit=3)
    reading = account.collection.reading()
    request = GroupRequest(root, ("even",), 4, with_payload=True)
    assert answer_groups(reading, request, lambda _: reading) == []  # no integer, no text
    groups = answer_groups(
        reading, GroupRequest(root, ("third",), 4, with_payload=True), lambda _: reading
    )
    expected = order(account, 0)
    firsts = sorted(
        range(3), key=lambda key: next(i for i, p in enumerate(expected) if p % 3 == key)
    )
    assert [group.key for group in groups] == firsts
    for group in groups:
        points = [int(str(record.id)) for record in group.hits.records]
        assert points == [p for p in expected if p % 3 == group.key][:4]
        for record in group.hits.records:
            assert record.payload is not None
            assert json.loads(record.payload)["third"] == group.key


def test_what_no_adapter_leads_to(account: Account) -> None:
    account.collection.versions.drop_adapter("", "v1", "v2")
    for query in (nearest(account, 0), queries.Recommend((3,), (), "best_score")):
        root = Prefetch(query, "@v2", params=EXACT, limit=N)
        with pytest.raises(MissingAdapter):
            ask(account.collection, root, "require")
        skipped = {3} if isinstance(query, queries.Recommend) else set()
        for mode, left_out in (("on", [OutOfReach("", "v1", "v2", 100)]), ("off", [])):
            reading = account.collection.reading(mode)  # type: ignore[arg-type]
            found = answer(reading, QueryRequest(root), lambda _, it=reading: it)  # type: ignore[misc]
            assert {one.id for one in found.records} == {*range(0, N, 3)} - skipped
            assert reading.stats.out_of_reach == left_out
    with pytest.raises(InvalidInput):
        ask(account.collection, Prefetch(queries.Recommend((4,)), "@v2"), "off")
    with pytest.raises(MissingAdapter):  # an example that cannot be had is no point left out
        ask(account.collection, Prefetch(queries.Recommend((4,)), "@v2"))


@pytest.mark.parametrize("strategy", ["best_score", "average_vector"])
def test_points_that_hold_the_version_need_no_adapter(
    account: Account, strategy: queries.Strategy
) -> None:
    """Where the filter, or a prefetch, leaves no others, nor is one an example."""
    account.collection.versions.drop_adapter("", "v1", "v2")
    new = Filter(must=(Match(("third",), (0,)),))
    for query in (nearest(account, 0), queries.Recommend((3, 6), (9,), strategy)):
        root = Prefetch(query, "@v2", new, EXACT, limit=N)
        assert {*ask(account.collection, root)} | {3, 6, 9} == {*range(0, N, 3)}
        below = Prefetch(nearest(account, 1, "v1"), "@v1", new, EXACT, limit=20)
        root = Prefetch(query, "@v2", params=EXACT, limit=N, prefetches=(below,))
        assert len(ask(account.collection, root)) >= 17
