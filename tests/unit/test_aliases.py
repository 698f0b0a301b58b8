"""Aliases: changed as a whole, kept on disk, forgotten with their collection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index import (
    AliasChange,
    AliasNotFound,
    CollectionConfig,
    CollectionExists,
    CollectionNotFound,
    CreateAlias,
    Damaged,
    Database,
    DeleteAlias,
    Distance,
    InvalidConfig,
    InvalidInput,
    RenameAlias,
    StorageFull,
    StoreFailed,
    UnknownFormat,
    VectorConfig,
)
from index.aliases import FILE

CONFIG = CollectionConfig({"": VectorConfig(3, Distance.DOT)})


@pytest.fixture
def two(database: Database) -> Database:
    """A database with the collections "a" and "b"."""
    for name in ("a", "b"):
        database.create(name, CONFIG)
    return database


def test_an_alias_is_another_name(two: Database) -> None:
    two.change_aliases([CreateAlias("now", "a")])
    assert two.get("now") is two.get("a")
    assert two.names() == ["a", "b"]
    two.change_aliases([CreateAlias("now", "b")])
    assert two.get("now") is two.get("b")
    two.change_aliases([DeleteAlias("now"), DeleteAlias("never")])
    with pytest.raises(CollectionNotFound, match="`now`"):
        two.get("now")


def test_changes_apply_in_order(two: Database) -> None:
    two.change_aliases([CreateAlias("x", "a"), RenameAlias("x", "y"), CreateAlias("x", "b")])
    assert two.aliases() == {"x": "b", "y": "a"}
    two.change_aliases([RenameAlias("y", "x")])
    assert two.aliases() == {"x": "a"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (CreateAlias("x", "missing"), CollectionNotFound),
        (CreateAlias("x", "first"), CollectionNotFound),  # an alias, not a collection
        (CreateAlias("b", "a"), CollectionExists),
        (RenameAlias("first", "b"), CollectionExists),
        (RenameAlias("missing", "x"), AliasNotFound),
        (CreateAlias("a/b", "a"), InvalidConfig),
        (RenameAlias("first", ""), InvalidConfig),
    ],
)
def test_changes_hold_together_or_not_at_all(
    change: AliasChange, error: type[Exception], two: Database
) -> None:
    two.change_aliases([CreateAlias("first", "a")])
    with pytest.raises(error):
        two.change_aliases([CreateAlias("second", "b"), change])
    assert two.aliases() == {"first": "a"}


def test_a_collection_does_not_take_the_name_of_an_alias(two: Database) -> None:
    two.change_aliases([CreateAlias("x", "a")])
    with pytest.raises(InvalidInput, match="Alias with the same name already exists"):
        two.create("x", CONFIG)
    assert two.drop("x") is False
    assert two.aliases() == {"x": "a"}


def test_aliases_survive_a_restart(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        database.create("a", CONFIG)
        database.change_aliases([CreateAlias("x", "a"), CreateAlias("ü-v2", "a")])
    with Database.open(tmp_path) as database:
        assert database.aliases() == {"x": "a", "ü-v2": "a"}
        assert database.get("x").name == "a"
        database.drop("a")
        assert database.aliases() == {}
    with Database.open(tmp_path) as database:
        database.create("a", CONFIG)
        assert database.aliases() == {}


def test_an_alias_left_by_a_crash_during_a_drop_is_forgotten(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        database.create("a", CONFIG)
        database.change_aliases([CreateAlias("x", "a")])
        kept = (tmp_path / FILE).read_bytes()
        database.drop("a")
    (tmp_path / FILE).write_bytes(kept)
    with Database.open(tmp_path) as database:
        assert database.aliases() == {}


def test_a_change_that_cannot_be_written_changes_nothing(
    two: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.change_aliases([CreateAlias("x", "a")])

    def fail(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr("index.aliases.os.rename", fail)
    with pytest.raises(StoreFailed):
        two.change_aliases([CreateAlias("y", "a")])
    monkeypatch.undo()
    assert two.aliases() == {"x": "a"}
    two.change_aliases([CreateAlias("z", "a")])
    assert two.aliases() == {"x": "a", "z": "a"}


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda stored: {**stored, "aliases": {"x": "b"}}, Damaged),
        (lambda stored: {**stored, "format": 2}, UnknownFormat),
        (lambda stored: [], Damaged),
    ],
)
def test_a_spoilt_file_is_found(spoil: object, error: type[Exception], tmp_path: Path) -> None:
    assert callable(spoil)
    with Database.open(tmp_path) as database:
        for name in ("a", "b"):
            database.create(name, CONFIG)
        database.change_aliases([CreateAlias("x", "a")])
    stored = json.loads((tmp_path / FILE).read_bytes())
    (tmp_path / FILE).write_text(json.dumps(spoil(stored)))
    with pytest.raises(error, match=FILE):
        Database.open(tmp_path)
    (tmp_path / FILE).write_text("{")
    with pytest.raises(Damaged, match="delete it and create the aliases anew"):
        Database.open(tmp_path)
    (tmp_path / FILE).unlink()
    with Database.open(tmp_path) as database:  # nothing was left locked
        assert database.aliases() == {}


def test_a_new_collection_inherits_no_alias_of_one_dropped_before_a_crash(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        database.create("a", CONFIG)
        database.change_aliases([CreateAlias("now", "a")])
        left = (tmp_path / FILE).read_bytes()
        database.drop("a")
    (tmp_path / FILE).write_bytes(left)  # as if the program had ended before it was written
    with Database.open(tmp_path) as database:
        database.create("a", CONFIG)
    with Database.open(tmp_path) as database:
        assert database.aliases() == {}


def test_a_drop_frees_its_space_though_the_aliases_cannot_be_written(
    two: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    two.change_aliases([CreateAlias("now", "a")])

    def refuse(*_: object) -> None:
        raise StorageFull("No space left")

    monkeypatch.setattr("index.aliases._write", refuse)
    with pytest.raises(StorageFull):
        two.drop("a")
    assert two.names() == ["b"]
    assert list((tmp_path / "database" / "unfinished").iterdir()) == []
