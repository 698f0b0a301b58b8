"""Sizes of collections have limits: of what is stored, not of the files it is in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.api.replies import refused, result

V = [1.0, 2.0, 3.0]


ONE = {"id": 2, "vector": {"": V}}


def _answered(status: int, http: httpx.Client, path: str, body: Any) -> httpx.Response:
    """Return a reply of a status; a count that took long is not repeated at once."""
    for _ in range(100):
        reply = http.post(path, json=body)
        if reply.status_code == status:
            break
        time.sleep(0.05)
    return reply


def test_payloads_are_measured_and_not_the_file_they_are_in(
    http: httpx.Client, limited: Callable[..., str]
) -> None:
    path = limited(max_collection_payload_size_bytes=4_000)
    long = {"points": [7], "payload": {"text": "x" * 1_900}}
    result(http.put(f"{path}/points?wait=true", json={"points": [{**ONE, "id": 7}]}))
    for _ in range(8):  # the log grows, the payload does not
        result(http.post(f"{path}/points/payload?wait=true", json=long))
    result(http.post(f"{path}/points/payload?wait=true", json={**long, "points": [1]}))
    result(http.post(f"{path}/points/payload?wait=true", json={**long, "points": [1], "key": "b"}))
    found = refused(_answered(400, http, f"{path}/points/payload", long), 400)
    assert "Max payload storage size limit of" in found
    result(http.post(f"{path}/points/payload/clear?wait=true", json={"points": [7]}))
    result(_answered(200, http, f"{path}/points/payload?wait=true", long))


@pytest.mark.parametrize(("datatype", "bytes"), [("float32", 4), ("float16", 2), ("uint8", 1)])
def test_vectors_are_measured_as_they_are_declared(
    datatype: str, bytes: int, http: httpx.Client
) -> None:
    path = f"/collections/strict_{datatype}"
    vectors = {"size": 100, "distance": "Dot", "datatype": datatype}
    strict = {"enabled": True, "max_collection_vector_size_bytes": 200 * bytes}
    result(http.put(path, json={"vectors": vectors, "strict_mode_config": strict}))
    for i in range(2):
        point = {"id": i, "vector": [1.0] * 100}
        result(http.put(f"{path}/points?wait=true", json={"points": [point]}))
    last = {"points": [{"id": 2, "vector": [1.0] * 100}]}
    assert "Max vector storage size" in refused(http.put(f"{path}/points", json=last), 400)
