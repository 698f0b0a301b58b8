"""What a collection says of how it is kept: times with a zone, and why recall falls short."""

from __future__ import annotations

from dataclasses import replace

import pytest

from palimpsest.app.schemas.effective import describe_effective, unheld
from palimpsest.index import (
    CollectionConfig,
    Database,
    Distance,
    MultiConfig,
    RecallInfo,
    SparseConfig,
    VectorConfig,
    VectorInfo,
)


def held(segments: dict[str, int]) -> VectorInfo:
    return VectorInfo(0, 0, 0, 0, 0, 0, 0, {}, RecallInfo(segments, {}, 1, 0.5, 0.1))


def test_a_new_collection(database: Database) -> None:
    config = CollectionConfig({"é": VectorConfig(2, "dot"), "words": SparseConfig()})
    collection = database.create("docs", config)
    found = describe_effective(collection.config, collection.state())
    assert len(found["store_id"]) == 16
    assert list(found["vectors"]) == ["é"]
    assert list(found["sparse_vectors"]) == ["words"]
    assert found["integrity"]["checked_at"] is None
    assert found["integrity"]["findings"] == []
    assert found["upkeep"]["seal_rows"] == collection.config.maintenance.seal_rows


@pytest.mark.parametrize(
    ("choices", "why"),
    [
        ({}, "more effort did not help"),
        ({"encoding": "1", "fixed_encoding": True}, "their encoding of 1 bits was asked for"),
        ({"encoding": "1"}, "more effort did not help"),
        ({"originals": "none"}, "without originals nothing can be compared again"),
    ],
)
def test_why_recall_falls_short(choices: dict[str, object], why: str) -> None:
    config = CollectionConfig({"é": VectorConfig(64, "dot", **choices)})  # type: ignore[arg-type]
    (text,) = unheld(config, {"é": held({"short": 1, "probed": 2})})
    assert text.startswith("1 of 3 segments of vector 'é' do not hold a recall of")
    assert why in text


def test_why_candidates_of_sets_are_too_few() -> None:
    config = CollectionConfig({"": VectorConfig(4, "dot"), "é": MultiConfig(64, Distance.COSINE)})
    info = replace(held({"short": 1, "planned": 2}).recall, candidates=1_600)  # type: ignore[type-var]
    (text,) = unheld(config, {"é": replace(held({}), recall=info), "": held({"planned": 1})})
    assert text.startswith("1 of 3 segments of vector 'é' do not have the ten closest sets among")
    assert "among 1600 candidates" in text and "an `encoding` of more than 1 bits" in text


def test_what_holds_is_not_spoken_of() -> None:
    config = CollectionConfig({"": VectorConfig(64, "dot"), "words": SparseConfig()})
    assert unheld(config, {"": held({"probed": 2})}) == []
    assert unheld(config, {"": held({"probed": 2, "short": 0})}) == []
    assert unheld(config, {}) == []  # a name that was added meanwhile
