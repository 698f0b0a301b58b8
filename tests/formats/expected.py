"""What a golden collection holds and answers, as JSON: written once, compared ever after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from palimpsest.index import (
    BridgeMode,
    Collection,
    Filter,
    Match,
    PointId,
    SearchRequest,
    SearchResult,
    SparseVector,
    Vector,
)

NAME = "golden"
FILTER = Filter(must=(Match(("tag",), ("second",)),))
_VERSION = ("vector", "version", "model", "size", "distance", "encoding", "state", "points")
_ADAPTER = ("vector", "rows", "queries", "kind", "pairs", "held_out", "fitted_at", "report")
_SEARCHED = ("version", "adapter", "merge", "searched")
_K = 25
_QUERIES = 3  # of each version
_BRIDGES: tuple[BridgeMode, ...] = ("on", "off")


def describe(collection: Collection) -> dict[str, Any]:
    """Return the points, and answers that have nothing to do with versions."""
    query = np.random.default_rng(1).standard_normal(8).astype(np.float32)
    sparse = SparseVector(np.arange(3, 20, 4, dtype=np.uint32), np.ones(5, dtype=np.float32))
    filtered = SearchRequest(query, k=10, exact=True, filter=FILTER)
    return {
        "points": points_of(collection),
        "query": query.tolist(),
        **listed(collection.search(SearchRequest(query, k=10, exact=True))),
        "index": index_of(collection),
        "filtered": listed(collection.search(filtered)),
        "sparse": {
            "query": as_json(sparse),
            **listed(collection.search(SearchRequest(sparse, "s", k=10))),
        },
    }


def describe_versions(collection: Collection) -> dict[str, Any]:
    """Return the versions, their adapters, mixed answers, and the demand these make."""
    rng = np.random.default_rng(2)
    answers = [
        {
            "vector": vector,
            "version": version,
            "query": query.tolist(),
            "bridge": bridge,
            **mixed(collection.search(mixed_request(query, f"{vector}@{version}", bridge))),
        }
        for vector, version, size in (("", "v1", 8), ("", "v2", 6), ("b", "v1", 4), ("b", "v2", 5))
        for query in rng.standard_normal((_QUERIES, size)).astype(np.float32)
        for bridge in _BRIDGES
    ]
    return {
        "versions": versions_of(collection),
        "adapters": adapters_of(collection),
        "vectors": vectors_of(collection),
        "answers": answers,
        "backfill": backfill_of(collection),
    }


def mixed_request(query: Vector, name: str, bridge: BridgeMode) -> SearchRequest:
    return SearchRequest(query, name, k=_K, exact=True, bridge=bridge)


def listed(found: SearchResult) -> dict[str, Any]:
    return {"ids": [as_json(one) for one in found.ids], "distances": found.distances.tolist()}


def mixed(found: SearchResult) -> dict[str, Any]:
    """Return a list, and which versions it was made of."""
    versions = [one._asdict() for one in found.stats.versions]
    return {**listed(found), "searched": [[one[key] for key in _SEARCHED] for one in versions]}


def points_of(collection: Collection) -> list[Any]:
    """Return ids, payloads, and vectors under bare names."""
    records, _ = collection.scroll(None, 1_000, with_payload=True, with_vectors=True)
    return [
        [
            as_json(record.id),
            None if record.payload is None else record.payload.decode(),
            {name: as_json(vector) for name, vector in (record.vectors or {}).items()},
        ]
        for record in records
    ]


def vectors_of(collection: Collection) -> dict[str, list[Any]]:
    """Return what points hold of the versions that bare names do not mean."""
    names = [
        f"{one.vector}@{one.version}"
        for one in collection.versions.states()
        if one.state != "active"
    ]
    records, _ = collection.scroll(None, 1_000, with_vectors=tuple(names))
    held: list[tuple[PointId, Mapping[str, Any]]] = [
        (record.id, record.vectors or {}) for record in records
    ]
    return {
        name: [[as_json(one), as_json(own[name])] for one, own in held if name in own]
        for name in names
    }


def index_of(collection: Collection) -> dict[str, Any]:
    return asdict(collection.state().fields["tag"])


def versions_of(collection: Collection) -> list[Any]:
    return [
        _taken(one, (*_VERSION, "coverage", "mapped_from")) for one in collection.versions.states()
    ]


def adapters_of(collection: Collection) -> list[Any]:
    """Return the adapters that are there; others may be waiting to be fitted by themselves."""
    return [
        _taken(one, _ADAPTER) for one in collection.versions.adapters() if one.state == "fitted"
    ]


def backfill_of(collection: Collection) -> list[Any]:
    """Return the points to embed next, and with them what was counted of searches."""
    found = collection.versions.backfill("", "v2", limit=20, random_share=0)
    return [[as_json(one.id), one.demand, one.residual, one.reason] for one in found]


def as_json(one: PointId | Vector | SparseVector) -> Any:
    if isinstance(one, SparseVector):
        return {"indices": one.indices.tolist(), "values": one.values.tolist()}
    if isinstance(one, np.ndarray):
        return one.tolist()
    return one if isinstance(one, int) else str(one)


def _taken(one: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: getattr(one, key) for key in keys}
