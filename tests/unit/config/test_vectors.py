"""How vectors are kept: limits named in refusals, and settings of every release read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from palimpsest.index.config.vectors import MaintenanceConfig, SparseConfig, VectorConfig
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.types import Distance

DOT, COSINE, MANHATTAN = Distance.DOT, Distance.COSINE, Distance.MANHATTAN


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": 0}, "size: expected 1 to 65536, got 0"),
        ({"size": 2**53 + 1}, "got 9007199254740993"),
        ({"encoding": "3"}, "encoding: expected one of float32, 8, 4, 2, 1, got '3'"),
        ({"originals": "float64"}, "originals"),
        ({"order": "ж"}, "order"),
        ({"datatype": "int8"}, "datatype"),
        ({"M": 3}, "M: expected 4 to 64, or 0 for no graph, got 3"),
        ({"M": 65}, "got 65"),
        ({"ef_construction": 15}, "ef_construction"),
        ({"encoding": "float32", "originals": "none"}, "a kept copy"),
        ({"distance": MANHATTAN, "originals": "none"}, "a kept copy"),
    ],
)
def test_limits(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        VectorConfig(**{"size": 2, "distance": DOT, **given})
    assert said in str(refused.value)


def test_settings_come_back_from_json() -> None:
    config = VectorConfig(65_536, COSINE, "1", "none", M=0, datatype="uint8", fixed_encoding=True)
    assert VectorConfig.from_json(json.loads(json.dumps(config.to_json())), "имя", {}) == config


@pytest.mark.parametrize(
    ("name", "declared", "fixed"),
    [
        ("", {}, False),
        ("", {"vectors": {"size": 2, "quantization_config": {"scalar": {}}}}, True),
        ("имя", {"vectors": {"имя": {"quantization_config": {"binary": {}}}}}, True),
        ("имя", {"vectors": {"другое": {"quantization_config": {"binary": {}}}}}, False),
        ("имя", {"quantization_config": {"scalar": {}}}, True),
        ("имя", {"metadata": {"palimpsest": {"encoding": "4"}}}, True),
        ("имя", {"vectors": None, "metadata": None}, False),
        ("имя", {"vectors": {"имя": {"datatype": "turbo4"}}}, True),
    ],
)
def test_earlier_releases_did_not_say_whether_an_encoding_was_asked_for(
    name: str, declared: dict[str, Any], fixed: bool
) -> None:
    stored = VectorConfig(2, DOT).to_json()
    del stored["fixed_encoding"]
    assert VectorConfig.from_json(stored, name, declared).fixed_encoding is fixed
    other = {**stored, "encoding": "8"}
    assert VectorConfig.from_json(other, name, {}).fixed_encoding


def test_values_are_rounded_to_what_is_kept() -> None:
    assert VectorConfig(2, DOT, originals="float16").numbers == "float16"
    assert VectorConfig(2, DOT, datatype="uint8", originals="float16").numbers == "uint8"
    assert VectorConfig(2, COSINE, datatype="uint8").keeps_lengths
    assert not VectorConfig(2, DOT, datatype="uint8").keeps_lengths


def test_two_declarations_are_told_apart_by_their_space() -> None:
    one = VectorConfig(2, DOT)
    assert one.space == VectorConfig(2, DOT, encoding="1", M=0).space
    assert one.space != VectorConfig(2, DOT, originals="int8").space != SparseConfig().space
    assert SparseConfig().space != SparseConfig("idf").space
    with pytest.raises(InvalidConfig, match="modifier"):
        SparseConfig("tf")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [{"seal_rows": 63}, {"quiet_rows": 0}, {"quiet_seconds": -0.1}, {"tier_factor": 1},
     {"dead_ratio": 0.0}, {"dead_ratio": float("nan")}, {"quiet_seconds": float("nan")}],
)  # fmt: skip
def test_limits_of_upkeep(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfig, match=next(iter(given))):
        MaintenanceConfig(**given)
