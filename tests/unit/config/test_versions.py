"""What declarations and changes of versions make of a config, and what its names mean then."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from palimpsest.index import CollectionConfig, Distance, SparseConfig, VectorConfig
from palimpsest.index.config.collection import State, VersionConfig, describe_sizes
from palimpsest.index.config.versions import (
    activated,
    check_version_name,
    declared,
    shown,
    space_of,
    version_of,
    with_version,
    without_version,
)
from palimpsest.index.errors import (
    InvalidConfig,
    UnknownVectorName,
    VersionConflict,
    VersionNotFound,
)
from palimpsest.index.view.bridge import bridges_of

OLD, NEW = VectorConfig(4, Distance.COSINE), VectorConfig(6, Distance.DOT)
THIRD = VectorConfig(5, Distance.EUCLID)


def config_of(**declarations: object) -> CollectionConfig:
    vectors = {"": OLD, "title": OLD, "words": SparseConfig()}
    return CollectionConfig(vectors, declared=declarations)


def with_new(
    config: CollectionConfig,
    version: str = "v2",
    space: VectorConfig = NEW,
    vector: str = "",
    state: State = "shadow",
    mapped: tuple[str, str] | None = None,
) -> CollectionConfig:
    new = VersionConfig(vector, version, state, declared={"size": space.size}, mapped=mapped)
    changed = declared(config, new, space)
    assert changed is not None
    return changed


# Names.


def test_a_name_has_one_implicit_version_that_is_not_stored() -> None:
    config = config_of()
    assert config.versions == ()
    assert config.versions_of("title") == [VersionConfig("title", "v1", "active")]
    assert config.aliases == {"@v1": "", "title@v1": "title"}
    assert config.names == ["", "title", "words"]
    assert config.find("title@v1") is OLD and config.number("title@v1") == 1
    for unknown in ("title@v2", "words@v1", "@", "title@", "v1"):
        assert config.find(unknown) is None
        with pytest.raises(UnknownVectorName):
            config.number(unknown)


@pytest.mark.parametrize("vector", ["", "title"])
def test_a_declared_version_is_a_column_of_its_own(vector: str) -> None:
    config = with_new(config_of(), vector=vector)
    assert config.columns == ("", "title", "words", f"{vector}@v2")
    assert config.names == ["", "title", "words"]
    assert [(one.version, one.state) for one in config.versions_of(vector)] == [
        ("v1", "active"),
        ("v2", "shadow"),
    ]
    assert space_of(config, version_of(config, vector, "v2")) is NEW
    assert config.find(vector) is OLD and config.find(f"{vector}@v1") is OLD
    assert config.find(f"{vector}@v2") is NEW
    assert config.other_versions == {3: (config.number(vector),), config.number(vector): (3,)}


def test_sparse_and_unknown_vectors_have_no_versions() -> None:
    for vector in ("words", "other", "title@v1", "@v1"):
        with pytest.raises(UnknownVectorName):
            with_new(config_of(), vector=vector)
    with pytest.raises(VersionNotFound, match=r"'v9'.*declared: 'v1'"):
        version_of(config_of(), "title", "v9")


@pytest.mark.parametrize(
    "name", ["", " ", "a ", " a", "a@b", "a/b", "a:b", "a\0", "a\n", "\ud800", ".", "..", "x" * 65]
)
def test_names_that_no_version_has(name: str) -> None:
    with pytest.raises(InvalidConfig, match="version name"):
        check_version_name(name)


@pytest.mark.parametrize("name", ["v1", "2024-05", "all minilm", "é" * 32, "...", "x" * 64])
def test_names_that_versions_have(name: str) -> None:
    check_version_name(name)


# Declaring again.


def test_the_same_again_changes_nothing_and_a_stamp_is_taken_once() -> None:
    config = with_new(config_of())
    again = VersionConfig("", "v2", "shadow")
    assert declared(config, again, replace(NEW, encoding="1")) is None
    stamped = declared(config, replace(again, model="m"), NEW)
    assert stamped is not None and version_of(stamped, "", "v2").model == "m"
    assert version_of(stamped, "", "v2").declared == {"size": 6}
    assert declared(stamped, again, NEW) is None
    with pytest.raises(VersionConflict, match="model 'm'"):
        declared(stamped, replace(again, model="n"), NEW)
    for other in (replace(NEW, size=7), replace(NEW, distance=Distance.COSINE)):
        with pytest.raises(VersionConflict, match="size 6, distance dot"):
            declared(config, again, other)


def test_the_implicit_version_can_be_stamped() -> None:
    config = declared(config_of(), VersionConfig("title", "v1", "shadow", "m"), OLD)
    assert config is not None
    assert config.versions == (VersionConfig("title", "v1", "active", "m"),)
    assert config.columns == ("", "title", "words")
    assert config.aliases == {"@v1": "", "title@v1": "title"}


# Old collections may have vectors with an @ in their names.


@pytest.mark.parametrize("taken", ["title@v2", "title@v1"])
def test_a_vector_of_an_old_collection_keeps_its_name(taken: str) -> None:
    """Also that of v1, which would be called so once another version is active."""
    config = CollectionConfig({"title": OLD, taken: THIRD, "other": OLD})
    assert config.names == ["title", taken, "other"]
    assert config.find(taken) is THIRD and config.number(taken) == 1
    assert taken not in config.aliases
    with pytest.raises(VersionConflict, match=f"called '{taken}'"):
        with_new(config, vector="title")
    assert with_new(config, "v7", vector="other").find("other@v7") is NEW
    of_it = with_new(config, "v7", vector=taken)
    assert of_it.find(f"{taken}@v7") is NEW and of_it.find(f"{taken}@v1") is THIRD


def test_a_column_keeps_its_number_under_every_name() -> None:
    config = with_new(config_of(), vector="title")
    changed = activated(config, version_of(config, "title", "v2"))
    assert [config.numbers[name] for name in ("title", "title@v1", "title@v2")] == [1, 1, 3]
    assert [changed.numbers[name] for name in ("title", "title@v1", "title@v2")] == [3, 1, 3]
    assert changed.spaces == config.spaces
    assert (config.name_of(3), changed.name_of(3)) == ("title@v2", "title")
    gone = without_version(changed, version_of(changed, "title", "v1"))
    assert gone.spaces.keys() == {0, 2, 3} and len(gone.columns) == 4
    for column in (1, 4):
        with pytest.raises(UnknownVectorName):
            gone.name_of(column)


# Activating.


def test_activating_only_says_what_the_bare_name_means() -> None:
    config = with_new(with_new(config_of(), vector="title"), "v3", THIRD, "title")
    changed = activated(config, version_of(config, "title", "v2"))
    assert changed.columns == ("", "title@v1", "words", "title", "title@v3")
    assert changed.names == ["", "words", "title"]
    assert {name: changed.vectors[name] for name in ("title", "title@v1", "title@v3")} == {
        "title": NEW,
        "title@v1": OLD,
        "title@v3": THIRD,
    }
    assert changed.number("title@v2") == config.number("title@v2") == 3
    assert [one.state for one in changed.versions_of("title")] == ["serving", "active", "shadow"]
    back = activated(changed, version_of(changed, "title", "v1"))
    assert back.columns == config.columns and back.vectors == config.vectors
    assert [one.state for one in back.versions_of("title")] == ["active", "serving", "shadow"]


@pytest.mark.parametrize("vector", ["", "title"])
def test_descriptions_follow_the_versions(vector: str) -> None:
    one = {"size": 4, "on_disk": True}
    given = {"vectors": one if vector == "" else {"title": one, "other": {"size": 9}}, "more": 1}
    config = with_new(replace(config_of(), declared=given), vector=vector)
    changed = activated(config, version_of(config, vector, "v2"))
    new = {"size": 6}
    expected = new if vector == "" else {"title": new, "other": {"size": 9}}
    assert changed.declared == {"vectors": expected, "more": 1}
    assert version_of(changed, vector, "v1").declared == one
    assert activated(changed, version_of(changed, vector, "v1")).declared == given
    assert shown(config, "v2").declared == changed.declared
    assert shown(changed, "v1").declared == given
    assert shown(config, "v1").declared == given


# Virtual collections.


def test_a_virtual_collection_has_a_version_under_the_bare_names_that_have_it() -> None:
    config = with_new(config_of(), vector="title")
    virtual = shown(config, "v2")
    assert virtual.columns == ("", "title@v1", "words", "title")
    assert virtual.vectors["title"] is NEW and virtual.vectors[""] is OLD
    assert virtual.names == ["", "words", "title"]
    assert virtual.shown_version("title").version == "v2"
    assert virtual.shown_version("").version == "v1"
    assert virtual.find("title@v2") is NEW and virtual.find("title@v1") is OLD
    assert [one.state for one in virtual.versions_of("title")] == ["active", "shadow"]
    assert shown(config, "v1").columns == config.columns
    with pytest.raises(VersionNotFound, match="declared: 'v1', 'v2'"):
        shown(config, "v3")
    with pytest.raises(VersionNotFound, match="declared: none"):
        shown(CollectionConfig({"words": SparseConfig()}), "v1")


# Dropping, and what is stored.


def test_a_dropped_versions_number_is_not_used_again() -> None:
    config = with_new(config_of())
    dropped = without_version(config, version_of(config, "", "v2"))
    assert dropped.columns == ("", "title", "words", None)
    assert dropped.versions == (VersionConfig("", "v1", "active"),)
    again = with_new(dropped)
    assert again.columns == ("", "title", "words", None, "@v2")


def test_what_is_left_when_the_first_version_is_dropped() -> None:
    config = with_new(config_of())
    config = activated(config, version_of(config, "", "v2"))
    config = without_version(config, version_of(config, "", "v1"))
    assert config.columns == (None, "title", "words", "")
    assert config.aliases == {"@v2": "", "title@v1": "title"}
    assert config.find("@v1") is None
    first = with_new(config, "v1", OLD)
    assert first.columns == (None, "title", "words", "", "@v1")
    assert [one.state for one in first.versions_of("")] == ["active", "shadow"]


def test_stored_settings_come_back() -> None:
    config = with_new(with_new(config_of(vectors={"title": {"size": 4}}), vector="title"), "v3")
    config = with_new(config, "v1-in-v2", NEW, "title", "serving", ("v1", "v2"))
    config = activated(config, version_of(config, "title", "v2"))
    config = without_version(config, version_of(config, "", "v3"))
    stored = json.loads(json.dumps(config.to_json()))
    assert CollectionConfig.from_json(stored) == config
    for missing in ("versions", "columns"):
        stored.pop(missing)
    assert CollectionConfig.from_json(stored).versions == ()


# Bridges.


def columns_of(config: CollectionConfig, name: str) -> list[tuple[str, bool]]:
    bridges = bridges_of(config, {}, {}).get(config.number(name), ())
    return [(config.name_of(one.column), one.needed) for one in bridges]


def test_bridges_lead_to_the_other_versions_that_count() -> None:
    assert bridges_of(config_of(), {}, {}) == {}
    config = with_new(with_new(config_of()), "v3", THIRD)
    assert columns_of(config, "") == [("@v3", False), ("@v2", False)]
    assert columns_of(config, "@v2") == [("", True), ("@v3", False)]
    retired = with_version(config, replace(version_of(config, "", "v3"), state="retired"))
    assert columns_of(retired, "@v2") == [("", True)]
    assert columns_of(retired, "@v3") == [("", True), ("@v2", False)]


@pytest.mark.parametrize("state", ["serving", "retired"])
def test_mapped_rows_serve_the_queries_they_were_mapped_for(state: State) -> None:
    config = with_new(with_new(config_of()), "v3", THIRD)
    config = with_new(config, "v1-in-v2", NEW, "", state, ("v1", "v2"))
    mapped = ("@v1-in-v2", True)
    assert (mapped in columns_of(config, "@v2")) == (state == "serving")
    assert mapped not in columns_of(config, "") and mapped not in columns_of(config, "@v3")
    assert config.mapped_columns == {0: (config.number("@v1-in-v2"),)}


def test_sizes_are_told_where_there_are_several() -> None:
    config = with_new(config_of(), vector="title")
    for name in ("title", "title@v2", "title@v1"):
        assert "'title@v1' has 4, 'title@v2' has 6" in describe_sizes(name, config.every_name)
    assert describe_sizes("", config.every_name) == ""
