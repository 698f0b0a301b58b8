"""All texts that the schema of a store may have: of one that comes from elsewhere, no other.

A trigger or a view is code that runs when a store is opened, and a table may hide columns that are.
Stores that were begun by earlier releases have texts of their own, as their migrations left them.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TypeAlias

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.schema import POINTS, create_tables
from palimpsest.index.storage.sums import row_sum

Named: TypeAlias = tuple[str, str, str]  # kind, name, and the table it is of
_FOREIGN = "it is no store of this program, or was changed: do not serve it"
_EARLIER = (
    "CREATE TABLE dead (slot INTEGER PRIMARY KEY)",
    "ALTER TABLE dead ADD COLUMN checksum INTEGER",
    "ALTER TABLE dead ADD COLUMN seq INTEGER NOT NULL DEFAULT 0",
    POINTS,
    "ALTER TABLE points ADD COLUMN checksum INTEGER",
    "ALTER TABLE points ADD COLUMN payload_checksum INTEGER",
    "CREATE TABLE staged (slot INTEGER PRIMARY KEY, vector INTEGER NOT NULL, n INTEGER NOT NULL,\n"
    "    seq INTEGER NOT NULL, crc32 INTEGER NOT NULL, ids BLOB NOT NULL, value BLOB NOT NULL)",
    "ALTER TABLE staged ADD COLUMN numbers BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE staged ADD COLUMN checksum INTEGER",
)
# of stores that the first releases of format 6 made
_COUNTING = (
    "CREATE TRIGGER dead_{0} AFTER {1} ON dead BEGIN UPDATE position SET dead_rows = dead_rows {2};"
    " END"
)


def require_known_schema(path: Path, connection: sqlite3.Connection) -> None:
    """Require that a store has the tables and triggers that this program makes, and no others.

    Args:
        path: of the store.
        connection: to it, which has not been asked for anything else.

    Raises:
        Damaged: it has others; names one.
    """
    known, needed = known_schemas()
    found = set()
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    for kind, name, table, text in rows:
        if text not in known.get((kind, name, table), ()) or (kind, name) in found:
            what = f"{kind} {name!r:.80} of the schema"
            raise Damaged(path, "one that a store has", "another", what, _FOREIGN)
        found.add((kind, name))
    missing = sorted(needed - found)
    if missing:
        raise Damaged(path, f"{missing[0][0]} {missing[0][1]!r}", "none", "schema", _FOREIGN)


@cache
def known_schemas() -> tuple[Mapping[Named, set[str | None]], set[tuple[str, str]]]:
    """Return the texts that each part of a schema may have, and the parts that every one has."""
    known: dict[Named, set[str | None]] = defaultdict(set)
    with closing(_memory()) as own:
        create_tables(own)
        current = _texts(own)
    with closing(_memory()) as own:
        for statement in _EARLIER:
            own.execute(statement)
        earlier = _texts(own)
    for *named, text in (*current, *earlier):
        known[(named[0], named[1], named[2])].add(text)
    for name, event, by in (("insert", "INSERT", "+ 1"), ("delete", "DELETE", "- 1")):
        known["trigger", f"dead_{name}", "dead"].add(_COUNTING.format(name, event, by))
    return dict(known), {(kind, name) for kind, name, *_ in current}


def _memory() -> sqlite3.Connection:
    own = sqlite3.connect(":memory:", isolation_level=None)
    own.create_function("row_sum", -1, row_sum, deterministic=True)
    return own


def _texts(own: sqlite3.Connection) -> list[tuple[str, str, str, str | None]]:
    return own.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
