"""The table of names of a collection: what each column is called, before and after activations."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from palimpsest.index.config.collection import CollectionConfig, VersionConfig, describe_sizes
from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.errors import UnknownVectorName
from palimpsest.index.types import Distance

SMALL, LARGE = VectorConfig(2, Distance.DOT), VectorConfig(3, Distance.DOT)
PLAIN = CollectionConfig({"текст": SMALL, "sp": SparseConfig()})
V1, V2 = VersionConfig("текст", "v1", "active"), VersionConfig("текст", "v2", "shadow")
TWO = replace(PLAIN.with_column("текст@v2", LARGE), versions=(V1, V2))


def test_a_name_without_versions_answers_to_its_first_one_too() -> None:
    assert PLAIN.numbers == {"текст": 0, "sp": 1, "текст@v1": 0}
    assert PLAIN.versions_of("текст") == [V1] and PLAIN.versions == ()
    for name in ("sp", "нет", "текст@v1"):
        with pytest.raises(UnknownVectorName):
            PLAIN.versions_of(name)
    assert PLAIN.find("sp@v1") is None


def test_an_activation_changes_names_and_no_number() -> None:
    assert TWO.numbers == {"текст": 0, "sp": 1, "текст@v2": 2, "текст@v1": 0}
    assert TWO.names == ["текст", "sp"] and TWO.other_versions == {0: (2,), 2: (0,)}
    then = replace(
        TWO.renamed(TWO.names_showing(V2)),
        versions=(replace(V1, state="serving"), replace(V2, state="active")),
    )
    assert then.numbers == {"текст@v1": 0, "sp": 1, "текст": 2, "текст@v2": 2}
    assert (then.spaces[0], then.spaces[2]) == (SMALL, LARGE) == (TWO.spaces[0], TWO.spaces[2])
    assert then.number("текст") == 2 and then.name_of(0) == "текст@v1"


def test_a_dropped_columns_number_is_not_used_again() -> None:
    left = TWO.without_columns({2})
    assert left.columns == ("текст", "sp", None) and "текст@v2" not in left.vectors
    further = replace(left, versions=()).with_column("новый", LARGE)
    assert further.number("новый") == 3
    for column in (2, 4):
        with pytest.raises(UnknownVectorName):
            further.name_of(column)


def test_mapped_versions_are_known_by_their_source() -> None:
    mapped = VersionConfig("текст", "v3", "shadow", mapped=("v1", "v2"))
    three = replace(TWO.with_column("текст@v3", LARGE), versions=(V1, V2, mapped))
    assert three.mapped_columns == {0: (3,)} and three.mapped_numbers == {3}


def test_settings_come_back_from_json_of_this_release_and_of_the_first() -> None:
    mapped = replace(V2, mapped=("v1", "v2"), declared={"ключ": 2**60})
    for config in (PLAIN, replace(TWO, versions=(V1, mapped), declared={"vectors": {}})):
        back = CollectionConfig.from_json(json.loads(json.dumps(config.to_json())))
        assert back == config
    stored = PLAIN.to_json()
    del stored["columns"], stored["versions"]
    assert CollectionConfig.from_json(stored) == PLAIN


def test_sizes_are_told_where_there_are_several() -> None:
    wider = TWO.with_column("текст@v3", LARGE)
    assert describe_sizes("sp", TWO.every_name) == ""
    said = describe_sizes("текст", wider.every_name)
    assert "'текст@v2' has 3" in said and "name the one" in said
