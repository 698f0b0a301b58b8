"""Adapters through the API: fitted on held or given pairs, listed, dropped; rows made over."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.replies import refused, result
from tests.api.upgrades import HALF, NEW, OLD, Rows, Upgrade, old_rows, rotation


def packed(rows: Rows) -> list[str]:
    return [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in rows]


def adapters(upgrade: Upgrade) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = result(upgrade.http.get(f"{upgrade.path}/adapters"))["adapters"]
    return listed


def test_an_adapter_is_fitted_on_points_that_hold_both(upgrade: Upgrade) -> None:
    assert adapters(upgrade) == []
    started = time.time()
    fitted = upgrade.fit()
    assert (fitted["vector"], fitted["rows"], fitted["queries"]) == ("", "v1", "v2")
    assert (fitted["kind"], fitted["state"], fitted["progress"]) == ("ridge", "fitted", 1.0)
    assert fitted["pairs"] + fitted["held_out"] <= HALF
    assert fitted["held_out"] > 0
    assert started - 1 <= fitted["fitted_at"] <= time.time() + 1
    report = fitted["report"]
    assert report["verdict"] in ("stay", "bridge", "cascade", "reindex")
    assert 0.9 < report["arr"] <= 1.05
    low, high = report["arr_interval"]
    assert low <= report["arr"] <= high
    assert adapters(upgrade) == [fitted]


def test_an_adapter_is_fitted_on_given_pairs(upgrade: Upgrade) -> None:
    rows = old_rows(600, seed=9)
    queries = rows @ rotation()
    for given in (
        {"rows": rows.tolist(), "queries": queries.tolist()},
        {"rows": packed(rows), "queries": packed(queries)},
    ):
        fitted = upgrade.fit(pairs=given, kind="procrustes", holdout=0.25)
        assert fitted["kind"] == "procrustes"
        assert fitted["pairs"] + fitted["held_out"] == 600
        assert 100 < fitted["held_out"] < 200
    assert len(adapters(upgrade)) == 1
    held = {"rows": rows[:100].tolist(), "queries": queries[:100].tolist()}
    assert upgrade.fit(query_pairs=held)["report"]["verdict"]


def test_the_best_kind_is_chosen(upgrade: Upgrade) -> None:
    fitted = upgrade.fit(kind="auto")
    assert fitted["kind"] != "auto"
    assert fitted["report"]["arr"] > 0.9
    assert (fitted["untried"], fitted["improving"]) == (["mlp"], None)  # that takes longer
    deadline = time.monotonic() + 120
    while adapters(upgrade)[0]["untried"] and time.monotonic() < deadline:
        time.sleep(0.05)
    (after,) = adapters(upgrade)
    tried = [one["kind"] for one in after["report"]["kinds"]]
    assert tried == [*(one["kind"] for one in fitted["report"]["kinds"]), "mlp"]


def test_adapters_that_need_no_fitting(upgrade: Upgrade) -> None:
    matrix = rotation().T  # a row per dimension of a query
    given = upgrade.fit(kind="matrix", matrix=matrix.tolist())
    assert given["kind"] == "matrix"
    query = upgrade.queries[0]
    body = {"query": (query @ rotation()).tolist(), "params": {"exact": True}}
    found = upgrade.found(body, "@v2")
    assert len(set(found) & set(upgrade.best(query))) >= 8


def test_dropping_an_adapter(upgrade: Upgrade) -> None:
    path = f"{upgrade.path}/adapters"
    upgrade.fit()
    assert result(upgrade.http.delete(f"{path}/v1/v2?vector=")) is True
    assert adapters(upgrade) == []
    assert "no adapter from rows of version 'v1'" in refused(
        upgrade.http.delete(f"{path}/v1/v2"), 404
    )
    for below, status in (
        ("v1/v9", 404),
        ("v1/v2?vector=text", 400),
        ("v1/v2?colour=red", 400),
    ):
        refused(upgrade.http.delete(f"{path}/{below}"), status)


ROWS = [[float(i == j) for j in range(OLD)] for i in range(OLD)]
QUERIES = [[float(i == j) for j in range(NEW)] for i in range(OLD)]


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"rows": "v2"}, 400, "expected two versions"),
        ({"rows": "v9"}, 404, "'v9'"),
        ({"queries": "v9"}, 404, "'v9'"),
        ({"vector": "text"}, 400, "text"),
        ({"kind": "magic"}, 400, "magic"),
        ({"rows": None}, 400, "rows"),
        ({"more": 1}, 400, "more"),
        ({"pairs": "all"}, 400, "pairs"),
        ({"pairs": {"rows": ROWS}}, 400, "queries"),
        ({"pairs": {"rows": [], "queries": []}}, 422, "at least one pair"),
        ({"pairs": {"rows": ROWS, "queries": QUERIES[1:]}}, 422, "8 rows and 7 queries"),
        ({"pairs": {"rows": ROWS, "queries": ROWS}}, 400, "expected dim: 12, got 8"),
        ({"pairs": {"rows": [[1, 2]], "queries": QUERIES[:1]}}, 400, "pairs.rows"),
        ({"pairs": {"rows": [["a"] * OLD], "queries": QUERIES[:1]}}, 400, "pairs.rows"),
        ({"pairs": {"rows": ROWS, "queries": QUERIES}}, 400, "pairs"),
        ({"pairs": {"rows": ROWS[:1] * 500, "queries": QUERIES[:1] * 500}}, 400, "pairs"),
        ({"query_pairs": {"rows": ROWS[:1], "queries": []}}, 422, "query_pairs"),
        ({"anchors": {"rows": ROWS, "queries": QUERIES}}, 400, "`anchors`"),
        ({"matrix": QUERIES}, 400, "belong together"),
        ({"kind": "matrix"}, 400, "belong together"),
        ({"kind": "matrix", "matrix": QUERIES}, 400, "matrix"),
        ({"holdout": 0}, 422, "holdout"),
        ({"holdout": 1.5}, 422, "holdout"),
        ({"holdout": "a"}, 400, "holdout"),
        ({"max_pairs": 0}, 422, "max_pairs"),
    ],
)
def test_fits_that_are_refused(
    change: dict[str, Any], status: int, text: str, upgrade: Upgrade
) -> None:
    body = {"rows": "v1", "queries": "v2", "kind": "ridge", **change}
    reply = upgrade.http.post(f"{upgrade.path}/adapters", json=body)
    assert text in refused(reply, status)
    assert adapters(upgrade) == []


def test_pairs_that_are_not_finite(upgrade: Upgrade) -> None:
    rows = old_rows(50)
    queries = rows @ rotation()
    rows[3, 2] = np.nan
    body = {
        "rows": "v1",
        "queries": "v2",
        "pairs": {"rows": packed(rows), "queries": packed(queries)},
    }
    text = refused(upgrade.http.post(f"{upgrade.path}/adapters", json=body), 400)
    assert "pairs.rows" in text


def test_too_few_points_hold_both(http: httpx.Client, make: Callable[..., str]) -> None:
    upgrade = Upgrade(http, make(vectors={"size": OLD, "distance": "Cosine"}))
    upgrade.fill()
    upgrade.declare()
    body = {"rows": "v1", "queries": "v2"}
    text = refused(http.post(f"{upgrade.path}/adapters", json=body), 400)
    assert "pairs" in text


def test_searches_go_on_while_an_adapter_is_fitted(upgrade: Upgrade) -> None:
    rows = old_rows(1_500, seed=11)
    given = {"rows": packed(rows), "queries": packed(rows @ rotation())}
    body = {"rows": "v1", "queries": "v2", "kind": "mlp", "pairs": given}
    replies: list[httpx.Response] = []

    def fit() -> None:
        with httpx.Client(base_url=upgrade.http.base_url, timeout=120) as client:
            replies.append(client.post(f"{upgrade.path}/adapters", json=body))

    fitting = threading.Thread(target=fit)
    fitting.start()
    stages, slowest = set(), 0.0
    query = {"query": upgrade.queries[0].tolist()}
    while fitting.is_alive():
        started = time.perf_counter()
        assert len(upgrade.found(query)) == 10
        slowest = max(slowest, time.perf_counter() - started)
        stages |= {(one["state"], one["stage"]) for one in adapters(upgrade)}
        time.sleep(0.01)
    fitting.join()
    assert result(replies[0])["kind"] == "mlp"
    assert any(state == "fitting" for state, _ in stages)
    assert slowest < 5


def test_a_fit_that_outlasts_its_request_goes_on(upgrade: Upgrade) -> None:
    rows = old_rows(8_000, seed=12)
    given = {"rows": packed(rows), "queries": packed(rows @ rotation())}
    body = {"rows": "v1", "queries": "v2", "kind": "mlp", "pairs": given, "max_pairs": 8_000}
    reply = upgrade.http.post(f"{upgrade.path}/adapters?timeout=1", json=body)
    if reply.status_code == 408:
        assert "the fit took longer than `timeout`; it goes on" in refused(reply, 408)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        listed = adapters(upgrade)
        if listed and listed[0]["state"] == "fitted":
            break
        time.sleep(0.1)
    assert listed[0]["kind"] == "mlp"


def test_rows_are_consolidated(upgrade: Upgrade) -> None:
    path = f"{upgrade.path}/versions/v2/consolidate"
    refused(upgrade.http.post(path, json={"rows": "v1"}), 404)  # there is no adapter yet
    upgrade.fit()
    assert result(upgrade.http.post(path, json={"rows": "v1"})) == {"points": HALF}
    listed = result(upgrade.http.get(f"{upgrade.path}/versions"))["versions"]
    mapped = [one for one in listed if one["mapped_from"] is not None]
    assert [(one["mapped_from"], one["points"], one["size"]) for one in mapped] == [
        ("v1", HALF, NEW)
    ]
    query = upgrade.queries[0]
    found = upgrade.found({"query": (query @ rotation()).tolist()}, "@v2")
    assert len(set(found) & set(upgrade.best(query))) >= 7
