"""The wire as an attacker and as a browser meet it: hosts, origins, bodies, headers of replies."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from palimpsest.app.wire.replies import SECURE
from tests.api.replies import refused, result
from tests.api.served import BODY_LIMIT, Server, serving

V = [1.0, 2.0, 3.0]
QUERY = {"query": V, "limit": 3}
FOREIGN = (
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
)


@pytest.fixture
def query(http: httpx.Client, collection: str) -> str:
    points = [{"id": i, "vector": [i, i, i]} for i in range(5)]
    below = f"/collections/{collection}/points"
    result(http.put(f"{below}?wait=true", json={"points": points}))
    return f"{below}/query"


def routes(query: str) -> Iterator[tuple[str, str, Any]]:
    """A route of each kind: short, of points, of FastAPI, of the server, unknown."""
    yield "POST", query, QUERY
    yield "POST", query.replace("/query", "/scroll"), {}
    yield "PUT", query.replace("/query", ""), {"points": [{"id": 1, "vector": V}]}
    yield "PATCH", query.partition("/points")[0], {"metadata": {"a": 1}}
    yield "GET", query.partition("/points")[0], None
    for path in ("/", "/collections", "/metrics", "/healthz", "/openapi.json", "/docs", "/nowhere"):
        yield "GET", path, None


def exchange(server: Server, sent: bytes) -> tuple[int, bytes]:
    """Send bytes, read until the server closes, return the first status and everything."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(65_536):
            received += part
    return int(received.split()[1]), received


def test_pages_of_other_origins_are_refused_everywhere(http: httpx.Client, query: str) -> None:
    for method, path, body in routes(query):
        for headers in FOREIGN:
            reply = http.request(method, path, json=body, headers=headers)
            assert "PALIMPSEST_ALLOWED_ORIGINS" in refused(reply, 403), (path, headers)
            assert "access-control-allow-origin" not in reply.headers
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "origin": "http://evil.example"}
    assert http.get("/", headers=upgrade).status_code == 403
    asked = {"origin": "http://evil.example", "access-control-request-method": "PUT"}
    assert http.options(query, headers=asked).status_code == 403


def test_pages_of_the_server_itself_may_call(
    server: Server, http: httpx.Client, query: str
) -> None:
    own = {"origin": server.url, "sec-fetch-site": "same-origin"}
    for method, path, body in routes(query):
        reply = http.request(method, path, json=body, headers=own)
        assert reply.status_code == (404 if path == "/nowhere" else 200), path
        assert "access-control-allow-origin" not in reply.headers


def test_other_hosts_are_refused_everywhere(http: httpx.Client, query: str) -> None:
    for method, path, body in routes(query):
        for host in ("evil.example", "evil.example:6333", "localhost.evil.example"):
            reply = http.request(method, path, json=body, headers={"host": host})
            assert "DNS rebinding" in refused(reply, 421)
        reply = http.request(method, path, json=body, headers={"host": "a b"})
        assert "malformed Host" in refused(reply, 400)


def test_a_request_has_one_host_or_none(server: Server) -> None:
    get = b"GET /healthz HTTP/1.1\r\nconnection: close\r\n"
    assert exchange(server, get + b"\r\n")[0] == 200
    assert exchange(server, b"GET /healthz HTTP/1.0\r\n\r\n")[0] == 200
    assert exchange(server, get + b"host: localhost\r\nhost: localhost\r\n\r\n")[0] == 400
    assert exchange(server, get + b"host: localhost\r\nhost: evil.example\r\n\r\n")[0] == 400


def test_the_target_of_a_request_may_name_the_host(server: Server) -> None:
    rest = b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    assert exchange(server, b"GET http://localhost/healthz" + rest)[0] == 200
    assert exchange(server, b"GET http://evil.example/healthz" + rest)[0] == 421
    assert exchange(server, b"GET http://evil.example" + rest)[0] == 421
    assert exchange(server, b"GET http://u@localhost/healthz" + rest)[0] == 400
    assert exchange(server, b"GET http:///healthz" + rest)[0] == 400
    assert exchange(server, b"GET http://localhost/healthz#a" + rest)[0] == 400
    assert exchange(server, b"GET /healthz#a" + rest)[0] == 400
    assert exchange(server, b"CONNECT evil.example:80" + rest)[0] == 400
    rest = rest.replace(b"localhost", b"evil.example")
    assert exchange(server, b"GET http://localhost/healthz" + rest)[0] == 200


