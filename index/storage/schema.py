"""The tables of a store, and connections to it.

All slots are collection-wide, ascending and never used twice; numbers are those of points:
  settings    the format number and the collection's config
  position    one row: last seq, next slot, number of points, reach (``index.storage.reach``),
              and the numbers of rows of other tables
  points      number, id, seq, payload and the slot of each vector name (8 bytes a name, 0 or
              missing at the end = no vector)
  staged      vectors not sealed yet: one row per write and vector name, as arrays
  dead        slots whose point was deleted or written again, and the seq of the write that did it,
              until their rows are gone from disk
  segments    the manifest: sealed folders, with the crc32 of their description
  sealed      per vector name, the slot up to which staged rows have moved into segments

  fields      payload indexes: how each is declared, and the folder it was last written to
  touched     numbers whose payload was changed by the write of a seq, since the oldest folder
  adapters    from rows of one column to queries of another, and the folder that holds each
  edited      seqs of points last written by a write that brought no row of them
  folded_seqs the same of many points, as arrays (``index.storage.seqs``)
  demand      per column of queries, how often points without a vector in it were answers
  superseded  folders that may be deleted unless another table lists them: planned, or replaced
  jobs        long work: that which runs, or did when the program ended, and the last that ended

Each row has a checksum over its columns (``index.storage.sums``), and ``position`` counts the
rows of the tables that are read as a whole, by triggers or by who writes them. The texts of all
this have a checksum too, a setting (``index.storage.schema_sum``).

Formats: 1, the first; 2, points are numbered and payload fields indexed; 3, vectors have versions;
4, vectors have datatypes, in whose numbers rows are staged, and seqs of points are known on open;
5, commits are chained, and folders that may be deleted are known; 6, rows have checksums; 7, dead
slots tell by which write they died, and jobs are kept. Of format 7 there are two kinds: new ones
give free pages back (``index.storage.vacuum``), which changes nothing of what is read.
A store of an older format is brought to the newest when it is opened (``index.storage.migrate``).
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from palimpsest.index.errors import Damaged, PalimpsestError, StoreFailed, UnknownFormat
from palimpsest.index.storage.causes import of_sqlite
from palimpsest.index.storage.checked import verified
from palimpsest.index.storage.reach import Reach, create_record, record_of
from palimpsest.index.storage.schema_sum import SETTING, schema_sum
from palimpsest.index.storage.sums import COUNTED, TABLES, Table, check_of, lenient_text, row_sum
from palimpsest.index.storage.syncing import sync_file

FORMAT = 7
WAIT_SECONDS = 30.0  # for a lock that another connection holds
_OF_SCHEMA = ("no such ", "has no column", " values were supplied", "does not match any")
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)  # the latter: its words quote a damaged schema
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE position (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL,
    slot INTEGER NOT NULL, points INTEGER NOT NULL);
CREATE TABLE staged (slot INTEGER PRIMARY KEY, vector INTEGER NOT NULL, n INTEGER NOT NULL,
    seq INTEGER NOT NULL, crc32 INTEGER NOT NULL, ids BLOB NOT NULL, value BLOB NOT NULL,
    numbers BLOB NOT NULL);
CREATE TABLE dead (slot INTEGER PRIMARY KEY, seq INTEGER NOT NULL DEFAULT 0);
CREATE TABLE segments (name TEXT PRIMARY KEY, vector INTEGER NOT NULL, crc32 INTEGER NOT NULL);
CREATE TABLE sealed (vector INTEGER PRIMARY KEY, slot INTEGER NOT NULL);
INSERT INTO position VALUES (1, 0, 1, 0);
"""
# checksums before the payload, which may be long
_POINTS = """
CREATE TABLE points (number INTEGER PRIMARY KEY, id NOT NULL UNIQUE, seq INTEGER NOT NULL,
    slots BLOB NOT NULL, checksum INTEGER, payload_checksum INTEGER, payload BLOB);
"""
POINTS = """
CREATE TABLE points (number INTEGER PRIMARY KEY, id NOT NULL UNIQUE, seq INTEGER NOT NULL,
    slots BLOB NOT NULL, payload BLOB);
"""  # before format 6
FIELDS = """
CREATE TABLE fields (key TEXT PRIMARY KEY, declared TEXT NOT NULL, folder TEXT, crc32 INTEGER,
    seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE touched (seq INTEGER NOT NULL, numbers BLOB NOT NULL);
"""
VERSIONS = """
CREATE TABLE adapters ("rows" INTEGER NOT NULL, queries INTEGER NOT NULL, folder TEXT NOT NULL,
    crc32 INTEGER NOT NULL, PRIMARY KEY ("rows", queries)) WITHOUT ROWID;
CREATE TABLE demand (vector INTEGER NOT NULL, number INTEGER NOT NULL, hits REAL NOT NULL,
    PRIMARY KEY (vector, number)) WITHOUT ROWID;
"""
SEQS = """
CREATE TABLE edited (number INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE folded_seqs (first INTEGER PRIMARY KEY, crc32 INTEGER NOT NULL, seqs BLOB NOT NULL);
"""
REACH = "ALTER TABLE position ADD COLUMN reach BLOB"
SUPERSEDED = """
CREATE TABLE superseded (name TEXT PRIMARY KEY, planned INTEGER NOT NULL) WITHOUT ROWID;
"""
JOBS = """
CREATE TABLE jobs (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, what TEXT NOT NULL,
    state TEXT NOT NULL, progress REAL NOT NULL, started REAL NOT NULL, ended REAL, error TEXT,
    cancel INTEGER NOT NULL);
"""
LISTING = {"segments": "name", "fields": "folder", "adapters": "folder"}  # where folders are


