"""Every spelling of a name means the column that it means to the plain twin, whatever changed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.index import CollectionConfig, Distance, SparseConfig, VectorConfig
from palimpsest.index.config.collection import VersionConfig
from palimpsest.index.config.names import check_vector_name
from palimpsest.index.config.versions import (
    activated,
    check_columns,
    check_version_name,
    declared,
    shown,
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
from tests.property.names_twin import KeyedNames, Space

# fullwidth and small forms of what stands before a version, accents in both forms
VECTORS = (
    "",
    "a",
    "A",
    "é",
    "e\u0301",
    "a＠v2",
    "﹫",
    "a v2",
    "名前",
    "v2",
    "\U0001f9ed",
    "a\u200d",
)
LEGACY = ("a@v1", "a@v2", "@v1", "@", "a@", "é@v2@v1")  # names could once hold the sign
VERSIONS = ("v1", "v2", "V2", "v2＠v1", "é", "e\u0301", "版", "v1-in-v2", "1.5")

spaces = st.builds(VectorConfig, st.integers(1, 9), st.just(Distance.DOT))
names = st.sampled_from(VECTORS)
texts = st.text(st.sampled_from("aé＠@v12 名"), max_size=5)


class World:
    """A config and its twin through the same changes; refused ones change neither."""

    def __init__(self, vectors: dict[str, Space]) -> None:
        self.config, self.twin = CollectionConfig(vectors), KeyedNames.of(vectors)

    def change(self, draw: st.DrawFn) -> None:
        kinds = (self.add, self.drop, self.declare, self.declare, self.activate, self.drop_version)
        draw(st.sampled_from(kinds))(draw)

    def add(self, draw: st.DrawFn) -> None:
        name, space = draw(names), draw(spaces | st.just(SparseConfig()))
        if self.config.find(name) is None:
            self.config = self.config.with_column(name, space)
            self.twin = self.twin.added(name, space)

    def drop(self, draw: st.DrawFn) -> None:
        name = draw(st.sampled_from(self.config.names or [""]))
        if name not in self.config.names:
            return
        columns = [n for n, one in self.config.version_columns.items() if one.vector == name]
        kept = tuple(one for one in self.config.versions if one.vector != name)
        gone = {*columns, self.config.number(name)}
        self.config = replace(self.config.without_columns(gone), versions=kept)
        self.twin = self.twin.dropped(name)

    def declare(self, draw: st.DrawFn) -> None:
        vector, version = draw(names), draw(st.sampled_from(VERSIONS))
        new, space = VersionConfig(vector, version, "shadow"), draw(spaces)
        try:
            changed = declared(self.config, new, space)
        except (UnknownVectorName, VersionConflict):
            return
        if changed is not None:
            self.config, self.twin = changed, self.twin.declared(new, space)

    def activate(self, draw: st.DrawFn) -> None:
        if self.config.versions:
            one = draw(st.sampled_from(self.config.versions))
            self.config = activated(self.config, one)
            self.twin = self.twin.activated(one.vector, one.version)

    def drop_version(self, draw: st.DrawFn) -> None:
        spare = [one for one in self.config.versions if one.state != "active"]
        if spare:
            one = draw(st.sampled_from(spare))
            self.config = without_version(self.config, one)
            self.twin = self.twin.version_dropped(one.vector, one.version)


def require_agree(config: CollectionConfig, twin: KeyedNames, spellings: set[str]) -> None:
    assert config.columns == twin.columns
    assert [*config.vectors.items()] == [*twin.vectors.items()]
    assert config.names == twin.names()
    assert config.aliases == twin.aliases()
    for name in spellings | {*config.every_name}:
        expected = twin.number(name)
        assert config.find(name) is twin.find(name), name
        assert config.numbers.get(name) == expected, name
        if expected is None:
            with pytest.raises(UnknownVectorName):
                config.number(name)
        else:
            assert config.number(name) == expected
            assert config.spaces[expected] is twin.find(name)
    for number in config.spaces:
        assert config.number(config.name_of(number)) == number
    for one in config.versions:
        assert config.column_of(one) == twin.number(twin.key_of(one))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_every_spelling_means_what_it_meant(data: st.DataObject) -> None:
    draw = data.draw
    some = st.sampled_from(VECTORS + LEGACY)
    world = World(draw(st.dictionaries(some, spaces | st.just(SparseConfig()), max_size=4)))
    for _ in range(draw(st.integers(0, 12))):
        before = world.config
        world.change(draw)
        config = world.config
        spellings = {*VECTORS, *LEGACY, *draw(st.lists(texts, max_size=4))}
        spellings |= {f"{vector}@{version}" for vector in VECTORS for version in VERSIONS}
        require_agree(config, world.twin, spellings)
        for version in draw(st.sets(st.sampled_from(VERSIONS), max_size=3)):
            try:
                virtual = shown(config, version)
            except VersionNotFound:
                continue
            require_agree(virtual, world.twin.showing(version), spellings)
            assert [*virtual.spaces] == [*config.spaces]
        # no column moves, and the number of one that was dropped is not given again
        assert len(config.columns) >= len(before.columns)
        for number, name in enumerate(before.columns):
            assert name is not None or config.columns[number] is None
        for number, one in before.version_columns.items():
            if number in config.spaces:
                assert config.spaces[number] is before.spaces[number]
                now = config.version_columns[number]
                assert (now.vector, now.version) == (one.vector, one.version)
        stored = CollectionConfig.from_json(json.loads(json.dumps(config.to_json())))
        assert stored.numbers == config.numbers and stored.columns == config.columns


def test_the_names_of_this_test_are_allowed() -> None:
    for name in VECTORS[1:]:
        check_vector_name(name)
    for version in VERSIONS:
        check_version_name(version)
    for name in LEGACY:
        with pytest.raises(InvalidConfig):
            check_vector_name(name)


def test_a_version_is_not_declared_where_its_name_is_a_vector() -> None:
    space = VectorConfig(2, Distance.DOT)
    config = CollectionConfig({"a": space, "a@v2": space})
    with pytest.raises(VersionConflict):
        check_columns(config, "a", ["v2"])
    assert config.number("a@v2") == 1 and config.number("a@v1") == 0


def test_what_a_change_of_state_alone_leaves_as_it_was() -> None:
    space = VectorConfig(2, Distance.DOT)
    config = declared(CollectionConfig({"": space}), VersionConfig("", "v2", "shadow"), space)
    assert config is not None
    served = with_version(config, replace(version_of(config, "", "v2"), state="serving"))
    assert served.numbers == config.numbers == {"": 0, "@v1": 0, "@v2": 1}
    swapped = activated(served, version_of(served, "", "v2"))
    assert swapped.numbers == {"": 1, "@v2": 1, "@v1": 0}
    back = activated(swapped, version_of(swapped, "", "v1"))
    assert back.numbers == config.numbers and back.columns == config.columns
