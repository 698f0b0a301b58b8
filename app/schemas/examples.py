"""An example of every operation: in this order each succeeds on a server that was empty before.

They stand in the OpenAPI document, where ``/docs`` fills them in, and are carried out by a test.
"""

from __future__ import annotations

from typing import Any

import msgspec

COLLECTION = {"collection_name": "pets"}
CAT = {"id": 1, "vector": [0.9, 0.1, 0.1], "payload": {"kind": "cat", "age": 3}}
DOG = {"id": 2, "vector": [0.1, 0.9, 0.2], "payload": {"kind": "dog", "age": 5}}
NEAR_CAT = [0.8, 0.2, 0.1]
SEARCH = {"vector": NEAR_CAT, "limit": 3}
SAMPLE = {"sample": 10, "limit": 2}
BOTH_MODELS = [
    {
        "id": number,
        "vector": {"": [number / 8, 0.5, 0.1], "@v2": [number / 8, 0.5, 0.1, 0.0]},
        "payload": {"kind": "cat" if number % 2 else "dog", "age": number},
    }
    for number in range(1, 5)
]
FIRST_OF_FOUR = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]


class Example(msgspec.Struct, frozen=True):
    """One request."""

    body: Any = None
    query: dict[str, Any] = {}
    path: dict[str, Any] = {}  # beside the name of the collection


WAIT = {"wait": True}
# their names tell when they were made: those that the list before replied
SNAPSHOT = {"snapshot_name": "pets-2026-11-30-12-00-00.snapshot"}
FULL_SNAPSHOT = {"snapshot_name": "full-snapshot-2026-11-30-12-00-00.snapshot"}
V2 = {"version": "v2"}

