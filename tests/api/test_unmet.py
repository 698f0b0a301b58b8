"""What a collection says of settings it does not carry out, and of how it really keeps vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from qdrant_client import models

from palimpsest.app.schemas.unmet import (
    COLLECTION,
    HNSW,
    OPTIMIZERS,
    QUANTIZATION,
    SPARSE_INDEX,
    VECTOR,
    WAL,
)
from tests.api.replies import result

Make = Callable[..., str]
SPACE = {"size": 8, "distance": "Dot"}

# A declaration, and what its warnings say, each in part.
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({}, []),
    "what happens anyhow": (
        {
            "vectors": {**SPACE, "on_disk": True, "memory": "cold"},
            "shard_number": 1,
            "replication_factor": 1,
            "on_disk_payload": True,
            "hnsw_config": {"m": 16, "ef_construct": 100, "on_disk": False},
            "quantization_config": {"scalar": {"type": "int8", "always_ram": True}},
            "optimizers_config": {"indexing_threshold": 20_000, "deleted_threshold": 0.3},
        },
        [],
    ),
    "shards and replicas": (
        {"shard_number": 2, "replication_factor": 3, "write_consistency_factor": 2},
        [
            "shard_number: 2 is not carried out: a collection is one shard",
            "replication_factor: 3 is not",
            "write_consistency_factor: 2 is not",
        ],
    ),
    "places": (
        {
            "vectors": {**SPACE, "on_disk": False, "memory": "pinned"},
            "hnsw_config": {"on_disk": True},
            "on_disk_payload": False,
            "payload": {"memory": "cached"},
            "id_tracker": {"memory": "cold"},
            "quantization_config": {"binary": {"always_ram": False, "memory": "cold"}},
        },
        [
            "vectors.on_disk: false",
            'vectors.memory: "pinned"',
            "hnsw_config.on_disk: true",
            "on_disk_payload: false",
            'payload.memory: "cached"',
            'id_tracker.memory: "cold"',
            "quantization_config.binary.always_ram: false",
            'quantization_config.binary.memory: "cold"',
        ],
    ),
    "upkeep": (
        {
            "optimizers_config": {
                "vacuum_min_vector_number": 500,
                "default_segment_number": 4,
                "max_segment_size": 100_000,
                "memmap_threshold": 50_000,
                "flush_interval_sec": 10,
                "max_optimization_threads": 2,
                "prevent_unoptimized": True,
                "deleted_threshold": 0,
            },
            "wal_config": {"wal_capacity_mb": 64, "wal_segments_ahead": 2},
        },
        [
            *(f"optimizers_config.{name}: " for name in OPTIMIZERS),
            "optimizers_config.deleted_threshold: 0 is not",
            "wal_config.wal_capacity_mb: 64",
            "wal_config.wal_segments_ahead: 2",
        ],
    ),
    "graphs": (
        {
            "hnsw_config": {
                "m": 128,
                "ef_construct": 5_000,
                "full_scan_threshold": 10,
                "payload_m": 8,
            }
        },
        [
            "hnsw_config.m: 128 is not carried out: it is 64",
            "hnsw_config.ef_construct: 5000 is not carried out: it is 2000",
            "hnsw_config.full_scan_threshold: 10",
            "hnsw_config.payload_m: 8",
        ],
    ),
    "smaller codes than there are": (
        {"quantization_config": {"product": {"compression": "x64"}}},
        ['quantization_config.product.compression: "x64" is not carried out: the smallest codes'],
    ),
    "codes between": (
        {
            "vectors": {
                "a": {**SPACE, "quantization_config": {"turbo": {"bits": "bits1_5"}}},
                "b": {
                    **SPACE,
                    "quantization_config": {"scalar": {"type": "int8", "quantile": 0.9}},
                },
            },
            "quantization_config": {"binary": {"encoding": "one_and_half_bits"}},
        },
        [
            'vectors.a.quantization_config.turbo.bits: "bits1_5"',
            "vectors.b.quantization_config.scalar.quantile: 0.9",
            'quantization_config.binary.encoding: "one_and_half_bits"',
        ],
    ),
    "codes named twice": (
        {
            "quantization_config": {"scalar": {"type": "int8"}},
            "optimizers_config": {"indexing_threshold": 10},
            "metadata": {"palimpsest": {"encoding": "1", "quiet_rows": 100}},
        },
        [
            'quantization_config: {"scalar": {"type": "int8"}} is not carried out: '
            "`metadata.palimpsest.encoding` overrides it",
            "optimizers_config.indexing_threshold: 10 is not carried out: `metadata.palimpsest.",
        ],
    ),
    "a datatype that means codes": (
        {
            "vectors": {**SPACE, "datatype": "turbo4"},
            "quantization_config": {"binary": {}},
        },
        ['vectors.quantization_config: {"binary": {}} is not carried out: the datatype turbo4'],
    ),
    "an exact distance": (
        {
            "vectors": {"м": {"size": 8, "distance": "Manhattan", "hnsw_config": {"m": 8}}},
            "quantization_config": {"binary": {}},
        },
        ["vectors.м.hnsw_config: ", "vectors.м.quantization_config: "],
    ),
    "a graph that is none": (
        {"hnsw_config": {"m": 0, "ef_construct": 64}},
        ["vectors.hnsw_config: "],
    ),
    "sparse": (
        {
            "sparse_vectors": {
                "s": {"index": {"on_disk": True, "full_scan_threshold": 5, "datatype": "float16"}}
            }
        },
        [
            "sparse_vectors.s.index.on_disk: true",
            "sparse_vectors.s.index.full_scan_threshold: 5",
            'sparse_vectors.s.index.datatype: "float16"',
        ],
    ),
}


def described(http: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = result(http.get(f"/collections/{name}"))
    models.CollectionInfo.model_validate(found)
    return found


def warned(found: dict[str, Any]) -> list[str]:
    return [warning["message"] for warning in found.get("warnings", [])]


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_carried_out_is_said(case: str, http: httpx.Client, make: Make) -> None:
    declared, expected = CASES[case]
    found = described(http, make(**{"vectors": SPACE, **declared}))
    texts = warned(found)
    assert len(texts) == len(expected), texts
    for text in expected:
        assert sum(text in each for each in texts) == 1, (text, texts)
    for name, value in declared.items():  # it is given back all the same
        held = found["config"]
        place = {"optimizers_config": "optimizer_config"}.get(name, name)
        shown = held.get(place, held["params"].get(place))
        assert value == shown if not isinstance(value, dict) else value.items() <= shown.items()


def test_a_change_is_judged_too(http: httpx.Client, make: Make) -> None:
    name = make(vectors=SPACE)
    change = {
        "params": {"replication_factor": 2, "read_fan_out_factor": 3},
        "vectors": {"": {"memory": "cached"}},
        "optimizers_config": {"max_segment_size": 1_000},
    }
    result(http.patch(f"/collections/{name}", json=change))
    assert len(warned(described(http, name))) == 4
    field = {"type": "keyword", "is_tenant": True, "on_disk": True}
    body = {"field_name": "ключ", "field_schema": field}
    result(http.put(f"/collections/{name}/index?wait=true", json=body))
    texts = warned(described(http, name))
    assert "index of 'ключ': is_tenant: true is not carried out: points are not ordered" in texts[4]
    assert "index of 'ключ': on_disk: true" in texts[5]


def test_defaults_that_are_shown_are_those_that_hold(http: httpx.Client, make: Make) -> None:
    found = described(http, make(vectors={"size": 384, "distance": "Cosine"}))
    config, kept = found["config"], found["palimpsest"]
    graph = kept["vectors"][""]["graph"]
    assert graph == {"m": config["hnsw_config"]["m"], "ef_construct": 200}
    assert graph["ef_construct"] == config["hnsw_config"]["ef_construct"]
    assert config["optimizer_config"]["deleted_threshold"] == kept["upkeep"]["dead_ratio"]
    again = make(
        vectors={"size": 384, "distance": "Cosine"},
        hnsw_config=config["hnsw_config"],
        optimizers_config=config["optimizer_config"],
        wal_config=config["wal_config"],
    )
    restated = described(http, again)
    assert restated["palimpsest"].pop("store_id") != kept.pop("store_id")
    assert restated["palimpsest"] == kept
    assert warned(restated) == []  # one declared as another was shown asks for nothing else


# A quantization, and the encoding and bits it comes to.
CODES: list[tuple[dict[str, Any] | None, str, int]] = [
    (None, "4", 4),
    ({"scalar": {"type": "int8"}}, "8", 8),
    *(({"product": {"compression": f"x{32 // bits}"}}, str(bits), bits) for bits in (8, 4, 2, 1)),
    ({"product": {"compression": "x64"}}, "1", 1),
    ({"binary": {}}, "1", 1),
    ({"binary": {"encoding": "two_bits"}}, "2", 2),
    ({"turbo": {}}, "4", 4),
]


@pytest.mark.parametrize(("asked", "encoding", "bits"), CODES)
def test_what_codes_come_to(
    asked: Any, encoding: str, bits: int, http: httpx.Client, make: Make
) -> None:
    body = {} if asked is None else {"quantization_config": asked}
    kept = described(http, make(vectors=SPACE, **body))["palimpsest"]["vectors"][""]
    assert (kept["encoding"], kept["bits"]) == (encoding, bits)
    assert (kept["originals"], kept["datatype"], kept["segments"]) == ("float32", "float32", 0)


def test_each_vector_says_how_it_is_kept(http: httpx.Client, make: Make) -> None:
    name = make(
        vectors={
            "graph": {**SPACE, "hnsw_config": {"m": 100}},
            "none": {**SPACE, "hnsw_config": {"m": 0}},
            "exact": {**SPACE, "distance": "Manhattan", "datatype": "float16"},
        },
        sparse_vectors={"s": {"modifier": "idf"}},
        metadata={"palimpsest": {"seal_rows": 64, "quiet_rows": 64, "quiet_seconds": 0.0}},
    )
    kept = described(http, name)["palimpsest"]
    graphs = {vector: one["graph"] for vector, one in kept["vectors"].items()}
    assert graphs == {"graph": {"m": 64, "ef_construct": 200}, "none": None, "exact": None}
    assert kept["vectors"]["exact"]["originals"] == "float16"
    assert kept["sparse_vectors"]["s"] == {
        "encoding": "postings",
        "modifier": "idf",
        "segments": 0,
    }
    assert (kept["upkeep"]["seal_rows"], kept["upkeep"]["quiet_rows"]) == (64, 64)


def test_every_setting_that_is_judged_is_one_that_is_taken() -> None:
    from palimpsest.app.schemas import collections, spaces

    taken = (
        (collections.OptimizersBody, OPTIMIZERS),
        (collections.WalBody, WAL),
        (spaces.HnswBody, HNSW),
        (spaces.VectorBody, VECTOR),
        (spaces.SparseIndexBody, SPARSE_INDEX),
    )
    for body, judged in taken:
        assert judged.keys() <= body.model_fields.keys()
    changes = collections.ParamsChange.model_fields.keys()
    assert COLLECTION.keys() <= changes | collections.CollectionBody.model_fields.keys()
    codes = (spaces.ScalarBody, spaces.BinaryBody, spaces.TurboBody, spaces.ProductBody)
    assert QUANTIZATION.keys() <= {name for body in codes for name in body.model_fields}
