"""Stores as earlier releases wrote them, made from stores of this one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from index.storage.reach import record_of
from index.storage.schema import folder_triggers


def bring_back_to_format_3(store: Path) -> None:
    """Take from a closed store what format 3 did not have."""
    with closing(sqlite3.connect(store)) as connection, connection:
        for trigger in folder_triggers():
            connection.execute(f"DROP TRIGGER {trigger.split()[2]}")
        for table in ("edited", "folded_seqs", "superseded"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE position DROP COLUMN reach")
        connection.execute("UPDATE settings SET value = 3 WHERE name = 'format'")
    record_of(store).unlink()
