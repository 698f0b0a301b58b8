"""What every client relies on: heads, slashes, pipelines, and a document of every route."""

from __future__ import annotations

import json
import re

import httpx

from tests.api.replies import result
from tests.api.served import Server

V = [1.0, 2.0, 3.0]


def test_head_and_trailing_slashes(http: httpx.Client, collection: str) -> None:
    point = {"points": [{"id": 1, "vector": V}]}
    result(http.put(f"/collections/{collection}/points/?wait=true", json=point))
    for path in ("/", f"/collections/{collection}", f"/collections/{collection}/points/1"):
        reply = http.head(path)
        assert (reply.status_code, reply.content) == (200, b"")
    assert result(http.get("/collections/"))["collections"]
    assert result(http.get(f"/collections/{collection}/"))["points_count"] == 1
    assert result(http.get(f"/collections/{collection}/points/1/"))["id"] == 1
    assert result(http.post(f"/collections/{collection}/points/query/", json={"query": V}))


def test_every_route_is_documented(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    operations = {
        f"{method.upper()} {path}" for path, each in document["paths"].items() for method in each
    }
    below = "/collections/{collection_name}"
    assert operations >= {
        "GET /",
        "GET /healthz",
        "GET /livez",
        "GET /readyz",
        "GET /metrics",
        "GET /collections",
        *(f"{method} {below}" for method in ("GET", "PUT", "PATCH", "DELETE")),
        f"GET {below}/exists",
        f"PUT {below}/points",
        f"POST {below}/points",
        f"GET {below}/points/{{id}}",
        *(f"POST {below}/points/{each}" for each in ("delete", "scroll", "count", "query")),
        f"POST {below}/points/query/batch",
    }
    for path, each in document["paths"].items():
        for method, operation in each.items():
            assert operation.get("description"), (method, path)
    for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]


def test_pipelined_requests_are_answered_in_order(server: Server, collection: str) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        one = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
        two = f"GET /collections/{collection}/exists HTTP/1.1\r\nhost: localhost\r\n".encode()
        connection.sendall(one + two + b"connection: close\r\n\r\n")
        received = b""
        while part := connection.recv(65_536):
            received += part
    assert received.index(b"healthz check passed") < received.index(b'"exists":true')
