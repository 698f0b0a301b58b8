"""Stores as earlier releases wrote them, made from stores of this one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from palimpsest.index.storage.reach import record_of
from palimpsest.index.storage.schema import LISTING, connect, put_schema_sum, put_setting, triggers
from palimpsest.index.storage.sums import COUNTED, tables_of


def bring_back_to_format_6(store: Path) -> None:
    """Take from a closed store what format 6 did not have."""
    (check,) = tables_of(6)["dead"].checks
    with closing(connect(store)) as connection:
        connection.execute("BEGIN")
        connection.execute("DROP TABLE jobs")
        connection.execute("ALTER TABLE dead DROP COLUMN seq")
        slots = connection.execute("SELECT slot FROM dead").fetchall()
        connection.executemany(
            "UPDATE dead SET checksum = ? WHERE slot = ?",
            ((own, slot) for own, (slot,) in zip(check.sums(slots), slots, strict=True)),
        )
        put_setting(connection, "format", 6)
        put_schema_sum(connection)
        connection.execute("COMMIT")


def bring_back_to_format_5(store: Path) -> None:
    """Take from a closed store what format 5 did not have."""
    bring_back_to_format_6(store)
    with closing(connect(store)) as connection:
        connection.execute("BEGIN")
        for trigger in triggers():
            connection.execute(f"DROP TRIGGER {trigger.split()[2]}")
        for table in tables_of(6).values():
            for check in table.checks:
                connection.execute(f"ALTER TABLE {table.name} DROP COLUMN {check.stored}")
        for name in COUNTED:
            connection.execute(f"ALTER TABLE position DROP COLUMN {name}_rows")
        for table, name in LISTING.items():
            connection.execute(
                f"CREATE TRIGGER {table}_gone AFTER DELETE ON {table} WHEN old.{name} IS NOT NULL"
                f" BEGIN INSERT OR REPLACE INTO superseded VALUES (old.{name}, 0); END"
            )
            connection.execute(
                f"CREATE TRIGGER {table}_listed AFTER INSERT ON {table} WHEN new.{name} IS NOT NULL"
                f" BEGIN DELETE FROM superseded WHERE name = new.{name}; END"
            )
        connection.execute("DELETE FROM settings WHERE name = 'schema'")
        connection.execute("UPDATE settings SET value = 5 WHERE name = 'format'")
        connection.execute("COMMIT")


def bring_back_to_format_3(store: Path) -> None:
    """Take from a closed store what format 3 did not have."""
    bring_back_to_format_5(store)
    with closing(sqlite3.connect(store)) as connection, connection:
        for table in LISTING:
            connection.execute(f"DROP TRIGGER {table}_gone")
            connection.execute(f"DROP TRIGGER {table}_listed")
        for table in ("edited", "folded_seqs", "superseded"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE position DROP COLUMN reach")
        connection.execute("UPDATE settings SET value = 3 WHERE name = 'format'")
    record_of(store).unlink()