# by operation id; the dictionary's order is that of the requests
EXAMPLES: dict[str, Example] = {
    "root": Example(),
    "livez": Example(),
    "healthz": Example(),
    "ready": Example(),
    "create_collection": Example({"vectors": {"size": 3, "distance": "Cosine"}}),
    "list_collections": Example(),
    "get_collection": Example(),
    "collection_exists": Example(),
    "update_collection": Example({"metadata": {"owner": "shelter"}}),
    "upsert_points": Example({"points": [CAT, DOG]}, WAIT),
    "create_index_points": Example({"field_name": "kind", "field_schema": "keyword"}, WAIT),
    "get_points": Example(path={"id": 1}),
    "retrieve_points": Example({"ids": [1, 2], "with_vector": True}),
    "scroll_points": Example({"limit": 10}),
    "count_points": Example({"filter": {"must": [{"key": "kind", "match": {"value": "cat"}}]}}),
    "query_points": Example({"query": NEAR_CAT, "limit": 3, "with_payload": True}),
    "query_batch_points": Example({"searches": [{"query": NEAR_CAT}, {"query": 2}]}),
    "query_groups_points": Example({"query": NEAR_CAT, "group_by": "kind"}),
    "search_points": Example(SEARCH),
    "search_batch_points": Example({"searches": [SEARCH]}),
    "search_groups_points": Example({**SEARCH, "group_by": "kind", "group_size": 1}),
    "recommend_points": Example({"positive": [1], "limit": 3}),
    "recommend_batch_points": Example({"searches": [{"positive": [1], "limit": 3}]}),
    "recommend_groups_points": Example(
        {"positive": [1], "group_by": "kind", "group_size": 1, "limit": 3}
    ),
    "discover_points": Example({"target": 1, "limit": 3}),
    "discover_batch_points": Example({"searches": [{"target": 1, "limit": 3}]}),
    "recall": Example(query={"num": 10, "top_k": 2}),
    "measure_recall": Example({"queries": [NEAR_CAT], "top_k": 2}),
    "facet_points": Example({"key": "kind"}),
    "matrix_pairs_points": Example(SAMPLE),
    "matrix_offsets_points": Example(SAMPLE),
    "set_payload_points": Example({"payload": {"name": "Tom"}, "points": [1]}, WAIT),
    "overwrite_payload_points": Example({"payload": {"kind": "cat"}, "points": [1]}, WAIT),
    "delete_payload_points": Example({"keys": ["kind"], "points": [1]}, WAIT),
    "clear_payload_points": Example({"points": [1]}, WAIT),
    "add_vector_name": Example(
        {"dense": {"size": 2, "distance": "Dot"}}, path={"vector_name": "look"}
    ),
    "update_vectors_points": Example({"points": [{"id": 1, "vector": {"look": [1, 2]}}]}, WAIT),
    "delete_vectors_points": Example({"points": [1], "vector": ["look"]}, WAIT),
    "drop_vector_name": Example(path={"vector_name": "look"}),
    "delete_points": Example({"points": [2]}, WAIT),
    "update_aliases": Example(
        {"actions": [{"create_alias": {"collection_name": "pets", "alias_name": "animals"}}]}
    ),
    "list_aliases": Example(),
    "list_collection_aliases": Example(),
    "declare_version": Example({"size": 4, "model": "a newer one"}, path=V2),
    "list_versions": Example(),
    "batch_points": Example({"operations": [{"upsert": {"points": BOTH_MODELS}}]}, WAIT),
    "get_backfill": Example(query={**V2, "limit": 10}),
    "fit_adapter": Example(
        {"rows": "v1", "queries": "v2", "kind": "matrix", "matrix": FIRST_OF_FOUR}
    ),
    "list_adapters": Example(),
    "compare_versions": Example(
        {"old": "v1", "new": "v2", "queries": {"v1": [NEAR_CAT], "v2": [[*NEAR_CAT, 0.0]]}, "k": 1}
    ),
    "get_backfill_status": Example(query=V2),
    "consolidate_version": Example({"rows": "v1"}, path=V2),
    "activate_version": Example({"force": True}, path=V2),
    "retire_version": Example({"force": True}, path={"version": "v1"}),
    "drop_adapter": Example(path={"rows": "v1", "queries": "v2"}),
    "drop_version": Example(query={"force": True}, path={"version": "v1"}),
    "drop_index_points": Example(query=WAIT, path={"field_name": "kind"}),
    "create_snapshot": Example(),
    "list_snapshots": Example(),
    "get_snapshot": Example(path=SNAPSHOT),
    "recover_from_snapshot": Example({"location": SNAPSHOT["snapshot_name"]}),
    "recover_from_uploaded_snapshot": Example(),
    "delete_snapshot": Example(path=SNAPSHOT),
    "create_full_snapshot": Example(),
    "list_full_snapshots": Example(),
    "get_full_snapshot": Example(path=FULL_SNAPSHOT),
    "delete_full_snapshot": Example(path=FULL_SNAPSHOT),
    "get_collection_cluster": Example(),
    "list_shard_keys": Example(),
    "get_optimizations": Example(),
    "delete_collection": Example(),
    "get_cluster": Example(),
    "metrics": Example(),
    "telemetry": Example(),
    "get_issues": Example(),
    "clear_issues": Example(),
}


def add_examples(document: dict[str, Any]) -> None:
    """Put the examples into an OpenAPI document. Raises KeyError for an operation without one."""
    numbers = {name: number for number, name in enumerate(EXAMPLES, 1)}
    for methods in document["paths"].values():
        for operation in methods.values():
            name = operation["operationId"]
            example = EXAMPLES[name]
            operation["x-example-number"] = numbers[name]
            operation["description"] += (
                f"\n\nExample {numbers[name]} of {len(EXAMPLES)}: it needs what those before it "
                "leave on a server that was empty."
            )
            given = {**COLLECTION, **example.path, **example.query}
            operation["parameters"] = [
                {**each, "example": given[each["name"]]} if each["name"] in given else each
                for each in operation.get("parameters", [])
            ]
            if example.body is not None:
                operation["requestBody"]["content"]["application/json"]["example"] = example.body