def checksum_columns(tables: Iterable[Table], *, points: bool = True) -> Iterator[str]:
    """Yield the statements that give tables their checksums; for points unless they have them."""
    for table in tables:
        for check in table.checks:
            if points or table.name != "points":
                yield f"ALTER TABLE {table.name} ADD COLUMN {check.stored} INTEGER"


def count_columns() -> Iterator[str]:
    """Yield the statements that give ``position`` the numbers of rows of other tables."""
    for table in COUNTED:
        yield f"ALTER TABLE position ADD COLUMN {table}_rows INTEGER NOT NULL DEFAULT 0"


def triggers() -> Iterator[str]:
    """Yield the triggers of a store.

    They keep ``superseded``: no line of a folder goes without them. And they count rows, but not
    dead slots, which come by thousands. A line that is replaced counts as deleted, for connections
    with ``recursive_triggers``.
    """
    for table, name in LISTING.items():
        yield (
            f"CREATE TRIGGER {table}_gone AFTER DELETE ON {table} WHEN old.{name} IS NOT NULL BEGIN"
            " INSERT OR REPLACE INTO superseded (name, planned, checksum)"
            f" VALUES (old.{name}, 0, row_sum('superseded', old.{name}, 0)); END"
        )
        yield (
            f"CREATE TRIGGER {table}_listed AFTER INSERT ON {table} WHEN new.{name} IS NOT NULL"
            f" BEGIN DELETE FROM superseded WHERE name = new.{name}; END"
        )
    for table in (name for name in COUNTED if name != "dead"):
        for event, by in (("INSERT", "+ 1"), ("DELETE", "- 1")):
            yield (
                f"CREATE TRIGGER {table}_{event.lower()} AFTER {event} ON {table} BEGIN"
                f" UPDATE position SET {table}_rows = {table}_rows {by}; END"
            )


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into Damaged, or into the error of their cause."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(path, error) from error
    except UnicodeDecodeError as error:
        raise Damaged(path, "the tables that were made", repr(error.object), "schema") from error


def _translate(path: Path, error: sqlite3.Error) -> PalimpsestError:
    if is_damage(error):
        return Damaged(path, "a SQLite database", str(error), "file")
    if _is_of_schema(error):
        return Damaged(path, "the tables that were made", str(error), "schema")
    known = of_sqlite(path, error)
    if known is not None:
        return known
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return StoreFailed(
        f"SQLite failed on {path}: {error} ({name}); try again, and if it stays, "
        "check the data directory with `palimpsest doctor`"
    )


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether SQLite says of its own pages that they are not what it wrote."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def _is_of_schema(error: sqlite3.Error) -> bool:
    """Tell whether a statement, all of which fit the tables, was told that they are others."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_ERROR:
        return False
    return any(text in str(error) for text in _OF_SCHEMA)


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection that leaves transactions to its owner."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=WAIT_SECONDS
    )
    try:
        # A commit is synced before it is answered: `NORMAL`, which is often taken with a log, syncs
        # at checkpoints alone.
        connection.execute("PRAGMA synchronous = FULL")
        # A row that is replaced counts as deleted then; without it the numbers of rows would go
        # wrong with the first `INSERT OR REPLACE`.
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.execute("PRAGMA trusted_schema = ON")  # triggers call what follows
    except SQLITE_ERRORS:  # the schema is damaged, say
        close_keeping_log(path, connection)
        raise
    connection.create_function("row_sum", -1, row_sum, deterministic=True)
    connection.text_factory = lenient_text
    return connection


def connect_frozen(path: Path) -> sqlite3.Connection:
    """Open a connection that reads the database as it lies there, without its log.

    Nothing is changed by it: an ordinary connection would empty the log of what it can read of it.
    """
    name = f"{path.absolute().as_uri()}?immutable=1"
    connection = sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False)
    connection.text_factory = lenient_text
    return connection


def connect_reading(path: Path) -> sqlite3.Connection:
    """Open a connection that reads a database with its log, which it neither moves nor deletes."""
    name = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(
        name, uri=True, isolation_level=None, check_same_thread=False, timeout=WAIT_SECONDS
    )
    connection.execute("PRAGMA query_only = ON")
    connection.text_factory = lenient_text
    return connection


def close_keeping_log(path: Path, connection: sqlite3.Connection) -> None:
    """Close a connection, and leave the log of its store where it is.

    The last one to be closed moves the log into the database and deletes it, and what was refused
    may be needed as it is. One that only reads can do neither, so it is closed last.
    """
    last = None
    try:
        name = f"{path.absolute().as_uri()}?mode=ro"
        last = sqlite3.connect(name, uri=True, check_same_thread=False)
        last.execute("PRAGMA schema_version").fetchone()  # whatever the schema says
    except SQLITE_ERRORS:
        pass  # nothing can be read, or no more be opened; then nothing is moved either
    finally:
        connection.close()
        if last is not None:
            last.close()


def takes_no_writes(folder: Path) -> bool:
    """Tell whether nothing can be written into a folder: by its file system, or by rights."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY) or not os.access(folder, os.W_OK)


