"""Versions compared without judged queries: by labels of points, and as a chain."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.replies import refused, result
from tests.api.upgrades import HALF, NEW, OLD, Upgrade, rotation

ROWS = [[float(i == j) for j in range(OLD)] for i in range(OLD)]


def test_points_ask_where_labels_tell(upgrade: Upgrade) -> None:
    path = f"{upgrade.path}/compare"
    body: dict[str, Any] = {"old": "v1", "new": "v2", "relevant_by": "tag", "k": 5}
    found = result(upgrade.http.post(path, json=body))
    assert (found["versions"], found["measure"]) == (["v1", "v2"], "agreement")
    assert (found["queries"], found["points"], found["k"]) == (HALF, HALF, 5)
    assert found["labels"]["field"] == "tag"
    assert found["labels"]["chance"] == pytest.approx(1 / 3, abs=0.02)  # t0, t1 and t2 in turns
    (step,) = found["steps"]
    # A rotation finds the same neighbours, so nothing is better.
    assert (step["verdict"], step["over_old"]["reindex"]["value"]) == ("stay", 0)
    same = {"versions": ["v1", "v2"], "relevant_by": "tag", "k": 5}
    assert result(upgrade.http.post(path, json=same)) == found
    few = result(upgrade.http.post(path, json={**body, "sample": 30}))
    assert few["queries"] == 30
    upgrade.fit()
    bridged = result(upgrade.http.post(path, json=body))
    assert bridged["points"] == HALF - bridged["fitted_points"] < HALF
    assert bridged["matrix"][1][0]["value"] == pytest.approx(bridged["am"], abs=0.05)


def test_a_chain_of_versions_on_queries(upgrade: Upgrade) -> None:
    queries = {"v1": upgrade.queries.tolist(), "v2": (upgrade.queries @ rotation()).tolist()}
    body: dict[str, Any] = {"versions": ["v1", "v2"], "queries": queries}
    path = f"{upgrade.path}/compare"
    found = result(upgrade.http.post(path, json=body))
    assert (found["measure"], found["steps"]) == ("overlap", [])
    assert found["matrix"][0][0]["value"] == pytest.approx(1.0)
    judged = [[i] for i in range(20)]
    found = result(upgrade.http.post(path, json={**body, "relevant": judged}))
    assert (found["measure"], found["counted"]["all_rows"]) == ("known_item", 20)
    assert [step["verdict"] for step in found["steps"]] == ["stay"]


def test_a_virtual_collection_compares_too(upgrade: Upgrade) -> None:
    body = {"old": "v1", "new": "v2", "relevant_by": "tag"}
    found = result(upgrade.http.post(f"{upgrade.path}@v2/compare", json=body))
    assert found["versions"] == ["v1", "v2"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 400, "`old` and `new`, or `versions`"),
        ({"old": "v1"}, 400, "`old` and `new`, or `versions`"),
        ({"old": "v1", "new": "v2", "versions": ["v1", "v2"]}, 400, "give either"),
        ({"versions": ["v1"], "relevant_by": "tag"}, 422, "expected 2 to 8, got 1"),
        ({"versions": ["v1", "v1"], "relevant_by": "tag"}, 400, "expected different ones"),
        ({"versions": ["v1", "v9"], "relevant_by": "tag"}, 404, "'v9'"),
        ({"versions": ["v1", "v2"]}, 400, "or name a payload field by `relevant_by`"),
        ({"versions": ["v1", "v2"], "sample": 9}, 400, "`sample`"),
        ({"versions": ["v1", "v2"], "relevant_by": "tag", "sample": 1}, 422, "sample"),
        ({"versions": ["v1", "v2"], "relevant_by": "tag", "sample": 2_001}, 422, "sample"),
        ({"versions": ["v1", "v2"], "relevant_by": "tag", "relevant": [[1]]}, 400, "leave out"),
        ({"versions": ["v1", "v2"], "relevant_by": "tag", "queries": {"v1": ROWS}}, 400, "leave"),
        ({"versions": ["v1", "v2"], "relevant_by": "tag["}, 400, "tag["),
        ({"versions": ["v1", "v2"], "relevant_by": "n"}, 400, "no two of the 200"),
        ({"versions": ["v1", "v2"], "relevant_by": "naïve"}, 400, "0 of 200 points"),
        ({"versions": ["v1", "v2"], "queries": {"v1": ROWS, "v2": [[0.1] * NEW]}}, 422, "8 and 1"),
    ],
)
def test_comparisons_that_are_refused(
    body: dict[str, Any], status: int, text: str, upgrade: Upgrade
) -> None:
    assert text in refused(upgrade.http.post(f"{upgrade.path}/compare", json=body), status)