def test_bodies_are_declared_as_json(http: httpx.Client, query: str) -> None:
    for method, path, body in routes(query):
        if body is None:
            continue
        content = json.dumps(body).encode()
        for given in ("text/plain", "application/x-www-form-urlencoded", "text/plain;+json", ""):
            reply = http.request(method, path, content=content, headers={"content-type": given})
            assert "content-type: application/json" in refused(reply, 415), path
        for given in ("application/json; charset=utf-8", "Application/JSON", "a/b+json"):
            result(http.request(method, path, content=content, headers={"content-type": given}))
        result(http.request(method, path, content=content))  # declared as nothing
        twice = [("content-type", "application/json")] * 2
        assert http.request(method, path, content=content, headers=twice).status_code == 415
        result(http.request(method, path, content=iter([content]), headers=twice[:1]))  # chunked
        reply = http.request(
            method, path, content=iter([content]), headers={"content-type": "text/plain"}
        )
        refused(reply, 415)
    plain = {"content-type": "text/plain"}
    assert http.get("/collections", headers=plain).status_code == 200  # it has none


def test_bodies_may_be_packed(http: httpx.Client, query: str) -> None:
    for method, path, body in routes(query):
        if body is None:
            continue
        content = json.dumps(body).encode()
        for coding, packed in (
            ("gzip", gzip.compress(content)),
            ("deflate", zlib.compress(content)),
            ("gzip", gzip.compress(content + b" " * 3_000_000)),
        ):
            headers = {"content-encoding": coding}
            result(http.request(method, path, content=packed, headers=headers))
        for coding in ("br", "zstd", "gzip, gzip", "unheard-of"):
            headers = {"content-encoding": coding}
            reply = http.request(method, path, content=content, headers=headers)
            assert "Unsupported content encoding" in refused(reply, 415)
            assert reply.headers["accept-encoding"] == "gzip, deflate"
        for packed in (content, gzip.compress(content)[:-4], gzip.compress(content) + b"x"):
            headers = {"content-encoding": "gzip"}
            reply = http.request(method, path, content=packed, headers=headers)
            assert "cannot be unpacked" in refused(reply, 400)


def test_bombs_are_refused_by_the_body_limit(http: httpx.Client, query: str) -> None:
    zeros = b"0" * (BODY_LIMIT + 1)
    for coding, packed in (
        ("gzip", gzip.compress(zeros)),
        ("deflate", zlib.compress(zeros)),
        ("gzip", gzip.compress(bytes(50 * BODY_LIMIT))),
        ("gzip", gzip.compress(zeros) * 50),
    ):
        for method, path, body in routes(query):
            if body is None:
                continue
            headers = {"content-encoding": coding}
            reply = http.request(method, path, content=packed, headers=headers)
            assert "larger than allowed" in refused(reply, 400)


def test_a_gigabyte_is_refused_by_its_declared_length(server: Server, query: str) -> None:
    collection = query.partition("/points")[0]
    for call in (f"POST {query}", f"POST {collection}/points/count", f"PUT {collection}"):
        for more in ("", "expect: 100-continue\r\n"):
            head = f"{call} HTTP/1.1\r\nhost: localhost\r\n{more}content-length: 1000000000"
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                connection.sendall(head.encode() + b"\r\n\r\n")
                assert b" 400 Bad Request" in connection.recv(65_536)


def test_deep_json_is_refused(http: httpx.Client, query: str) -> None:
    depth = 100_000
    for text in (
        b"[" * depth + b"]" * depth,
        b'{"filter":' * depth + b"1" + b"}" * depth,
        b'{"filter":{"must":[' * depth + b"]}}" * depth,
        b'{"points":[{"id":1,"vector":[1,2,3],"payload":{"a":%b}}]}'
        % (b"[" * depth + b"]" * depth),
    ):
        for method, path, body in routes(query):
            if body is not None:
                assert http.request(method, path, content=text).status_code == 400, path
    assert http.get("/healthz").status_code == 200


def test_every_reply_says_that_it_is_data(server: Server, http: httpx.Client, query: str) -> None:
    replies = [http.request(method, path, json=body) for method, path, body in routes(query)]
    replies += [
        http.post(query, json=QUERY),
        http.post(query, json={"query": "?"}),
        http.post(query, json=QUERY, headers={"origin": "null"}),
        http.head("/collections"),
        http.request("FROBNICATE", "/"),
    ]
    for reply in replies:
        for name, value in SECURE:
            if not (reply.url.path.startswith("/docs") and name == b"content-security-policy"):
                assert reply.headers.get_list(name.decode()) == [value.decode()], reply.url


