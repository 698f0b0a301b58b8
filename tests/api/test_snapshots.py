"""Snapshots over REST, by Qdrant's own client and by hand; and who may."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models

from tests.api.access import FULL as KEY
from tests.api.access import READ_ONLY, rights, shown, token
from tests.api.replies import refused, result
from tests.api.served import Server, serving

V = [1.0, 2.0, 3.0]


def put(http: httpx.Client, name: str, *ids: int) -> None:
    points = [{"id": one, "vector": V, "payload": {"n": one}} for one in ids]
    result(http.put(f"/collections/{name}/points?wait=true", json={"points": points}))


def count(http: httpx.Client, name: str) -> int:
    found: int = result(http.post(f"/collections/{name}/points/count", json={}))["count"]
    return found


def test_the_client_makes_lists_restores_and_deletes(
    client: QdrantClient, server: Server, name: str
) -> None:
    made = client.create_snapshot(name)
    assert made is not None and made in client.list_snapshots(name)
    path = server.data / "snapshots" / name / made.name
    assert made.size == path.stat().st_size
    assert made.checksum == hashlib.sha256(path.read_bytes()).hexdigest()
    before = client.query_points(name, query=[1.0, 0.5], with_vectors=True).points
    client.delete(name, models.PointIdsList(points=[0, 1]))
    for location in (made.name, f"file://{path}", path.as_uri()):
        assert client.recover_snapshot(
            name,
            location,
            checksum=made.checksum,
            priority=models.SnapshotPriority.SNAPSHOT,
            api_key="ignored",
        )
        assert client.query_points(name, query=[1.0, 0.5], with_vectors=True).points == before
    assert client.delete_snapshot(name, made.name)
    assert made not in client.list_snapshots(name)


def test_the_client_makes_one_of_all(client: QdrantClient, name: str) -> None:
    made = client.create_full_snapshot()
    assert made is not None and made in client.list_full_snapshots()
    assert client.delete_full_snapshot(made.name)
    assert made not in client.list_full_snapshots()


def test_one_is_downloaded_and_uploaded(http: httpx.Client, collection: str) -> None:
    put(http, collection, 1, 2)
    path = f"/collections/{collection}/snapshots"
    made = result(http.post(path))
    reply = http.get(f"{path}/{made['name']}", headers={"accept-encoding": "gzip"})
    assert reply.status_code == 200 and "content-encoding" not in reply.headers
    assert hashlib.sha256(reply.content).hexdigest() == made["checksum"]
    part = http.get(f"{path}/{made['name']}", headers={"range": "bytes=5-9"})
    assert part.status_code == 206 and part.content == reply.content[5:10]
    put(http, collection, 3)
    form: Any = {"snapshot": ("../../x", reply.content)}
    for query in ("", "?wait=true&priority=replica", f"?checksum={made['checksum']}"):
        assert result(http.post(f"{path}/upload{query}", files=form)) is True
        assert count(http, collection) == 2
    other = "/collections/uploaded"
    try:
        assert result(http.post(f"{other}/snapshots/upload", files=form)) is True
        assert count(http, "uploaded") == 2
    finally:
        http.delete(other)


def test_wait_false_is_accepted(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/snapshots"
    reply = http.post(f"{path}?wait=false")
    assert reply.status_code == 202 and reply.json()["status"] == "accepted"
    assert "result" not in reply.json()
    until = time.monotonic() + 20
    while not result(http.get(path)):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_is_uploaded_is_hostile_until_proven(http: httpx.Client, collection: str) -> None:
    put(http, collection, 1)
    path = f"/collections/{collection}/snapshots"
    made = result(http.post(path))
    text = http.get(f"{path}/{made['name']}").content
    put(http, collection, 2)
    for wrong in (b"", b"x", text[:-1], text + b"\0", text[:5_000] + b"x" + text[5_001:]):
        told = refused(http.post(f"{path}/upload", files={"snapshot": wrong}), 400)
        assert "unfinished" not in told  # no path of the server
    reply = http.post(f"{path}/upload?checksum={'0' * 64}", files={"snapshot": text})
    assert "Snapshot checksum mismatch" in refused(reply, 400)
    refused(http.post(f"{path}/upload?checksum=1", files={"snapshot": text}), 422)
    refused(http.post(f"{path}/upload?priority=x", files={"snapshot": text}), 400)
    refused(http.post(f"{path}/upload?wait=1.5", files={"snapshot": text}), 400)
    refused(http.post(f"{path}/upload", files={"file": text}), 400)
    refused(http.post(f"{path}/upload", json={}), 415)
    packed = {"content-encoding": "gzip"}
    refused(http.post(f"{path}/upload", files={"snapshot": text}, headers=packed), 415)
    assert count(http, collection) == 2


def test_larger_than_any_other_body(http: httpx.Client, collection: str) -> None:
    form = {"snapshot": bytes(9_000_000)}  # beyond twice the limit of other bodies
    path = f"/collections/{collection}/snapshots/upload"
    assert "cannot be restored" in refused(http.post(path, files=form), 400)


@pytest.mark.parametrize(
    ("location", "status"),
    [
        ("missing.snapshot", 404),
        ("file:///etc/passwd", 400),
        ("../lock", 400),
        ("http://127.0.0.1:1/x", 400),
        ("", 422),
    ],
)
def test_locations_that_are_refused(
    location: str, status: int, http: httpx.Client, collection: str
) -> None:
    path = f"/collections/{collection}/snapshots/recover"
    refused(http.put(path, json={"location": location}), status)


def test_what_is_not_there(http: httpx.Client, collection: str) -> None:
    refused(http.get("/collections/none/snapshots"), 404)
    refused(http.post("/collections/none/snapshots"), 404)
    for path in (f"/collections/{collection}/snapshots/a.snapshot", "/snapshots/a.snapshot"):
        for method in ("GET", "DELETE"):
            assert "Snapshot a.snapshot not found" in refused(http.request(method, path), 404)
    assert result(http.get(f"/collections/{collection}/snapshots")) == []
    refused(http.post(f"/collections/{collection}@v1/snapshots"), 400)


def test_searches_and_writes_go_on_while_a_collection_is_replaced(
    http: httpx.Client, server: Server, collection: str
) -> None:
    put(http, collection, *range(300))
    path = f"/collections/{collection}"
    name = result(http.post(f"{path}/snapshots"))["name"]
    put(http, collection, 1_000)
    ended, seen, told = threading.Event(), set[tuple[int, Any]](), set[str | None]()

    def ask(body: dict[str, Any], call: str, verb: str) -> None:
        with httpx.Client(base_url=server.url, timeout=60) as own:
            while not ended.is_set():
                reply = own.request(verb, f"{path}/{call}".rstrip("/"), json=body)
                if reply.status_code == 503 and verb == "PATCH":  # its body is gone by then
                    told.add(reply.headers.get("retry-after"))
                    continue
                found = reply.json()["result"] if reply.status_code == 200 else reply.text
                seen.add((reply.status_code, str(found)[:40] if verb == "POST" else ""))

    calls = [
        ({"ids": [0, 1_000]}, "points", "POST"),
        ({}, "points/count", "POST"),
        ({"query": V, "limit": 1, "filter": {"must": [{"has_id": [5]}]}}, "points/query", "POST"),
        ({"points": [{"id": 5, "vector": V, "payload": {"n": 5}}]}, "points?wait=true", "PUT"),
        ({}, "", "GET"),
        ({}, "versions", "GET"),
        ({}, "cluster", "GET"),
        ({"params": {}}, "", "PATCH"),
    ]
    asking = [threading.Thread(target=ask, args=call) for call in calls]
    for one in asking:
        one.start()
    try:
        for _ in range(3):
            assert result(http.put(f"{path}/snapshots/recover", json={"location": name})) is True
            time.sleep(0.1)
    finally:
        ended.set()
        for one in asking:
            one.join()
    assert {status for status, _ in seen} == {200}, seen
    assert told <= {"1"}
    assert {text for _, text in seen if "count" in text} <= {"{'count': 301}", "{'count': 300}"}
    assert count(http, collection) == 300


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("guarded")
    with serving(
        folder,
        PALIMPSEST_API_KEY=KEY,
        PALIMPSEST_READ_ONLY_API_KEY=READ_ONLY,
        PALIMPSEST_JWT_RBAC="true",
        PALIMPSEST_AUDIT_LOG=str(folder / "audit.jsonl"),
        PALIMPSEST_SNAPSHOT_LIMIT="1MB",
        PALIMPSEST_SNAPSHOT_HOURS="0.0001",
        PALIMPSEST_SNAPSHOT_KEEP="2",
    ) as running:
        yield running


def test_who_may_read_make_and_restore(guarded: Server) -> None:
    create = {"vectors": {"size": 3, "distance": "Dot"}}
    with httpx.Client(base_url=guarded.url, headers={"api-key": KEY}, timeout=60) as http:
        for name in ("a", "b"):
            result(http.put(f"/collections/{name}", json=create))
        made = result(http.post("/collections/a/snapshots"))["name"]
        whole = result(http.post("/snapshots"))["name"]
        text = http.get(f"/collections/a/snapshots/{made}").content
    here = {"location": f"file://{guarded.data}/snapshots/a/{made}"}
    form = {"snapshot": text}

    def status(headers: dict[str, str], method: str, path: str, **more: Any) -> int:
        return httpx.request(method, guarded.url + path, headers=headers, **more).status_code

    reading = {"api-key": READ_ONLY}
    only_b = dict(shown(token(rights(b="m"), KEY)))
    manages = {"api-key": KEY}
    for method, path, more in (
        ("GET", f"/collections/a/snapshots/{made}", {}),
        ("GET", "/collections/a/snapshots", {}),
        ("POST", "/collections/a/snapshots", {}),
        ("DELETE", f"/collections/a/snapshots/{made}", {}),
        ("PUT", "/collections/b/snapshots/recover", {"json": here}),
        ("POST", "/collections/a/snapshots/upload", {"files": form}),
        ("GET", "/snapshots", {}),
        ("GET", f"/snapshots/{whole}", {}),
        ("POST", "/snapshots", {}),
    ):
        for headers in (reading, only_b):
            assert status(headers, method, path, **more) == 403, (method, path)
        assert status({}, method, path, **more) == 401
    assert status(manages, "PUT", "/collections/b/snapshots/recover", json=here) == 200
    assert status(manages, "POST", "/collections/b/snapshots/upload", files=form) == 200
    large: Any = {"snapshot": bytes(1_100_000)}
    assert status(manages, "POST", "/collections/b/snapshots/upload", files=large) == 400
    log = (Path(guarded.data) / "audit.jsonl").read_text()
    assert '"action":"/collections/{collection_name}/snapshots/upload","collection":"b"' in log


def test_they_are_made_by_themselves_and_told_of(guarded: Server) -> None:
    with httpx.Client(base_url=guarded.url, headers={"api-key": KEY}, timeout=60) as http:
        http.put("/collections/c", json={"vectors": {"size": 3, "distance": "Dot"}})
        until, series = time.monotonic() + 30, 'palimpsest_snapshots_created_total{collection="c"}'
        while True:
            found = [one for one in http.get("/metrics").text.splitlines() if series in one]
            if found and float(found[0].split()[-1]) >= 4:
                break
            assert time.monotonic() < until, found
            time.sleep(0.2)
        assert len(result(http.get("/collections/c/snapshots"))) <= 3


def test_a_collection_is_called_as_a_snapshot_of_all(http: httpx.Client) -> None:
    whole = result(http.post("/snapshots"))["name"]
    path = f"/collections/{whole}"
    result(http.put(path, json={"vectors": {"size": 3, "distance": "Dot"}}))
    try:
        put(http, whole, 1)
        assert result(http.get(f"{path}/snapshots")) == []
        made = result(http.post(f"{path}/snapshots"))["name"]
        put(http, whole, 2)
        assert result(http.put(f"{path}/snapshots/recover", json={"location": made})) is True
        assert count(http, whole) == 1
        assert whole in [one["name"] for one in result(http.get("/snapshots"))]
        assert result(http.delete(f"/snapshots/{whole}")) is True
        assert [one["name"] for one in result(http.get(f"{path}/snapshots"))] == [made]
    finally:
        http.delete(path)


def test_a_restore_by_an_alias_is_of_the_collection_it_means(
    http: httpx.Client, collection: str
) -> None:
    alias = f"alias of {collection}"
    action = {"create_alias": {"collection_name": collection, "alias_name": alias}}
    result(http.post("/collections/aliases", json={"actions": [action]}))
    put(http, collection, 1)
    made = result(http.post(f"/collections/{alias}/snapshots"))["name"]
    text = http.get(f"/collections/{alias}/snapshots/{made}").content
    for restore in (
        lambda: http.put(f"/collections/{alias}/snapshots/recover", json={"location": made}),
        lambda: http.post(f"/collections/{alias}/snapshots/upload", files={"snapshot": text}),
    ):
        put(http, collection, 2)
        assert result(restore()) is True
        assert count(http, collection) == count(http, alias) == 1
    names = [one["name"] for one in result(http.get("/collections"))["collections"]]
    assert collection in names and alias not in names
    version = f"/collections/{collection}@v1/snapshots/recover"
    refused(http.put(version, json={"location": made}), 422)


def test_a_server_is_started_with_one_of_all(
    http: httpx.Client, server: Server, collection: str, tmp_path: Path
) -> None:
    put(http, collection, 1, 2)
    whole = server.data / "snapshots" / result(http.post("/snapshots"))["name"]
    given = {"PALIMPSEST_STORAGE_SNAPSHOT": str(whole)}
    with serving(tmp_path, **given) as other, httpx.Client(base_url=other.url) as own:
        assert count(own, collection) == 2
        put(own, collection, 3)
    refused_to_start = Server(tmp_path, **given)
    assert refused_to_start.process.wait(timeout=60) == 1
    with serving(tmp_path) as other, httpx.Client(base_url=other.url) as own:
        assert count(own, collection) == 3
