"""Changing stored points through qdrant-client; its local mode says what is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.api.served import Server

Client = QdrantClient
_numbers = count()
UUID = "936da01f-9abd-4d9d-80c7-02af85c822a8"


@pytest.fixture(scope="module")
def remote(server: Server) -> Iterator[QdrantClient]:
    connected = QdrantClient(url=server.url, timeout=30)
    yield connected
    connected.close()


@pytest.fixture
def both(remote: QdrantClient) -> Iterator[tuple[str, list[QdrantClient]]]:
    """Our server and the reference, each with the same collection of points."""
    name = f"updates{next(_numbers)}"
    local = QdrantClient(":memory:")
    clients = [remote, local]
    for client in clients:
        client.create_collection(
            name,
            vectors_config={
                "": models.VectorParams(size=2, distance=models.Distance.DOT),
                "b": models.VectorParams(size=2, distance=models.Distance.EUCLID),
            },
            sparse_vectors_config={"s": models.SparseVectorParams()},
        )
        client.upsert(name, points())
    yield name, clients
    remote.delete_collection(name)
    local.close()


def points() -> list[models.PointStruct]:
    ids: list[Any] = [1, 2, 3, UUID]
    return [
        models.PointStruct(
            id=one,
            vector={
                "": [i, 1.0],
                "s": models.SparseVector(indices=[5, i], values=[1.0, 0.5]),
            },
            payload={"n": i, "kind": "even" if i % 2 == 0 else "odd", "deep": {"x": [i]}},
        )
        for i, one in enumerate(ids)
    ]


def state(client: QdrantClient, name: str) -> list[tuple[Any, Any, Any]]:
    rows, _ = client.scroll(name, limit=100, with_vectors=True)
    return [(row.id, row.payload, row.vector) for row in rows]


def where(**conditions: Any) -> models.Filter:
    return models.Filter(
        must=[
            models.FieldCondition(key=key, match=models.MatchValue(value=value))
            for key, value in conditions.items()
        ]
    )


EVEN = where(kind="even")
EVERYONE = models.Filter()
NOBODY = where(kind="none")
SPARSE = models.SparseVector(indices=[9, 2], values=[0.25, 4.0])

CHANGES: dict[str, Callable[[Client, str], Any]] = {
    "set": lambda c, n: c.set_payload(n, {"a": 1, "n": None}, [1, UUID]),
    "set by filter": lambda c, n: c.set_payload(n, {"a": [1, {"b": 2}]}, EVEN),
    "set everywhere": lambda c, n: c.set_payload(n, {"a": 1}, EVERYONE),
    "set nowhere": lambda c, n: c.set_payload(n, {"a": 1}, NOBODY),
    "set nothing": lambda c, n: c.set_payload(n, {}, [1]),
    "set below": lambda c, n: c.set_payload(n, {"y": 1}, [1, 2], key="deep"),
    "set below a new key": lambda c, n: c.set_payload(n, {"y": 1}, [1], key="new.place"),
    "set below an element": lambda c, n: c.set_payload(n, {"y": 1}, [1], key="deep.x[0]"),
    "overwrite": lambda c, n: c.overwrite_payload(n, {"only": 1}, [1, 2]),
    "overwrite by filter": lambda c, n: c.overwrite_payload(n, {"only": 1}, EVEN),
    "overwrite with nothing": lambda c, n: c.overwrite_payload(n, {}, [1]),
    "delete keys": lambda c, n: c.delete_payload(n, ["n", "deep.x", "missing"], [1, UUID]),
    "delete keys by filter": lambda c, n: c.delete_payload(n, ["kind"], EVEN),
    "clear": lambda c, n: c.clear_payload(n, [1, 3]),
    "clear by filter": lambda c, n: c.clear_payload(n, EVEN),
    "delete": lambda c, n: c.delete(n, [2, 77]),
    "delete by filter": lambda c, n: c.delete(n, EVEN),
    "delete by id and filter": lambda c, n: c.delete(
        n, models.Filter(must=[models.HasIdCondition(has_id=[1, UUID])], must_not=[EVEN])
    ),
    "delete everything": lambda c, n: c.delete(n, EVERYONE),
    "new vectors": lambda c, n: c.update_vectors(
        n,
        [
            models.PointVectors(id=1, vector={"b": [7.0, 8.0], "s": SPARSE}),
            models.PointVectors(id=2, vector=[9.0, 9.0]),
        ],
    ),
    "new vectors under a condition": lambda c, n: c.update_vectors(
        n,
        [models.PointVectors(id=i, vector={"b": [7.0, 8.0]}) for i in (1, 2, 3)],
        update_filter=EVEN,
    ),
    "delete vectors": lambda c, n: c.delete_vectors(n, ["s", "b"], [1, 2]),
    "delete vectors by filter": lambda c, n: c.delete_vectors(n, [""], EVEN),
    "insert only": lambda c, n: c.upsert(
        n,
        [models.PointStruct(id=i, vector={"": [0, 0]}, payload={"new": i}) for i in (1, 50)],
        update_mode=models.UpdateMode.INSERT_ONLY,
    ),
    "update only": lambda c, n: c.upsert(
        n,
        [models.PointStruct(id=i, vector={"": [0, 0]}, payload={"new": i}) for i in (1, 50)],
        update_mode=models.UpdateMode.UPDATE_ONLY,
    ),
    "upsert under a condition": lambda c, n: c.upsert(
        n,
        [models.PointStruct(id=i, vector={"": [0, 0]}, payload={"new": i}) for i in (1, 2, 50)],
        update_filter=EVEN,
    ),
    "upsert of columns": lambda c, n: c.upsert(
        n,
        models.Batch(
            ids=[1, 60],
            vectors={"s": [SPARSE, SPARSE], "": [[1.0, 2.0], [3.0, 4.0]]},
            payloads=[{"x": 1}, {"x": 2}],
        ),
    ),
    "several": lambda c, n: c.batch_update_points(
        n,
        [
            models.UpsertOperation(
                upsert=models.PointsList(
                    points=[models.PointStruct(id=70, vector={}, payload={"kind": "even"})]
                )
            ),
            models.SetPayloadOperation(
                set_payload=models.SetPayload(payload={"seen": True}, filter=EVEN)
            ),
            models.OverwritePayloadOperation(
                overwrite_payload=models.SetPayload(payload={"o": 1}, points=[2])
            ),
            models.DeletePayloadOperation(
                delete_payload=models.DeletePayload(keys=["n"], points=[1])
            ),
            models.ClearPayloadOperation(clear_payload=models.PointIdsList(points=[3])),
            models.UpdateVectorsOperation(
                update_vectors=models.UpdateVectors(
                    points=[models.PointVectors(id=70, vector={"s": SPARSE})]
                )
            ),
            models.DeleteVectorsOperation(
                delete_vectors=models.DeleteVectors(vector=["s"], points=[1])
            ),
            models.DeleteOperation(delete=models.FilterSelector(filter=where(o=1))),
        ],
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_changes_equal_the_reference(kind: str, both: tuple[str, list[QdrantClient]]) -> None:
    name, clients = both
    for client in clients:
        CHANGES[kind](client, name)
    ours, theirs = (state(client, name) for client in clients)
    assert ours == theirs
    ours, theirs = ([client.count(name, EVEN).count] for client in clients)
    assert ours == theirs


MISSING: dict[str, Callable[[Client, str], Any]] = {
    "set": lambda c, n: c.set_payload(n, {"a": 1}, [1, 404, 2]),
    "overwrite": lambda c, n: c.overwrite_payload(n, {"a": 1}, [404, 1]),
    "delete keys": lambda c, n: c.delete_payload(n, ["n"], [1, 404]),
    "clear": lambda c, n: c.clear_payload(n, [404, 2]),
    "vectors": lambda c, n: c.update_vectors(
        n, [models.PointVectors(id=i, vector={"b": [1.0, 1.0]}) for i in (1, 404)]
    ),
    "no vectors": lambda c, n: c.delete_vectors(n, ["s"], [404, 1]),
    "several": lambda c, n: c.batch_update_points(
        n,
        [
            models.ClearPayloadOperation(clear_payload=models.PointIdsList(points=[1])),
            models.ClearPayloadOperation(clear_payload=models.PointIdsList(points=[404, 2])),
            models.ClearPayloadOperation(clear_payload=models.PointIdsList(points=[3])),
        ],
    ),
}


@pytest.mark.parametrize("kind", MISSING)
def test_a_missing_point_is_named_and_the_others_change(
    kind: str, both: tuple[str, list[QdrantClient]]
) -> None:
    name, clients = both
    ours, theirs = clients
    with pytest.raises(UnexpectedResponse, match="No point with id 404 found"):
        MISSING[kind](ours, name)
    with pytest.raises(KeyError, match="404"):
        MISSING[kind](theirs, name)
    assert state(ours, name) == state(theirs, name)


REFUSED: dict[str, Callable[[Client, str], Any]] = {
    "no ids": lambda c, n: c.set_payload(n, {"a": 1}, []),
    "no ids to delete": lambda c, n: c.delete(n, []),
    "no points": lambda c, n: c.upsert(n, []),
    "no vectors": lambda c, n: c.update_vectors(n, []),
    "no names": lambda c, n: c.delete_vectors(n, [], [1]),
    "unknown name": lambda c, n: c.delete_vectors(n, ["x"], [1]),
    "unknown name to write": lambda c, n: c.update_vectors(
        n, [models.PointVectors(id=1, vector={"x": [1.0, 1.0]})]
    ),
    "wrong size": lambda c, n: c.update_vectors(
        n, [models.PointVectors(id=1, vector={"b": [1.0]})]
    ),
    "sparse for dense": lambda c, n: c.update_vectors(
        n, [models.PointVectors(id=1, vector={"b": SPARSE})]
    ),
    "dense for sparse": lambda c, n: c.update_vectors(
        n, [models.PointVectors(id=1, vector={"s": [1.0]})]
    ),
    "repeated index": lambda c, n: c.upsert(
        n,
        [
            models.PointStruct(
                id=1, vector={"s": models.SparseVector(indices=[1, 1], values=[1.0, 2.0])}
            )
        ],
    ),
    "ragged sparse": lambda c, n: c.upsert(
        n,
        [models.PointStruct(id=1, vector={"s": models.SparseVector(indices=[1, 2], values=[1.0])})],
    ),
    "no path": lambda c, n: c.delete_payload(n, ["a["], [1]),
    "a bad operation among good ones": lambda c, n: c.batch_update_points(
        n,
        [
            models.ClearPayloadOperation(clear_payload=models.PointIdsList(points=[1])),
            models.DeletePayloadOperation(
                delete_payload=models.DeletePayload(keys=["a["], points=[2])
            ),
        ],
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_bad_changes_change_nothing(kind: str, both: tuple[str, list[QdrantClient]]) -> None:
    name, (ours, theirs) = both
    before = state(ours, name)
    with pytest.raises(UnexpectedResponse) as caught:
        REFUSED[kind](ours, name)
    assert caught.value.status_code in (400, 422)
    with pytest.raises((ValueError, KeyError)):
        REFUSED[kind](theirs, name)
    assert state(ours, name) == before


@pytest.mark.parametrize("direction", [None, *models.Direction])
@pytest.mark.parametrize("start", [None, 2, 2.5])
def test_scrolling_by_a_value(
    direction: models.Direction | None, start: Any, both: tuple[str, list[QdrantClient]]
) -> None:
    name, clients = both
    more = [
        models.PointStruct(id=100 + i, vector={}, payload={"m": value})
        for i, value in enumerate([3, [1, 5], 2.5, "text", True, None, -7, [], [2, 2]])
    ]
    order = models.OrderBy(key="m", direction=direction, start_from=start)
    pages = []
    clients[0].create_payload_index(name, "m", models.PayloadSchemaType.FLOAT)
    for client in clients:
        client.upsert(name, more)
        rows, following = client.scroll(name, order_by=order, limit=20)
        assert following is None
        pages.append([(row.id, row.payload, row.order_value) for row in rows])
    ours, theirs = pages
    assert ours == theirs
    rows, _ = clients[0].scroll(name, order_by="m", limit=2, scroll_filter=EVERYONE)
    assert len(rows) == 2


def test_scrolling_and_counting_by_a_filter(both: tuple[str, list[QdrantClient]]) -> None:
    name, clients = both
    seen = []
    for client in clients:
        page, offset = client.scroll(name, scroll_filter=EVEN, limit=1)
        rest, end = client.scroll(name, scroll_filter=EVEN, limit=10, offset=offset)
        seen.append(([row.id for row in page + rest], offset, end))
        assert client.count(name, EVEN, exact=False).count >= 0
    assert seen[0] == seen[1]
    assert clients[0].count(name, EVEN).count == len(seen[0][0])
