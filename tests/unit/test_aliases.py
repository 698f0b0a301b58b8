"""Aliases: changed as a whole, kept on disk, forgotten with their collection."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from palimpsest.app.context import Context
from palimpsest.app.health import readiness
from palimpsest.app.health.life import Stage
from palimpsest.index import (
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
from palimpsest.index.aliases import FILE
from palimpsest.index.storage.doubled import copy_of

COPY = copy_of(Path(FILE)).name
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

    monkeypatch.setattr("palimpsest.index.storage.local.os.rename", fail)
    with pytest.raises(StoreFailed):
        two.change_aliases([CreateAlias("y", "a")])
    monkeypatch.undo()
    assert two.aliases() == {"x": "a"}
    two.change_aliases([CreateAlias("z", "a")])
    assert two.aliases() == {"x": "a", "z": "a"}


SPOILT = (
    lambda text: text.replace('"x"', '"z"'),
    lambda text: text.replace('"format": 2', '"format": 3'),
    lambda text: text.replace('"number": 1', '"number": 9'),
    lambda text: "[]",
    lambda text: "",
    lambda text: "{",
)


@pytest.fixture
def aliased(tmp_path: Path) -> Path:
    """A directory where "x" is an alias of "a", and "b" is not in use."""
    with Database.open(tmp_path) as database:
        for name in ("a", "b"):
            database.create(name, CONFIG)
        database.change_aliases([CreateAlias("x", "a")])
    return tmp_path


@pytest.mark.parametrize("hurt", [FILE, COPY])
@pytest.mark.parametrize("spoil", SPOILT)
def test_a_spoilt_file_costs_nothing(spoil: Callable[[str], str], hurt: str, aliased: Path) -> None:
    whole = (aliased / FILE).read_text()
    assert whole == (aliased / COPY).read_text() != spoil(whole)
    (aliased / hurt).write_text(spoil(whole))
    for _ in range(2):
        with Database.open(aliased) as database:
            assert database.aliases() == {"x": "a"}
        assert (aliased / FILE).read_text() == (aliased / COPY).read_text()


@pytest.mark.parametrize("hurt", [FILE, COPY])
def test_a_missing_or_an_outdated_file_costs_nothing(hurt: str, aliased: Path) -> None:
    old = (aliased / hurt).read_bytes()
    with Database.open(aliased) as database:
        database.change_aliases([CreateAlias("x", "b")])
    (aliased / hurt).write_bytes(old)
    with Database.open(aliased) as database:
        assert database.aliases() == {"x": "b"}
    (aliased / hurt).unlink()
    with Database.open(aliased) as database:
        assert database.aliases() == {"x": "b"}
    assert (aliased / hurt).exists()


def test_collections_are_served_where_no_alias_can_be_read(aliased: Path) -> None:
    for name in (FILE, COPY):
        (aliased / name).write_text("{")
    with Database.open(aliased) as database:
        assert database.get("a").name == "a"
        assert database.drop("b") is True
        for refused in (
            lambda: database.get("x"),
            lambda: database.get("x@v1"),
            lambda: database.create("x", CONFIG),
            lambda: database.change_aliases([CreateAlias("y", "a")]),
            database.aliases,
        ):
            with pytest.raises(Damaged, match="and create the aliases anew"):
                refused()
    assert (aliased / FILE).read_text() == "{"
    for name in (FILE, COPY):
        (aliased / name).unlink()
    with Database.open(aliased) as database:  # nothing was left locked
        assert database.aliases() == {}


def test_files_of_a_newer_release_are_not_opened(aliased: Path) -> None:
    for name in (FILE, COPY):
        text = (aliased / name).read_text()
        (aliased / name).write_text(text.replace('"format": 2', '"format": 3'))
    with pytest.raises(UnknownFormat, match=FILE):
        Database.open(aliased)


def test_the_file_of_an_earlier_release_is_read(aliased: Path) -> None:
    (aliased / COPY).unlink()
    checksum = zlib.crc32(b'{"x": "b"}')
    (aliased / FILE).write_text(json.dumps({"format": 1, "crc32": checksum, "aliases": {"x": "b"}}))
    with Database.open(aliased) as database:
        assert database.aliases() == {"x": "b"}
    assert json.loads((aliased / COPY).read_text())["format"] == 2


def test_a_copy_that_cannot_be_written_is_not_left_outdated(
    aliased: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def refuse(source: Path, target: Path) -> None:
        if target.name == COPY:
            raise OSError("no")
        rename(source, target)

    with Database.open(aliased) as database:
        monkeypatch.setattr("palimpsest.index.storage.local.os.rename", refuse)
        database.change_aliases([CreateAlias("x", "b")])
        monkeypatch.undo()
    assert not (aliased / COPY).exists()
    with Database.open(aliased) as database:
        assert database.aliases() == {"x": "b"}


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

    monkeypatch.setattr("palimpsest.index.aliases.Doubled.write", refuse)
    with pytest.raises(StorageFull):
        two.drop("a")
    assert two.names() == ["b"]
    assert list((tmp_path / "database" / "unfinished").iterdir()) == []


def test_damaged_aliases_are_told_to_who_asks_whether_the_server_is_ready(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        database.create("a", CONFIG)
        database.change_aliases([CreateAlias("x", "a")])
        assert database.damaged_aliases() is None
    for path in (tmp_path / FILE, copy_of(tmp_path / FILE)):
        path.write_text("{")
    with Database.open(tmp_path) as database:
        settings = SimpleNamespace(ready="strict", data=tmp_path)
        life = SimpleNamespace(stage=Stage.SERVING)
        context = SimpleNamespace(
            database=database, settings=settings, life=life, collections=lambda: ()
        )
        text = readiness.check(cast(Context, context))["damaged_aliases"]
        assert str(tmp_path / FILE) in text and "restore the file" in text
