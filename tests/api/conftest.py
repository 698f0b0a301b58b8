"""A shared server, a client of it, and fresh collections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models

from palimpsest.app.transfer.client import Address, Client
from tests.api.raw import BODY, CONNECTIONS, HEAD, HEADER_LIMIT, IDLE, SEND
from tests.api.replies import result
from tests.api.served import BODY_LIMIT, Server, serving
from tests.api.upgrades import HALF, OLD, Upgrade


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that most tests share, with a low body limit."""
    with serving(
        tmp_path_factory.mktemp("served"), PALIMPSEST_BODY_LIMIT=str(BODY_LIMIT)
    ) as running:
        yield running


@pytest.fixture(scope="session")
def http(server: Server) -> Iterator[httpx.Client]:
    """A plain HTTP client with kept connections."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let imports of a test note in a folder of its own how far they are."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "states"))


@pytest.fixture
def mover(server: Server) -> Iterator[Client]:
    """What imports and exports speak to the server with."""
    with Client(Address(server.url)) as connected:
        yield connected


_numbers = count()


@pytest.fixture
def collection(http: httpx.Client) -> Iterator[str]:
    """The name of a new collection of 3-dimensional vectors under Euclid."""
    name = f"c{next(_numbers)}"
    body = {"vectors": {"size": 3, "distance": "Euclid"}}
    assert http.put(f"/collections/{name}", json=body).status_code == 200
    yield name
    http.delete(f"/collections/{name}")


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[QdrantClient]:
    """A client that is connected to the server."""
    connected = QdrantClient(url=server.url, timeout=30)
    yield connected
    connected.close()


@pytest.fixture
def name(client: QdrantClient) -> Iterator[str]:
    """A collection of unnamed vectors with three points."""
    chosen = f"three{next(_numbers)}"
    dense = models.VectorParams(size=2, distance=models.Distance.DOT)
    client.create_collection(chosen, vectors_config=dense)
    points = [
        models.PointStruct(id=i, vector=[i, 1.0], payload={"n": i, "tag": f"t{i % 2}"})
        for i in range(3)
    ]
    client.upsert(chosen, points)
    yield chosen
    client.delete_collection(chosen)


@pytest.fixture
def make(http: httpx.Client) -> Iterator[Callable[..., str]]:
    """Creates collections from bodies, and deletes them afterwards."""
    names: list[str] = []

    def create(**body: Any) -> str:
        names.append(f"m{next(_numbers)}")
        reply = http.put(f"/collections/{names[-1]}", json=body)
        assert reply.status_code == 200, reply.text
        return names[-1]

    yield create
    for name in names:
        http.delete(f"/collections/{name}")


@pytest.fixture
def limited(http: httpx.Client, make: Callable[..., str]) -> Callable[..., str]:
    """Creates collections of one point with the given limits; returns the path."""

    def create(**limits: Any) -> str:
        vectors = {"size": 3, "distance": "Dot"}
        name = make(vectors=vectors, sparse_vectors={"s": {}})
        path = f"/collections/{name}"
        payload = {"city": "x", "n": 1}
        point = {"id": 1, "vector": {"": [1.0, 2.0, 3.0], "s": {"indices": [1], "values": [1]}}}
        body = {"points": [{**point, "payload": payload}]}
        result(http.put(f"{path}/points?wait=true", json=body))
        strict = {"enabled": True, **limits}
        assert result(http.patch(path, json={"strict_mode_config": strict})) is True
        held = result(http.get(path))["config"]["strict_mode_config"]
        assert held == strict
        return path

    return create


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for little, with a collection "c"."""
    with serving(
        tmp_path_factory.mktemp("slow"),
        PALIMPSEST_HEAD_TIMEOUT=str(HEAD),
        PALIMPSEST_BODY_TIMEOUT=str(BODY),
        PALIMPSEST_IDLE_TIMEOUT=str(IDLE),
        PALIMPSEST_SEND_TIMEOUT=str(SEND),
        PALIMPSEST_HEADER_LIMIT=str(HEADER_LIMIT),
        PALIMPSEST_CONNECTION_LIMIT=str(CONNECTIONS),
        PALIMPSEST_BODY_LIMIT="200000",
    ) as server:
        create = {"vectors": {"size": 3, "distance": "Dot"}}
        result(httpx.put(f"{server.url}/collections/c", json=create))
        point = {"id": 1, "vector": [1, 2, 3], "payload": {"a": "x" * 150_000}}
        result(httpx.put(f"{server.url}/collections/c/points", json={"points": [point]}))
        yield server


@pytest.fixture
def upgrade(http: httpx.Client, make: Callable[..., str]) -> Upgrade:
    """A collection with v2 declared and half of its points migrated."""
    made = Upgrade(http, make(vectors={"size": OLD, "distance": "Cosine"}))
    made.fill()
    made.declare()
    made.migrate(range(HALF))
    return made
