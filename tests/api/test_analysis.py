"""Two versions compared on queries of both, judged and unjudged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.replies import refused, result
from tests.api.upgrades import HALF, NEW, OLD, POINTS, Upgrade, rotation


def adapters(upgrade: Upgrade) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = result(upgrade.http.get(f"{upgrade.path}/adapters"))["adapters"]
    return listed


ROWS = [[float(i == j) for j in range(OLD)] for i in range(OLD)]


QUERIES = [[float(i == j) for j in range(NEW)] for i in range(OLD)]


def test_comparing_two_versions(upgrade: Upgrade) -> None:
    fitted = upgrade.fit()
    old = upgrade.queries
    queries = {"v1": old.tolist(), "v2": (old @ rotation()).tolist()}
    body: dict[str, Any] = {"old": "v1", "new": "v2", "queries": queries}
    path = f"{upgrade.path}/compare"
    compared = result(upgrade.http.post(path, json=body))
    assert compared["overlap"]["bridged"] == pytest.approx(1.0, abs=0.05)
    assert (compared["queries"], compared["points"], compared["k"]) == (
        20,
        HALF - fitted["pairs"],
        10,
    )
    assert compared["fitted_points"] == fitted["pairs"]
    assert len(compared["matrix"]) == 2
    assert compared["verdict"] == "stay"  # the new model finds what the old one finds
    body["relevant"] = [upgrade.best(query, 3) for query in old]
    judged = result(upgrade.http.post(path, json={**body, "k": 5}))
    assert judged["measure"] == "ndcg"
    assert (judged["k"], judged["points"]) == (5, POINTS - fitted["pairs"])
    assert judged["old_old"] > 0.9
    counted = judged["counted"]
    left_out = sum(len(places) for places in counted["left_out"].values())
    assert counted["given"] == 20 == counted["all_rows"] + left_out
    assert judged["judged"] == counted["all_rows"]
    (adapter,) = adapters(upgrade)
    assert adapter["report"]["verdict"] == judged["verdict"]
    assert adapter["report"]["judged"]["queries"] == judged["judged"]


def test_graded_judgements(upgrade: Upgrade) -> None:
    upgrade.fit()
    point = "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77"
    query = upgrade.queries[0]
    upgrade.http.put(
        f"{upgrade.path}/points?wait=true",
        json={"points": [{"id": point, "vector": query.tolist()}]},
    ).raise_for_status()
    first = upgrade.best(query, 1)[0]
    queries = {"v1": [query.tolist()] * 3, "v2": [(query @ rotation()).tolist()] * 3}
    graded = [{point: 3, str(first): 1}, {f"urn:uuid:{point.upper()}": 1.5}, {"77": 0}]
    body = {"old": "v1", "new": "v2", "queries": queries, "relevant": graded}
    path = f"{upgrade.path}/compare"
    found = result(upgrade.http.post(path, json=body))
    assert found["judged"] == 2
    assert found["counted"]["left_out"] == {"nothing is relevant to it": [2]}
    assert found["old_old"] > 0.9  # it is the point itself
    mixed = [[point], graded[0], [first]]
    assert result(upgrade.http.post(path, json={**body, "relevant": mixed}))["judged"] >= 2
    for bad, status, text in (
        ([{point: -1}, [], []], 422, "relevant[0]"),
        ([{"no id": 1}, [], []], 400, "no id"),
        ([{point: "much"}, [], []], 400, "relevant"),
        ([{point: None}, [], []], 400, "relevant"),
        ([{point: 1, point.replace("-", ""): 2}, [], []], 400, "two grades"),
        ([{}, [], []], 400, "nothing is relevant"),
        ([17, [], []], 400, "relevant"),
    ):
        reply = upgrade.http.post(path, json={**body, "relevant": bad})
        assert text in refused(reply, status), bad


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"old": "v2"}, 400, "expected two versions"),
        ({"old": "v9", "queries": {"v9": [[1]], "v2": [[1]]}}, 404, "'v9'"),
        ({"queries": {"v1": ROWS}}, 400, "queries"),
        ({"queries": {"v1": ROWS, "v2": QUERIES, "v3": ROWS}}, 400, "queries"),
        ({"queries": {"v1": ROWS, "v2": QUERIES[1:]}}, 422, "got 8 and 7"),
        ({"queries": {"v1": [], "v2": []}}, 422, "got 0 and 0"),
        ({"queries": {"v1": ROWS, "v2": ROWS}}, 400, "expected dim: 12, got 8"),
        ({"k": 0}, 422, "k"),
        ({"relevant": [[1]]}, 422, "relevant"),
        ({"relevant": [["?"]] * OLD}, 400, "Invalid point id"),
        ({"colour": 1}, 400, "colour"),
    ],
)
def test_comparisons_that_are_refused(
    change: dict[str, Any], status: int, text: str, upgrade: Upgrade
) -> None:
    body = {"old": "v1", "new": "v2", "queries": {"v1": ROWS, "v2": QUERIES}, **change}
    assert text in refused(upgrade.http.post(f"{upgrade.path}/compare", json=body), status)
