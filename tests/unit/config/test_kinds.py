"""Stored configs of a vector name: which kind reads them, of this release and of earlier ones."""

from __future__ import annotations

import json

import pytest

from palimpsest.index.config.kinds import from_json, know
from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.kinds import registry
from palimpsest.index.types import Distance
from tests.unit.kinds.sets import SetsConfig

assert registry  # which has the two kinds known


def test_a_config_is_read_back_by_its_kind() -> None:
    for config in (VectorConfig(3, Distance.DOT, M=0), SparseConfig("idf"), SetsConfig(4)):
        stored = json.loads(json.dumps(config.to_json()))
        assert from_json(stored, "имя", {}) == config


def test_before_kinds_were_named_a_key_told_sparse_ones() -> None:
    assert from_json({"sparse": True, "modifier": "idf"}, "", {}) == SparseConfig("idf")
    dense = {"size": 2, "distance": "dot", "encoding": "4"}
    found = from_json(dense, "", {})
    assert isinstance(found, VectorConfig) and found.size == 2


def test_a_kind_of_a_later_release_is_refused_by_name() -> None:
    with pytest.raises(InvalidConfig, match="'имя'.*dense.*sparse.*got 'новый'"):
        from_json({"kind": "новый"}, "имя", {})


def test_readers_are_given_the_name_and_what_was_declared() -> None:
    told: list[object] = []

    def read(*given: object) -> VectorConfig:
        told.extend(given)
        return VectorConfig(1, Distance.DOT)

    know("here alone", read)
    from_json({"kind": "here alone", "x": 2**60}, "имя", {"a": 1})
    assert told == [{"kind": "here alone", "x": 2**60}, "имя", {"a": 1}]
