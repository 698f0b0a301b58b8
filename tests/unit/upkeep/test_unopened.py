"""What is told of a collection that cannot be opened: what can be read, and nothing is raised."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.upkeep.recover import STORE
from palimpsest.index.upkeep.unopened import read_damaged
from tests.conftest import OpenCollection
from tests.damage import settle
from tests.points import batch_of, config_of


def test_a_store_that_can_be_read_tells_its_config_and_points(
    collection_of: OpenCollection,
) -> None:
    config = config_of(3)
    collection = collection_of(config)
    collection.upsert(batch_of([2**53 + 1, 2], np.ones((2, 3), np.float32))).result()
    collection.close()
    settle(collection.folder / STORE)
    told = read_damaged("имя", collection.folder, "a segment is damaged")
    assert (told.name, told.why, told.points) == ("имя", "a segment is damaged", 2)
    assert told.config is not None and told.config.vectors == config.vectors


@pytest.mark.parametrize("content", [None, b"", b"\0" * 5_000, b"SQLite format 3\0" * 400])
def test_of_anything_else_the_reason_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / STORE).write_bytes(content)
    told = read_damaged("c", tmp_path, "why")
    assert (told.why, told.config, told.points) == ("why", None, None)


def test_a_database_of_another_program_is_no_collection(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / STORE) as other:
        other.execute("CREATE TABLE settings (name TEXT, value)")
    other.close()
    assert read_damaged("c", tmp_path, "why").config is None
