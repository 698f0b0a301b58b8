"""Writes are refused before memory runs out; reads and deletions go on."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.api.leaving import as_text
from tests.api.served import Server, serving

MIB = 1024 * 1024
ROOM = 150 * MIB  # above what an idle server holds
SIZE, BATCH, MOST = 1_536, 250, 200


def resident(server: Server, kind: str) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.findall(rf"^{kind}:\s+(\d+) kB", status, re.MULTILINE)
    return 1024 * int(found[0])


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> int:
    with serving(tmp_path_factory.mktemp("idle")) as server:
        return resident(server, "RssAnon")


@pytest.fixture
def server(tmp_path: Path, idle: int) -> Iterator[Server]:
    with serving(tmp_path, PALIMPSEST_MEMORY_LIMIT=str(idle + ROOM)) as running:
        yield running


def points(start: int) -> list[dict[str, object]]:
    vectors = np.random.default_rng(start).standard_normal((BATCH, SIZE), dtype=np.float32)
    return [{"id": start + n, "vector": as_text(vector)} for n, vector in enumerate(vectors)]


def fill(http: httpx.Client, name: str, *, in_batches: bool = False) -> httpx.Response:
    """Write until the server refuses; return the refusal."""
    path = f"/collections/{name}/points"
    for n in range(MOST):
        body = {"points": points(n * BATCH)}
        if in_batches:
            reply = http.post(f"{path}/batch", json={"operations": [{"upsert": body}]})
        else:
            reply = http.put(path, json=body)
        if reply.status_code != 200:
            return reply
    raise AssertionError(f"{MOST * BATCH} points of {SIZE} dimensions were all taken")


def test_a_server_that_is_full_reads_deletes_and_recovers(server: Server, idle: int) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        # rows that wait for a seal are what takes memory here
        spaces = {"vectors": {"size": SIZE, "distance": "Euclid"}}
        for name in ("a", "b"):
            assert http.put(f"/collections/{name}", json=spaces).status_code == 200
        assert fill(http, "b").status_code == 507
        refused = fill(http, "a")
        assert refused.status_code == 507
        error = refused.json()["status"]["error"]
        assert str(idle + ROOM) in error and "PALIMPSEST_MEMORY_LIMIT" in error
        assert fill(http, "a", in_batches=True).status_code == 507
        query = {"query": [0.5] * SIZE, "with_payload": True}
        assert http.post("/collections/b/points/query", json=query).status_code == 200
        assert http.post("/collections/b/points/scroll", json={"limit": 10}).status_code == 200
        for large in ({"limit": 10**6}, {"limit": 2**64 - 1, "filter": {"must_not": []}}):
            large |= {"with_vector": True}
            reply = http.post("/collections/b/points/scroll", json=large)
            assert reply.status_code == 507 and "fewer points" in reply.text
            reply = http.post("/collections/b/points/query", json={**query, **large})
            assert reply.status_code == 507 and "fewer points" in reply.text
            each = {"searches": [{**query, "with_vector": True, "limit": 1_000}] * 20}
            assert http.post("/collections/b/points/query/batch", json=each).status_code == 507
        assert http.post("/collections/b/points/delete", json={"points": [1]}).status_code == 200
        batch = {"operations": [{"delete": {"points": [2]}}]}
        assert http.post("/collections/b/points/batch", json=batch).status_code == 200
        series = http.get("/metrics").text
        (limit,) = re.findall(r"^palimpsest_memory_limit_bytes (\S+)", series, re.MULTILINE)
        assert float(limit) == idle + ROOM
        assert 'palimpsest_requests_refused_total{reason="memory"} 0.0' not in series
        assert http.delete("/collections/b").status_code == 200
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            again = http.put("/collections/a/points", json={"points": points(0)})
            if again.status_code == 200:
                break
            time.sleep(0.2)
        assert again.status_code == 200, again.text
    # pages of mapped files and of the program itself are not part of the budget
    assert resident(server, "RssAnon") < idle + ROOM
    assert resident(server, "VmHWM") < idle + ROOM + 300 * MIB


def test_points_that_are_deleted_at_the_limit_make_room(tmp_path: Path, idle: int) -> None:
    """Rows of growing parts and of segments alike, without a restart or a dropped collection."""
    limit = str(idle + ROOM)
    with serving(tmp_path, PALIMPSEST_MEMORY_LIMIT=limit) as server:
        with httpx.Client(base_url=server.url, timeout=60) as http:
            spaces = {"vectors": {"size": SIZE, "distance": "Cosine"}}
            assert http.put("/collections/a", json=spaces).status_code == 200
            refused = fill(http, "a")
            assert refused.status_code == 507
            stored = http.post("/collections/a/points/count", json={}).json()["result"]["count"]
            gone = {"points": list(range(stored - BATCH))}
            assert http.post("/collections/a/points/delete", json=gone).status_code == 200
            deadline = time.monotonic() + 60
            written = 0
            while time.monotonic() < deadline and written < 5:
                again = http.put("/collections/a/points", json={"points": points(stored)})
                written += again.status_code == 200
                time.sleep(0 if again.status_code == 200 else 0.5)
            assert written == 5, again.text
            info = http.get("/collections/a").json()["result"]
            assert info["status"] != "red", info
            assert info["points_count"] == 2 * BATCH
