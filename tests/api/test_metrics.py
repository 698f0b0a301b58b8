"""Series count what happened, in both formats that scrapers ask for."""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path
from typing import Any

import httpx
import pytest

from palimpsest.app.main import create_app
from palimpsest.app.settings import Settings
from tests.api.replies import result
from tests.api.served import serving

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
    assert after[upserts] == before.get(upserts, 0) + 1
    assert after[failures] == before.get(failures, 0) + 1
    labels = f'collection="{collection}",filtered="false",kind="dense",vector=""'
    assert after[f"palimpsest_search_duration_seconds_count{{{labels}}}"] == 1
    sizes = f'palimpsest_http_request_size_bytes_sum{{method="PUT",route="{route}",status="200"}}'
    assert after[sizes] > before.get(sizes, 0) + 30
    assert after['palimpsest_search_stage_duration_seconds_count{stage="plan"}'] > 0
    assert after[f'palimpsest_points{{collection="{collection}"}}'] == 1
    memory = f'palimpsest_memory_used_bytes{{collection="{collection}",'
    assert any(name.startswith(memory) for name in after)
    assert after["process_resident_memory_bytes"] > 0
    assert not any("FROBNICATE" in name for name in after)


@pytest.mark.parametrize("path", ["/points/query", "/points/count", ""])
def test_openmetrics_has_the_traces_of_sampled_requests(
    http: httpx.Client, collection: str, path: str
) -> None:
    """By the short way, by that of point routes, and by FastAPI's."""
    trace = f"{secrets.randbits(127) + 1:032x}"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    url = f"/collections/{collection}{path}"
    if path:
        result(http.post(url, json={"query": V} if "query" in path else {}, headers=headers))
    else:
        result(http.get(url, headers=headers))
    reply = http.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert reply.text.endswith("# EOF\n")
    (line,) = [line for line in reply.text.splitlines() if trace in line]
    assert f'collection_name}}{path}",status="200"}}' in line
    assert trace not in http.get("/metrics").text


def test_routes_that_were_never_called_have_no_series(tmp_path: Path) -> None:
    with serving(tmp_path) as server, httpx.Client(base_url=server.url) as client:
        client.get("/collections")
        text = client.get("/metrics").text
    routes = set(re.findall(r'route="([^"]*)"', text))
    assert routes - {"/readyz", "/metrics"} == {"/collections"}
    assert text.count("# TYPE palimpsest_http_requests_total counter") == 1


def test_metrics_can_be_turned_off(tmp_path: Path) -> None:
    with (
        serving(tmp_path, PALIMPSEST_METRICS="false") as server,
        httpx.Client(base_url=server.url) as client,
    ):
        result(client.put("/collections/a", json={"vectors": {"size": 3, "distance": "Dot"}}))
        result(client.post("/collections/a/points/query", json={"query": V}))
        reply = client.get("/metrics")
        assert reply.status_code == 404
        assert "PALIMPSEST_METRICS" in reply.text
        assert result(client.get("/telemetry"))["requests"]["rest"]["responses"] == {}


def test_metrics_while_the_collections_are_being_opened(tmp_path: Path) -> None:
    app: Any = create_app(Settings(data=tmp_path), opens=False)
    app.context.life.opens(1, 4)
    transport = httpx.ASGITransport(app)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get("/metrics")

    reply = asyncio.run(ask())
    assert reply.status_code == 200
    found = samples(reply.text)
    assert found["palimpsest_startup_progress_ratio"] == 0.25
    assert found["palimpsest_ready"] == found["palimpsest_collections"] == 0