def is_read_only(*files: Path) -> bool:
    """Tell whether one of some files can be read, but not written; those that are missing can."""
    there = [file for file in files if file.exists()]
    return any(os.access(file, os.R_OK) and not os.access(file, os.W_OK) for file in there)


def peek(path: Path) -> tuple[Any, int]:
    """Return the config and the number of points of a store that is not opened. Raises anything."""
    with closing(connect_frozen(path)) as own:
        config = setting(path, own, "config")
        (points,) = own.execute("SELECT points FROM position").fetchone()
    return json.loads(config), points


def create_store(path: Path, config: dict[str, Any]) -> None:
    """Create an empty store and its record; both are whole and synced on return."""
    with store_errors(path):
        connection = connect(path)
        try:
            connection.execute("PRAGMA synchronous = OFF")  # once, at the end
            # Before anything is written: of a store that has a page it cannot be set any more.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            create_tables(connection)
            put_setting(connection, "format", FORMAT)
            put_setting(connection, "config", json.dumps(config))
            put_schema_sum(connection)
            reach = Reach.none().next()
            close_commit(connection, reach)
            connection.execute("COMMIT")
        finally:
            connection.close()
    sync_file(path)
    create_record(record_of(path), reach)


def create_tables(connection: sqlite3.Connection) -> None:
    """Begin a transaction, and make the tables and triggers of a new store in it."""
    connection.executescript(
        f"BEGIN;{_SCHEMA}{_POINTS}{FIELDS}{VERSIONS}{SEQS}{REACH};{SUPERSEDED}{JOBS}"
    )
    for statement in (
        *count_columns(),
        *checksum_columns(TABLES.values(), points=False),
        *triggers(),
    ):
        connection.execute(statement)


def put_setting(connection: sqlite3.Connection, name: str, value: object) -> None:
    """Write a setting, in the place of the one before."""
    connection.execute(
        "INSERT OR REPLACE INTO settings (name, value, checksum) VALUES (?, ?, ?)",
        (name, value, check_of("settings").sum((name, value))),
    )


def put_schema_sum(connection: sqlite3.Connection) -> None:
    """Keep the checksum of the schema as it is now, inside a transaction."""
    put_setting(connection, SETTING, schema_sum(connection))


def setting(path: Path, connection: sqlite3.Connection, name: str) -> Any:
    """Return a setting, None where there is none. Raises Damaged."""
    rows = verified(path, connection, "settings", "WHERE name = ?", (name,))
    return rows[0][1] if rows else None


def close_commit(connection: sqlite3.Connection, reach: Reach) -> None:
    """Write into a transaction, as the last thing of it, which commit it is."""
    check = check_of("position")
    names = ", ".join(check.columns)
    row = list(connection.execute(f"SELECT {names} FROM position").fetchone())
    row[check.columns.index("reach")] = reach.to_bytes()
    connection.execute(
        "UPDATE position SET reach = ?, checksum = ?", (reach.to_bytes(), check.sum(tuple(row)))
    )


def check_format(path: Path, connection: sqlite3.Connection) -> int:
    """Return the format of a store.

    Raises:
        Damaged: what the store says of its format is not what was written.
        UnknownFormat: this release does not read it.
    """
    row = connection.execute("SELECT value FROM settings WHERE name = 'format'").fetchone()
    columns = connection.execute("SELECT name FROM pragma_table_info('settings')").fetchall()
    # Before format 6 there was none, and what the format is has to be read to know that.
    if ("checksum",) in columns:
        row = (setting(path, connection, "format"),)
    if row is None or row[0] not in range(1, FORMAT + 1):
        raise UnknownFormat(path, row and row[0], FORMAT)
    return int(row[0])
