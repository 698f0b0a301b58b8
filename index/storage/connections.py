"""Connections to a store, one for each thread that reads it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from palimpsest.index.errors import CollectionNotFound, StoreFailed
from palimpsest.index.stops import check_stop, is_stopped
from palimpsest.index.storage.reserve import Reserve
from palimpsest.index.storage.schema import store_errors
from palimpsest.index.storage.waking import connect_at_rest, connect_briefly

_STEPS = 10_000  # of SQLite between two looks at whether to stop, about half a millisecond


class Connections:
    """Opened by the reads that need them, until closed: then CollectionNotFound."""

    def __init__(
        self,
        path: Path,
        collection: str,
        *,
        frozen: bool,
        opened: Callable[[], None],
        reserve: Reserve | None,
    ) -> None:
        """Prepare them; nothing is opened before the first read.

        Args:
            path: of the store.
            collection: its name.
            frozen: whether nothing can be written there, not even what SQLite shares of a log.
            opened: called when a connection was opened, which stays open until ``rest``.
            reserve: room on the disk, of which a full one lets a connection have some.
        """
        self.path = path
        self._frozen = frozen
        self._opened = opened
        self._reserve = reserve
        self._collection = collection
        self._local = threading.local()
        # A connection for each thread: calls on one are serialised, and its snapshot would be
        # shared by reads that have nothing to do with each other.
        self._open: list[sqlite3.Connection] = []
        self._brief: set[sqlite3.Connection] = set()  # of these, for one read each
        self._left = threading.Condition()
        self._inside = 0  # reads under way
        self.reads = 0  # begun
        self._closed = False

    def close(self) -> None:
        """Wait for the reads under way, then close the connections of every thread.

        Closing a connection while its thread is inside SQLite would end the program.
        """
        with self._left:
            self._closed = True
            self._left.wait_for(lambda: self._inside == 0)
            self._close_all()

    @property
    def is_open(self) -> bool:
        """Whether a thread has a connection."""
        return bool(self._open)

    def rest(self) -> bool:
        """Close the connections of every thread; tell whether no read was under way."""
        with self._left:
            if self._inside:
                return False
            self._close_all()
            return True

    def _close_all(self) -> None:
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._local = threading.local()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give the calling thread's connection, which stays open for as long as the block."""
        with self._left:
            if self._closed:
                raise CollectionNotFound(self._collection)
            self._inside += 1
            self.reads += 1
        try:
            check_stop()
            with store_errors(self.path):
                yield self._connection()
        except StoreFailed:
            check_stop()  # a statement was interrupted because of it
            raise
        finally:
            with self._left:
                if self._brief:
                    self._close_brief()
                self._inside -= 1
                self._left.notify_all()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            # Reads of every route come past here: none of them can write, whatever statement it
            # makes.
            connection.execute("PRAGMA query_only = ON")
            # A client that left, or a time that is over, ends a long statement from inside SQLite,
            # where Python gets no turn.
            connection.set_progress_handler(is_stopped, _STEPS)  # true interrupts the statement
            with self._left:
                self._open.append(connection)
            self._local.connection = connection
            self._opened()
        return connection

    def _connect(self) -> sqlite3.Connection:
        try:
            return connect_at_rest(self.path, self._reserve, frozen=self._frozen)
        except sqlite3.Error:
            connection = connect_briefly(self.path)
            if connection is None:
                raise
            self._brief.add(connection)
            return connection

    def _close_brief(self) -> None:
        """Close the calling thread's connection, if it is for one read."""
        connection = getattr(self._local, "connection", None)
        if connection in self._brief:
            self._brief.remove(connection)
            self._open.remove(connection)
            self._local.connection = None
            connection.close()
