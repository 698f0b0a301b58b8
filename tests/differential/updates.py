"""Updates: every way to write, on few points, so that most updates meet what earlier ones left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from qdrant_client import QdrantClient, models

from tests.differential.filters import fields, identities
from tests.differential.payloads import drawn_path, messy, words
from tests.differential.points import NAMES, build, seeds, vector_of
from tests.keys import one_key

Draw = st.DrawFn
Update = Callable[[QdrantClient, str], Any]

IDS: list[Any] = [*range(5), 2**63 + 5, *(f"{n:08x}-0000-4000-8000-00000000000f" for n in range(3))]
KEYS = [
    "word",
    "a",
    "a.b",
    "a[].b",
    "a[0].c",
    "a[]",
    "n",
    "n[0]",
    "n[]",
    '"key.dot"',
    "new",
    "new.deep",
]

keys = st.one_of(
    st.sampled_from(KEYS), st.sampled_from(KEYS), drawn_path, drawn_path.map(lambda one: f"a.{one}")
)
ids = st.sampled_from(IDS)
# The points to begin with: all ids but two.
beginnings = st.builds(
    lambda payloads, seed: build(payloads, seed, IDS),
    st.lists(messy, min_size=len(IDS) - 2, max_size=len(IDS) - 2),
    seeds,
)
conditions = st.one_of(fields, fields, identities)
filters = st.one_of(
    st.builds(models.Filter, must=conditions),
    st.builds(models.Filter, must_not=conditions),
    st.builds(models.Filter, should=st.lists(conditions, min_size=2, max_size=3)),
)
# What is merged into a payload: nulls take keys away.
patches = st.dictionaries(
    st.one_of(st.sampled_from(["word", "n", "a", "b", "new", "key.dot"]), one_key),
    st.one_of(
        words,
        st.integers(-3, 3),
        st.none(),
        st.just({"b": 2, "d": {"e": 5}}),
        st.just([1, {"b": 3}]),
    ),
    max_size=3,
)
selections = st.one_of(st.lists(ids, min_size=1, max_size=4), filters)


def vectors(draw: Draw, least: int = 0) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=least, max_size=4, unique=True))
    return {name: vector_of(name, draw(seeds)) for name in names}


def selector(chosen: Any) -> Any:
    return (
        models.FilterSelector(filter=chosen)
        if isinstance(chosen, models.Filter)
        else models.PointIdsList(points=chosen)
    )


def pointed(chosen: Any) -> dict[str, Any]:
    return {"filter": chosen} if isinstance(chosen, models.Filter) else {"points": chosen}


@st.composite
def upserts(draw: Draw) -> models.UpsertOperation:
    """Points as a list or in columns, some under conditions."""
    chosen = draw(st.lists(ids, min_size=1, max_size=4, unique=True))
    condition: dict[str, Any] = {
        "update_filter": draw(st.one_of(st.none(), st.none(), filters)),
        "update_mode": draw(st.sampled_from([None, None, *models.UpdateMode])),
    }
    payloads = [draw(st.one_of(st.none(), messy)) for _ in chosen]
    if draw(st.sampled_from([True, True, False])):
        structs = [
            models.PointStruct(id=one, vector=vectors(draw), payload=payload)
            for one, payload in zip(chosen, payloads, strict=True)
        ]
        return models.UpsertOperation(upsert=models.PointsList(points=structs, **condition))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    columns: dict[str, Any] = {
        name: [vector_of(name, draw(seeds)) for _ in chosen] for name in names
    }
    filled = [payload or {} for payload in payloads]
    batch = models.Batch(
        ids=chosen, vectors=columns, payloads=draw(st.sampled_from([filled, None]))
    )
    return models.UpsertOperation(upsert=models.PointsBatch(batch=batch, **condition))


@st.composite
def vector_updates(draw: Draw) -> models.UpdateVectorsOperation:
    chosen = draw(st.lists(ids, min_size=1, max_size=3, unique=True))
    # none is refused by the server, and is no change in the local mode
    points = [models.PointVectors(id=one, vector=vectors(draw, least=1)) for one in chosen]
    condition = draw(st.one_of(st.none(), st.none(), filters))
    return models.UpdateVectorsOperation(
        update_vectors=models.UpdateVectors(points=points, update_filter=condition)
    )


@st.composite
def payload_settings(draw: Draw) -> models.SetPayloadOperation | models.OverwritePayloadOperation:
    chosen = pointed(draw(selections))
    patch = draw(patches)
    if draw(st.sampled_from([False, False, True])):
        return models.OverwritePayloadOperation(
            overwrite_payload=models.SetPayload(payload=patch, **chosen)
        )
    key = draw(st.one_of(st.none(), st.none(), keys))
    return models.SetPayloadOperation(
        set_payload=models.SetPayload(payload=patch, key=key, **chosen)
    )


payload_deletions = st.builds(
    lambda keys, chosen: models.DeletePayloadOperation(
        delete_payload=models.DeletePayload(keys=keys, **pointed(chosen))
    ),
    st.lists(keys, min_size=1, max_size=3),
    selections,
)
vector_deletions = st.builds(
    lambda names, chosen: models.DeleteVectorsOperation(
        delete_vectors=models.DeleteVectors(vector=names, **pointed(chosen))
    ),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True),
    selections,
)
clearings = selections.map(
    lambda chosen: models.ClearPayloadOperation(clear_payload=selector(chosen))
)
deletions = selections.map(lambda chosen: models.DeleteOperation(delete=selector(chosen)))
operations = st.one_of(
    upserts(),
    upserts(),
    upserts(),
    payload_settings(),
    payload_settings(),
    payload_settings(),
    payload_deletions,
    payload_deletions,
    vector_updates(),
    vector_deletions,
    clearings,
    deletions,
)


def alone(operation: Any) -> Update:
    """Return the call that does one operation by its own method."""
    if isinstance(operation, models.UpsertOperation):
        return upsert_call(operation.upsert)
    if isinstance(operation, models.DeleteOperation):
        return lambda client, name: client.delete(name, operation.delete)
    if isinstance(operation, models.ClearPayloadOperation):
        return lambda client, name: client.clear_payload(name, operation.clear_payload)
    if isinstance(operation, models.UpdateVectorsOperation):
        update = operation.update_vectors
        return lambda client, name: client.update_vectors(
            name, update.points, update_filter=update.update_filter
        )
    return selected_call(operation)


def upsert_call(upsert: Any) -> Update:
    points = upsert.batch if isinstance(upsert, models.PointsBatch) else upsert.points
    return lambda client, name: client.upsert(
        name, points, update_filter=upsert.update_filter, update_mode=upsert.update_mode
    )


def selected_call(operation: Any) -> Update:
    """Return the call for operations that take ids or a filter side by side."""
    ((_, body),) = [(name, value) for name, value in operation]
    chosen = body.points if body.points is not None else body.filter
    if isinstance(operation, models.DeletePayloadOperation):
        return lambda client, name: client.delete_payload(name, body.keys, chosen)
    if isinstance(operation, models.DeleteVectorsOperation):
        return lambda client, name: client.delete_vectors(name, body.vector, chosen)
    if isinstance(operation, models.OverwritePayloadOperation):
        return lambda client, name: client.overwrite_payload(name, body.payload, chosen)
    return lambda client, name: client.set_payload(name, body.payload, chosen, key=body.key)


def together(several: list[Any]) -> Update:
    """Return the call that does several operations in one request."""
    return lambda client, name: client.batch_update_points(name, several)


steps = st.one_of(
    operations.map(alone),
    operations.map(alone),
    st.lists(operations, min_size=2, max_size=4).map(together),
)
