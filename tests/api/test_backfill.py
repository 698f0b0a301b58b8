"""What a version still lacks is listed by demand, and its filling is followed."""

from __future__ import annotations

import pytest

from tests.api.replies import refused, result
from tests.api.upgrades import HALF, POINTS, Upgrade, rotation


def test_backfill_lists_what_is_missing(upgrade: Upgrade) -> None:
    http, path = upgrade.http, f"{upgrade.path}/backfill"
    upgrade.fit()
    query = {"query": (upgrade.queries[0] @ rotation()).tolist(), "limit": 20}
    used = {one for one in upgrade.found(query, "@v2") if one >= HALF}
    for _ in range(30):
        upgrade.found(query, "@v2")
    asked: dict[str, str | int] = {"version": "v2", "limit": 10, "random_share": 0}
    points = result(http.get(path, params=asked))["points"]
    assert len(points) == 10
    assert all(point["id"] >= HALF for point in points)
    assert {point["id"] for point in points[:3]} <= used
    assert all("payload" not in point for point in points)
    assert all(point["demand"] >= 0 for point in points)
    told = {**asked, "order": "random", "with_payload": "true"}
    for point in result(http.get(path, params=told))["points"]:
        assert point["payload"]["n"] == point["id"]
        assert point["reason"]
    everything = result(http.get(path, params={**asked, "limit": POINTS}))["points"]
    assert sorted(point["id"] for point in everything) == list(range(HALF, POINTS))


def test_backfill_is_followed(upgrade: Upgrade) -> None:
    path = f"{upgrade.path}/backfill/status?version=v2"
    status = result(upgrade.http.get(path))
    assert (status["points"], status["covered"], status["remaining"]) == (POINTS, HALF, HALF)
    assert status["coverage"] == 0.5
    upgrade.fit()
    assert 0 < result(upgrade.http.get(path))["expected_quality"] <= 1.05
    upgrade.migrate(range(HALF, POINTS))
    status = result(upgrade.http.get(path))
    assert (status["remaining"], status["coverage"]) == (0, 1.0)
    assert result(upgrade.http.get(f"{upgrade.path}/backfill?version=v2")) == {"points": []}


def test_a_rate_is_there_right_after_some_batches(upgrade: Upgrade) -> None:
    path = f"{upgrade.path}/backfill/status?version=v2"
    for start in range(HALF, HALF + 150, 10):
        upgrade.migrate(range(start, start + 10))
    status = result(upgrade.http.get(path))
    assert status["remaining"] == POINTS - HALF - 150
    assert status["rate"] > 0
    assert status["eta_seconds"] == pytest.approx(status["remaining"] / status["rate"])


@pytest.mark.parametrize(
    ("below", "status", "text"),
    [
        ("backfill", 400, "version: Field required"),
        ("backfill?version=v9", 404, "'v9'"),
        ("backfill?version=v2&limit=0", 422, "limit"),
        ("backfill?version=v2&limit=many", 400, "Deserialize error in query parameters: limit"),
        ("backfill?version=v2&order=best", 400, "order"),
        ("backfill?version=v2&random_share=2", 422, "Validation error in query parameters"),
        ("backfill?version=v2&random_share=nan", 422, "random_share"),
        ("backfill?version=v2&with_payload=some", 400, "with_payload"),
        ("backfill?version=v2&colour=red", 400, "unknown field `colour`"),
        ("backfill?version=v2&vector=text", 400, "text"),
        ("backfill/status", 400, "version: Field required"),
        ("backfill/status?version=v9", 404, "'v9'"),
        ("backfill/status?version=v2&limit=3", 400, "unknown field `limit`"),
    ],
)
def test_backfills_that_are_refused(below: str, status: int, text: str, upgrade: Upgrade) -> None:
    assert text in refused(upgrade.http.get(f"{upgrade.path}/{below}"), status)
