"""Answers found over adapters: pages agree with the whole list, and filters with fewer points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.api.replies import result
from tests.api.upgrades import OLD, Upgrade, rotation

WHOLE = 50


@pytest.fixture
def upgrade(http: httpx.Client, make: Callable[..., str]) -> Upgrade:
    """Half of the points hold v2, and an adapter finds the others."""
    made = Upgrade(http, make(vectors={"size": OLD, "distance": "Cosine"}))
    made.fill()
    made.declare()
    made.migrate(range(200))
    made.fit()
    return made


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("size", [1, 5, 10])
def test_pages_are_parts_of_the_whole(size: int, several: bool, upgrade: Upgrade) -> None:
    for old, new in zip(upgrade.queries, upgrade.queries @ rotation(), strict=True):
        query: Any = new.tolist()
        if several:
            query = {"versions": {"v1": old.tolist(), "v2": new.tolist()}}
        body = {"query": query, "using": "@v2"}
        whole = result(upgrade.query({**body, "limit": WHOLE}))["points"]
        pages: list[Any] = []
        for offset in range(0, WHOLE, size):
            page = upgrade.query({**body, "limit": size, "offset": offset})
            pages += result(page)["points"]
        assert [one["id"] for one in pages] == [one["id"] for one in whole]
        assert [one["score"] for one in pages] == pytest.approx([one["score"] for one in whole])


def test_both_lists_are_in_the_whole(upgrade: Upgrade) -> None:
    """Or the pages would tell nothing."""
    query = (upgrade.queries[0] @ rotation()).tolist()
    reply = upgrade.query({"query": query, "using": "@v2", "limit": WHOLE}, explain="true")
    versions = reply.json()["explain"]["versions"]
    assert [one["merge"] for one in versions] == [None, "raw"]
    ids = [one["id"] for one in result(reply)["points"]]
    assert any(one < 200 for one in ids)
    assert any(one >= 200 for one in ids)


def test_a_filter_is_a_smaller_collection(http: httpx.Client, make: Callable[..., str]) -> None:
    """Lists are merged by how many points could be found, not by how many there are."""
    space = {"size": OLD, "distance": "Cosine"}
    answers = []
    for chosen in (range(0, 400), range(150, 400, 2)):
        upgrade = Upgrade(http, make(vectors=space))
        points = [{"id": i, "vector": upgrade.old[i].tolist(), "payload": {"n": i}} for i in chosen]
        result(http.put(f"{upgrade.path}/points?wait=true", json={"points": points}))
        upgrade.declare()
        new = [{"id": i, "vector": {"@v2": upgrade.new[i].tolist()}} for i in chosen if i < 200]
        result(http.put(f"{upgrade.path}/points/vectors?wait=true", json={"points": new}))
        old = upgrade.queries[0]
        body = {
            "query": {"versions": {"v1": old.tolist(), "v2": (old @ rotation()).tolist()}},
            "filter": {"must": [{"has_id": list(range(150, 400, 2))}]},
            "limit": 30,
        }
        points = result(upgrade.query(body))["points"]
        answers.append([(one["id"], one["score"]) for one in points])
    assert len(answers[0]) == 30
    assert answers[0] == answers[1]
