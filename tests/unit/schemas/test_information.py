"""What a collection tells of its configuration: what was declared, and defaults for the rest."""

from __future__ import annotations

from typing import Any

from palimpsest.app.schemas.information import (
    UNREADABLE,
    describe_config,
    describe_damaged,
    optimizer_status,
    shown_vectors,
)
from palimpsest.index import CollectionConfig, DamagedInfo, Database, VectorConfig


def declared(**said: Any) -> CollectionConfig:
    return CollectionConfig({"": VectorConfig(2, "dot")}, declared=said)


def test_null_is_as_good_as_not_declared() -> None:
    assert (
        describe_config(declared(hnsw_config={"m": None}))["hnsw_config"]
        == (describe_config(declared())["hnsw_config"])
    )
    found = describe_config(declared(hnsw_config={"m": 0, "on_disk": True}))["hnsw_config"]
    assert (found["m"], found["on_disk"]) == (0, True)


def test_what_is_optional_is_shown_once_it_was_declared() -> None:
    plain = describe_config(declared())
    assert "metadata" not in plain
    assert "strict_mode_config" not in plain
    assert "read_fan_out_factor" not in plain["params"]
    told = describe_config(declared(metadata={"é": 2**53 + 1}, read_fan_out_factor=0))
    assert told["metadata"] == {"é": 2**53 + 1}
    assert told["params"]["read_fan_out_factor"] == 0


def test_a_number_of_threads_that_is_none() -> None:
    asked = {"max_optimization_threads": "auto", "deleted_threshold": 0.0}
    found = describe_config(declared(optimizers_config=asked))["optimizer_config"]
    assert (found["max_optimization_threads"], found["deleted_threshold"]) == (None, 0.0)


def test_a_damaged_collection_tells_what_can_be_read() -> None:
    known = describe_damaged(DamagedInfo("écrits", "bits flipped", declared(metadata={"a": 1}), 7))
    assert (known["status"], known["points_count"]) == ("red", 7)
    assert known["optimizer_status"] == {"error": "bits flipped"}
    assert known["config"]["metadata"] == {"a": 1}
    unknown = describe_damaged(DamagedInfo("écrits", "bits flipped", None, None))
    assert unknown["warnings"] == [{"message": UNREADABLE}]
    assert unknown["points_count"] is None


def test_no_error_is_ok() -> None:
    assert optimizer_status(None) == optimizer_status("") == "ok"


def test_vectors_of_other_versions_are_not_counted(database: Database) -> None:
    docs = database.create("docs", declared())
    docs.versions.declare("", "v2", VectorConfig(3, "dot"), declared={})
    info = docs.state()
    assert len(info.vectors) == 2
    assert shown_vectors(docs, info) == [info.vectors[""]]
