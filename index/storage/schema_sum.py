"""The checksum of a store's schema: a flipped bit in a trigger's text changes what it does.

SQLite keeps the texts of tables, indexes and triggers in ``sqlite_master`` without a checksum. One
over all of them is kept as a setting, written by the transaction that makes or changes the schema.
Stores that were made before it was kept get theirs when they are opened for writes.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from pathlib import Path

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.checked import verified

SETTING = "schema"
# statistics, which someone may have had SQLite gather by hand, change no answer
_MASTER = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_stat*'"
    " ORDER BY name, type, tbl_name, sql"
)


def schema_sum(connection: sqlite3.Connection) -> int:
    """Return the CRC-32 over the texts of a schema, in the order of their names."""
    return zlib.crc32(json.dumps(connection.execute(_MASTER).fetchall()).encode())


def require_schema(path: Path, connection: sqlite3.Connection) -> bool:
    """Tell whether a store of the newest format keeps a checksum of its schema, and require it.

    Raises:
        Damaged: the schema is other than was written, or the setting is.
    """
    rows = verified(path, connection, "settings", "WHERE name = ?", (SETTING,))
    if not rows:
        return False
    expected, found = rows[0][1], schema_sum(connection)
    if found != expected:
        what = "checksum of the schema (the texts of tables, indexes and triggers)"
        raise Damaged(path, expected, found, what)
    return True
