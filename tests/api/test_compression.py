"""Replies are compressed for whoever takes them so, and only where they are long."""

from __future__ import annotations

import gzip
import json

import httpx

from tests.api.replies import result

V = [1.0, 2.0, 3.0]


def test_large_replies_are_compressed_when_asked(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points"
    payload = {"text": "long " * 10_000}
    points = {"points": [{"id": 1, "vector": V, "payload": payload}]}
    result(http.put(f"{path}?wait=true", json=points))
    for accepted, coding in (
        ("gzip", "gzip"),
        ("gzip; q=0.05", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip; q=0.00", None),
    ):
        reply = http.get(f"{path}/1", headers={"accept-encoding": accepted})
        assert reply.headers.get("content-encoding") == coding
        assert result(reply)["payload"] == payload
    small = http.post(f"{path}/count", json={}, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in small.headers
    with http.stream("GET", "/openapi.json", headers={"accept-encoding": "gzip"}) as reply:
        packed = b"".join(reply.iter_raw())
    assert reply.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed))["paths"]
