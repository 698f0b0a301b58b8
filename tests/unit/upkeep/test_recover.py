from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from palimpsest.index import Database, StorageError
from tests.points import config_of

DAMAGES = {
    "not JSON": "UPDATE settings SET value = '{' WHERE name = 'config'",
    "not a config": "UPDATE settings SET value = '[]' WHERE name = 'config'",
    "out of range": "UPDATE settings SET value = replace(value, '4', '-4') WHERE name = 'config'",
    "no config": "DELETE FROM settings WHERE name = 'config'",
    "no position": "DELETE FROM position",
    "no table": "DROP TABLE staged",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_store_that_makes_no_sense_is_damaged_and_others_serve_on(
    damage: str, tmp_path: Path
) -> None:
    with Database.open(tmp_path, threads=1) as database:
        database.create("good", config_of(4))
        database.create("bad", config_of(4))
    store = tmp_path / "collections" / "bad" / "store.sqlite3"
    connection = sqlite3.connect(store)
    with connection:
        connection.execute(damage)
    connection.close()
    with Database.open(tmp_path, threads=1) as database:
        assert database.get("good").count() == 0
        assert str(store) in database.damaged()["bad"]
        with pytest.raises(StorageError):
            database.get("bad")
