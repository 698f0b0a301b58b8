"""A server with a damaged payload index serves the collection, and says what it does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.api.replies import result
from tests.api.served import Server

URL = "/collections/damaged"
MINUTE = 60
COUNT = {"filter": {"must": {"key": "цвет", "match": {"value": "к"}}}}


@contextmanager
def running(data: Path) -> Iterator[tuple[Server, httpx.Client]]:
    server = Server(data)
    try:
        server.wait_until_ready()
        with httpx.Client(base_url=server.url, timeout=MINUTE) as client:
            yield server, client
    finally:
        server.process.kill()
        server.process.wait()


def test_a_damaged_payload_index_is_built_again(tmp_path: Path) -> None:
    with running(tmp_path) as (server, http):
        result(http.put(URL, json={"vectors": {}}))
        body = {"field_name": "цвет", "field_schema": "keyword"}
        result(http.put(f"{URL}/index?wait=true", json=body))
        points = [{"id": n, "vector": {}, "payload": {"цвет": "кб"[n % 2]}} for n in range(100)]
        result(http.put(f"{URL}/points?wait=true", json={"points": points}))
        assert server.stop() == 0
    for file in tmp_path.glob("collections/*/fields/*/*.npy"):
        file.write_bytes(file.read_bytes()[:-1] + b"\x7f")
    with running(tmp_path) as (server, http):
        assert result(http.post(f"{URL}/points/count", json=COUNT))["count"] == 50
        schema = result(http.get(URL))["payload_schema"]
        assert schema["цвет"]["data_type"] == "keyword"
        series = 'palimpsest_payload_index_rebuilds_total{collection="damaged",reason="damage"} 1.0'
        assert series in http.get("/metrics").text
        deadline = time.monotonic() + MINUTE
        while result(http.get(URL))["payload_schema"]["цвет"]["points"] < 100:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert result(http.post(f"{URL}/points/count", json=COUNT))["count"] == 50
        assert server.stop() == 0
