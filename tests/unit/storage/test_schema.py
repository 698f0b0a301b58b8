"""The tables of a store, and the ways to open it: each changes no more than it says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.index.errors import Damaged, StoreFailed, UnknownFormat
from palimpsest.index.storage.reach import read_record, record_of
from palimpsest.index.storage.schema import (
    FORMAT,
    check_format,
    close_keeping_log,
    connect,
    connect_frozen,
    connect_reading,
    create_store,
    is_read_only,
    peek,
    put_setting,
    setting,
    store_errors,
    takes_no_writes,
)
from palimpsest.index.storage.sums import TABLES

CONFIG = {"vectors": {}, "declared": {"имя": 2**60}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_store(tmp_path / "store.sqlite3", CONFIG)
    return tmp_path / "store.sqlite3"


def test_a_new_store_has_all_tables_its_format_and_a_record(path: Path) -> None:
    with closing(connect(path)) as own:
        named = own.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        assert {name for (name,) in named} == set(TABLES)
        assert check_format(path, own) == FORMAT
        assert setting(path, own, "нет") is None
    assert peek(path) == (CONFIG, 0)
    reach = read_record(record_of(path))
    assert reach is not None and reach.commit == 1


def test_a_log_is_neither_moved_nor_deleted_by_who_only_reads(path: Path) -> None:
    writer = connect(path)
    put_setting(writer, "config", '{"vectors": {"x": 1}}')
    log = path.with_name(path.name + "-wal")
    before = log.read_bytes()
    with closing(connect_reading(path)) as own:
        assert "x" in setting(path, own, "config")
    with closing(connect_frozen(path)) as own:
        assert "x" not in setting(path, own, "config"), "it reads the file as it lies there"
    assert log.read_bytes() == before
    close_keeping_log(path, writer)
    assert log.read_bytes() == before


def test_a_format_that_is_not_known_is_told(path: Path) -> None:
    with closing(connect(path)) as own:
        for newer in (FORMAT + 1, 0, "ж"):
            put_setting(own, "format", newer)
            with pytest.raises(UnknownFormat, match=f"has format {newer}"):
                check_format(path, own)
        own.execute("UPDATE settings SET value = 7 WHERE name = 'format'")
        with pytest.raises(Damaged):
            check_format(path, own)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT * FROM no_such_table", Damaged),
        ("SELECT no_such_column FROM points", Damaged),
        ("INSERT INTO dead VALUES (1)", Damaged),
        ("SELEKT", StoreFailed),
    ],
)
def test_errors_of_sqlite_are_told_by_their_cause(
    path: Path, statement: str, error: type[Exception]
) -> None:
    with (
        closing(connect(path)) as own,
        pytest.raises(error, match="store.sqlite3"),
        store_errors(path),
    ):
        own.execute(statement)


def test_what_is_no_database_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(Damaged), store_errors(path):
        connect(path)
    with pytest.raises(sqlite3.Error):
        peek(path)


def test_folders_and_files_that_take_writes(path: Path) -> None:
    assert not takes_no_writes(path.parent)
    assert not is_read_only(path, path.with_name("not there"))
