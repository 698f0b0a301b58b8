"""Connections to a store that may be at rest, also where the disk is full or takes no writes.

To read a store takes room as well: SQLite makes its log and the index of that anew, some 32 KiB.
Where the disk has none, what is kept for deletes is given back, of which that is the least part;
only what frees room is written from then on, as after a delete, until there is plenty again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from palimpsest.index.errors import StorageFull
from palimpsest.index.storage.causes import of_sqlite
from palimpsest.index.storage.reserve import Reserve
from palimpsest.index.storage.schema import connect, connect_frozen, takes_no_writes
from palimpsest.index.storage.verify import log_of


def connect_at_rest(path: Path, reserve: Reserve | None, *, frozen: bool) -> sqlite3.Connection:
    """Open a connection to a store that perhaps nobody has open. Raises what SQLite raises.

    Args:
        path: of the store.
        reserve: the room kept for deletes, None where none is.
        frozen: whether nothing can be written there.
    """
    if frozen:
        return connect_frozen(path)
    try:
        return connect(path)
    except sqlite3.Error as error:
        if reserve is None or not isinstance(of_sqlite(path, error), StorageFull):
            raise
    reserve.release()
    return connect(path)


def connect_briefly(path: Path) -> sqlite3.Connection | None:
    """Open a connection for one read of a store whose disk takes no writes any more.

    Not for longer: were it mounted for writing again, what is written then would not be seen.

    Returns:
        None where the disk takes writes, or the log holds what the database may lack.
    """
    log = log_of(path)
    if not takes_no_writes(path.parent) or log.exists() and log.stat().st_size:
        return None
    return connect_frozen(path)
