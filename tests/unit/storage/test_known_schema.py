"""The schemas of stores of every release are known, and nothing else is."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.index import Damaged
from palimpsest.index.storage.known_schema import known_schemas, require_known_schema
from palimpsest.index.storage.schema import connect_frozen, create_store
from palimpsest.index.storage.store import Store

GOLDEN = sorted((Path(__file__).parents[2] / "formats").glob("collection_*.zip"))


@pytest.mark.parametrize("file", GOLDEN, ids=[path.stem for path in GOLDEN])
def test_stores_of_all_formats_once_opened(file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path)
    (store,) = tmp_path.rglob("store.sqlite3")
    Store.open(store).close()
    with closing(connect_frozen(store)) as own:
        require_known_schema(store, own)


def test_a_new_store(tmp_path: Path) -> None:
    create_store(tmp_path / "s", {})
    with closing(connect_frozen(tmp_path / "s")) as own:
        require_known_schema(tmp_path / "s", own)
    known, needed = known_schemas()
    assert len(needed) > 30 and needed <= {(kind, name) for kind, name, _ in known}


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE further (x)",
        "CREATE VIEW seen AS SELECT 1",
        "CREATE TRIGGER more AFTER INSERT ON jobs BEGIN DELETE FROM points; END",
        "CREATE INDEX by_seq ON points (seq)",
        "CREATE VIRTUAL TABLE texts USING fts5(x)",
        "DROP TABLE jobs",
        "DROP TRIGGER segments_gone",
        "ALTER TABLE jobs ADD COLUMN y GENERATED ALWAYS AS (id + 1)",
        "ANALYZE",
    ],
)
def test_a_store_with_anything_else(change: str, tmp_path: Path) -> None:
    path = tmp_path / "s"
    create_store(path, {})
    with closing(sqlite3.connect(path, isolation_level=None)) as own:
        own.execute(change)
    with closing(connect_frozen(path)) as own, pytest.raises(Damaged):
        require_known_schema(path, own)


def test_a_trigger_of_the_same_name_that_does_something_else(tmp_path: Path) -> None:
    path = tmp_path / "s"
    create_store(path, {})
    with closing(sqlite3.connect(path, isolation_level=None)) as own:
        own.execute("DROP TRIGGER segments_gone")
        own.execute(
            "CREATE TRIGGER segments_gone AFTER DELETE ON segments BEGIN DELETE FROM points; END"
        )
    with closing(connect_frozen(path)) as own, pytest.raises(Damaged, match="segments_gone"):
        require_known_schema(path, own)
