"""What no adapter leads to: the rest is served, and what is left out is said everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep
from typing import Any

import httpx
import pytest

from tests.api.replies import refused, result
from tests.api.upgrades import OLD, POINTS, Upgrade, rotation

HALF = POINTS // 2


@pytest.fixture
def upgrade(http: httpx.Client) -> Iterator[Upgrade]:
    """Half of the points migrated, and no adapter to the others."""
    name = "out-of-reach"
    body = {"vectors": {"size": OLD, "distance": "Cosine"}}
    assert http.put(f"/collections/{name}", json=body).status_code == 200
    made = Upgrade(http, name)
    made.fill()
    made.declare()
    made.migrate(range(HALF))
    yield made
    http.delete(f"/collections/{name}")


def bodies(upgrade: Upgrade) -> list[tuple[str, dict[str, Any]]]:
    """Calls that search by v2, each in its own way."""
    query = (upgrade.queries[0] @ rotation()).tolist()
    near = {"query": query, "limit": 500}
    return [
        ("query", near),
        ("query", {**near, "params": {"exact": True}}),
        ("query", {"prefetch": near, "query": {"fusion": "rrf"}, "limit": 500}),
        ("query", {"prefetch": [near, near], "query": query, "limit": 500}),
        ("query", {"query": {"recommend": {"positive": [1, 2]}}, "limit": 500}),
        ("query", {"query": {"recommend": {"positive": [1], "strategy": "best_score"}}}),
        ("query", {"query": {"nearest": query, "mmr": {"diversity": 0.5}}, "limit": 500}),
        ("query/batch", {"searches": [near, near]}),
        ("query/groups", {**near, "group_by": "tag"}),
        ("search", {"vector": query, "limit": 500}),
        ("search/batch", {"searches": [{"vector": query, "limit": 500}]}),
        ("search/groups", {"vector": query, "limit": 5, "group_by": "tag", "group_size": 2}),
    ]


def ask(
    upgrade: Upgrade, call: str, body: dict[str, Any], where: str = "@v2", **headers: str
) -> httpx.Response:
    named = {f"x-palimpsest-{name}": value for name, value in headers.items()}
    return upgrade.http.post(f"{upgrade.path}{where}/points/{call}", json=body, headers=named)


def ids_of(found: Any) -> set[int]:
    """Return all ids of hits that stand anywhere in a result."""
    if isinstance(found, list):
        return {one for each in found for one in ids_of(each)}
    if not isinstance(found, dict):
        return set()
    own = {found["id"]} if "score" in found else set()
    return own | {one for each in found.values() for one in ids_of(each)}


def test_every_search_serves_what_it_reaches_and_warns(upgrade: Upgrade) -> None:
    said = f"{HALF} points hold only version 'v1' and are out of reach of queries of version 'v2'"
    for call, body in bodies(upgrade):
        reply = ask(upgrade, call, body)
        found = ids_of(result(reply))
        assert found and max(found) < HALF, body
        (text,) = reply.json()["warnings"]
        assert text.startswith(said)
        assert '{"rows": "v1", "queries": "v2"}' in text
        assert "only version 'v1'" in refused(ask(upgrade, call, body, bridge="require"), 400)
        off = ask(upgrade, call, body, bridge="off")
        assert ids_of(result(off)) == found and "warnings" not in off.json()


def test_explain_the_collection_and_metrics_count_it(upgrade: Upgrade) -> None:
    _, body = bodies(upgrade)[0]
    told = ask(upgrade, "query", body, explain="true").json()["explain"]
    missed = {"vector": "", "rows": "v1", "queries": "v2", "points": HALF}
    assert told["out_of_reach"] == [missed] and told["estimated"] == []
    (warning,) = result(upgrade.http.get(f"{upgrade.path}@v2"))["warnings"]
    assert warning["message"].startswith(f"{HALF} points hold only version 'v1'")
    assert "warnings" not in result(upgrade.http.get(upgrade.path))
    metrics = upgrade.http.get("/metrics").text
    labels = f'collection="{upgrade.name}",from_version="v2",to_version="v1",vector=""'
    assert f"palimpsest_out_of_reach_points{{{labels}}} {float(HALF)}" in metrics
    assert 'palimpsest_warnings_total{kind="out_of_reach"}' in metrics


def test_an_adapter_ends_the_warnings_and_marks_estimates(upgrade: Upgrade) -> None:
    upgrade.fit()
    for call, body in bodies(upgrade):
        reply = ask(upgrade, call, body, explain="true").json()
        assert "warnings" not in reply
        told = reply["explain"]
        for each in told if isinstance(told, list) else [told]:
            assert each["out_of_reach"] == []
            assert all(one >= HALF for one in each["estimated"])
        if call == "query" and "prefetch" not in body:
            hits = [point["id"] for point in reply["result"]["points"]]
            assert sorted(told["estimated"]) == sorted(one for one in hits if one >= HALF)
    plain = ask(upgrade, "query", bodies(upgrade)[0][1], explain="true").json()["explain"]
    assert [one["scores"] for one in plain["versions"]] == ["exact", "estimated"]
    assert "warnings" not in result(upgrade.http.get(f"{upgrade.path}@v2"))


def test_a_filter_counts_what_passes(upgrade: Upgrade) -> None:
    _, body = bodies(upgrade)[0]
    chosen = {"must": [{"key": "n", "range": {"gte": HALF - 5, "lt": HALF + 7}}]}
    reply = ask(upgrade, "query", {**body, "filter": chosen})
    assert ids_of(result(reply)) == {*range(HALF - 5, HALF)}
    assert reply.json()["warnings"][0].startswith("7 points hold only")
    reply = ask(upgrade, "query", {**body, "filter": {"must": [{"has_id": [1, 2]}]}})
    assert "warnings" not in reply.json()


def test_an_example_out_of_reach_is_an_error_that_names_the_remedy(upgrade: Upgrade) -> None:
    for body in ({"query": HALF + 1}, {"query": {"recommend": {"positive": [HALF + 1]}}}):
        text = refused(ask(upgrade, "query", body), 400)
        assert '"rows": "v1", "queries": "v2"' in text


def test_points_of_the_new_version_alone_are_missed_by_bare_names(upgrade: Upgrade) -> None:
    new = {"id": 9_000, "vector": {"@v2": upgrade.new[0].tolist()}}
    put = upgrade.http.put(f"{upgrade.path}/points?wait=true", json={"points": [new]})
    result(put)
    reply = ask(upgrade, "query", {"query": upgrade.queries[0].tolist(), "limit": 500}, where="")
    assert ids_of(result(reply)) == {*range(POINTS)}
    (text,) = reply.json()["warnings"]
    assert text.startswith("1 points hold only version 'v2'")


def until_fitted(upgrade: Upgrade, rows: str, queries: str) -> dict[str, Any]:
    for _ in range(600):
        listed = result(upgrade.http.get(f"{upgrade.path}/adapters"))["adapters"]
        own = [one for one in listed if (one["rows"], one["queries"]) == (rows, queries)]
        assert own, listed  # shown from the first moment
        if own[0]["state"] == "fitted":
            fitted: dict[str, Any] = own[0]
            return fitted
        sleep(0.1)
    raise AssertionError(f"not fitted in a minute: {own}")


def test_clients_of_the_old_version_go_on_after_the_first_write(upgrade: Upgrade) -> None:
    """v2 is activated, one point is added through the plain name, docs@v1 is searched."""
    upgrade.migrate(range(HALF, POINTS))
    activated = upgrade.http.post(f"{upgrade.path}/versions/v2/activate", json={})
    assert result(activated) is True and "warnings" not in activated.json()
    new = {"id": 9_000, "vector": upgrade.new[3].tolist()}
    result(upgrade.http.put(f"{upgrade.path}/points?wait=true", json={"points": [new]}))
    body = {"query": upgrade.old[3].tolist(), "limit": 500, "params": {"exact": True}}
    found = ids_of(result(ask(upgrade, "query", body, where="@v1")))
    assert {*range(POINTS)} <= found
    until_fitted(upgrade, "v2", "v1")
    reply = ask(upgrade, "query", body, where="@v1")
    assert ids_of(result(reply)) == {*range(POINTS), 9_000} and "warnings" not in reply.json()
    assert {point["id"] for point in result(reply)["points"][:4]} >= {3, 9_000}
    result(upgrade.http.post(f"{upgrade.path}/versions/v1/activate", json={}))
    assert ids_of(result(ask(upgrade, "query", body, where=""))) == {*range(POINTS), 9_000}


def test_activating_says_when_no_way_back_can_be_fitted(upgrade: Upgrade) -> None:
    upgrade.http.request(
        "POST",
        f"{upgrade.path}/points/vectors/delete?wait=true",
        json={"points": list(range(5, POINTS)), "vector": ["@v2"]},
    )
    body = {"force": True}
    activated = upgrade.http.post(f"{upgrade.path}/versions/v2/activate", json=body)
    assert result(activated) is True
    (text,) = activated.json()["warnings"]
    assert "once 20 points hold both versions, 5 do now" in text
    assert result(upgrade.http.get(f"{upgrade.path}/adapters"))["adapters"] == []
