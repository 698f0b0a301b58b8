"""Series count what happened, in both formats that scrapers ask for."""

from __future__ import annotations

import httpx

from tests.api.replies import result

V = [1.0, 2.0, 3.0]


def samples(text: str) -> dict[str, float]:
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_metrics_count_what_happened(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points"
    route = "/collections/{collection_name}/points"
    upserts = f'palimpsest_http_requests_total{{method="PUT",route="{route}",status="200"}}'
    failures = f'palimpsest_http_errors_total{{method="POST",route="{route}/query",status="400"}}'
    before = samples(http.get("/metrics").text)
    result(http.put(f"{path}?wait=true", json={"points": [{"id": 1, "vector": V}]}))
    result(http.post(f"{path}/query", json={"query": V}))
    http.post(f"{path}/query", json={"query": "?"})
    http.request("FROBNICATE", path)
    reply = http.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    after = samples(reply.text)
    assert after[upserts] == before[upserts] + 1
    assert after[failures] == before.get(failures, 0) + 1
    searches = "palimpsest_search_duration_seconds_count"
    assert after[searches] == before[searches] + 1
    assert after['palimpsest_search_stage_duration_seconds_count{stage="plan"}'] > 0
    assert after[f'palimpsest_points{{collection="{collection}"}}'] == 1
    memory = f'palimpsest_memory_used_bytes{{collection="{collection}",'
    assert any(name.startswith(memory) for name in after)
    assert after["process_resident_memory_bytes"] > 0
    assert not any("FROBNICATE" in name for name in after)


def test_metrics_as_openmetrics(http: httpx.Client) -> None:
    reply = http.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert reply.text.endswith("# EOF\n")