def test_paths_reach_no_file_and_no_other_collection(
    server: Server, http: httpx.Client, query: str
) -> None:
    name = query.split("/")[2]
    secret = server.data.parent / "secret"
    secret.write_text("secret")
    dots = ("..", "%2e%2e", ".%2e", "%252e%252e", "..%2f..", "..%5c..", "%c0%ae%c0%ae", "%00", ".")
    tricks = [
        *(f"/collections/{dot}/secret" for dot in dots),
        *(f"/collections/{dot}" for dot in dots),
        *(f"/collections/{dot}%2f{name}" for dot in dots),
        *(f"/collections/{dot}/{name}" for dot in dots),
        *(f"/collections/x/{dot}/{name}" for dot in dots),
        *(f"/collections/{name}{tail}" for tail in ("%00", "%00.x", "%2f..", "%5c", "%20")),
        *(f"/collections/{name}/points/{dot}" for dot in dots),
        *(f"/docs/{dot}/main.py" for dot in dots),
        *(f"/docs/{dot}%2f{dot}%2fsecret" for dot in dots),
        *("/docs//etc/passwd", "/docs/%2fetc%2fpasswd", "//collections/../secret"),
    ]
    for trick in tricks:
        sent = f"GET {trick} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        status, received = exchange(server, sent.encode())
        assert 400 <= status < 500, (trick, received)
        assert b"root:" not in received
        assert b'"status":"green"' not in received
    literal = "%252e%252e"  # decoded once it is a name like any other
    names = (
        *(dot for dot in dots if dot != literal),
        "a%2fb",
        "a%00",
        "a%5cb",
        "%ff",
        "%ed%a0%80",
        "a%2f..%2f..%2fb",
    )
    before = {each.name for each in server.data.parent.iterdir()}
    listed = result(http.get("/collections"))
    for each in names:
        for below in ("", "/points", "/index", "/points/query"):
            body = b'{"vectors":{"size":3,"distance":"Dot"}}'
            sent = f"PUT /collections/{each}{below} HTTP/1.1\r\nhost: localhost\r\n".encode()
            sent += b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
            assert 400 <= exchange(server, sent)[0] < 500, (each, below)
    assert {each.name for each in server.data.parent.iterdir()} == before
    assert result(http.get("/collections")) == listed


def test_bytes_that_are_no_text_name_no_collection(
    server: Server, http: httpx.Client, collection: str
) -> None:
    replaced = "%ef%bf%bd"  # what such bytes would be read as
    create = {"vectors": {"size": 3, "distance": "Dot"}}
    result(http.put(f"/collections/{replaced}", json=create))
    try:
        for below, body in (("", ""), ("/points/query", '{"query":[1,2,3]}'), ("/points/1", "")):
            for name, status in ((replaced, (200, 404)), ("%ff", (400,)), ("%fe", (400,))):
                method = "POST" if body else "GET"
                sent = f"{method} /collections/{name}{below} HTTP/1.1\r\nhost: localhost\r\n"
                sent += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}"
                assert exchange(server, sent.encode())[0] in status, (name, below)
    finally:
        http.delete(f"/collections/{replaced}")


def test_allowed_origins_get_cors(tmp_path: Path) -> None:
    app, asked = "https://app.example", {"access-control-request-method": "PUT"}
    with serving(tmp_path, PALIMPSEST_ALLOWED_ORIGINS=f"{app},http://b.example:81") as server:
        create = {"vectors": {"size": 3, "distance": "Dot"}}
        result(httpx.put(f"{server.url}/collections/c", json=create, headers={"origin": app}))
        for origin in (app, "http://b.example:81"):
            headers = {"origin": origin, "sec-fetch-site": "cross-site"}
            for method, path, body in routes("/collections/c/points/query"):
                reply = httpx.request(method, server.url + path, json=body, headers=headers)
                assert reply.status_code in (200, 404)
                assert reply.headers["access-control-allow-origin"] == origin
                assert "origin" in reply.headers["vary"]
                assert "access-control-allow-credentials" not in reply.headers
                preflight = httpx.options(server.url + path, headers={**headers, **asked})
                assert preflight.status_code == 200
                assert "PUT" in preflight.headers["access-control-allow-methods"]
                assert "authorization" in preflight.headers["access-control-allow-headers"]
                assert preflight.headers["access-control-allow-origin"] == origin
        for method, path, body in routes("/collections/c/points/query"):
            reply = httpx.request(method, server.url + path, json=body)
            assert "access-control-allow-origin" not in reply.headers
            assert "origin" in reply.headers["vary"]
            headers = {"origin": "https://c.example"}
            reply = httpx.request(method, server.url + path, json=body, headers=headers)
            assert reply.status_code == 403
            assert "access-control-allow-origin" not in reply.headers
            headers = {"sec-fetch-site": "cross-site"}
            assert httpx.request(method, server.url + path, headers=headers).status_code == 403


def test_any_origin_and_any_host_may_be_allowed(tmp_path: Path) -> None:
    with serving(tmp_path, PALIMPSEST_ALLOWED_ORIGINS="*", PALIMPSEST_ALLOWED_HOSTS="*") as server:
        headers = {"origin": "null", "sec-fetch-site": "cross-site", "host": "evil.example"}
        reply = httpx.get(f"{server.url}/collections", headers=headers)
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "vary" not in reply.headers
