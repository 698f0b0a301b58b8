"""Follows a collection that another thread or process writes.

A follower reads on a connection of its own and changes nothing. It sees the store as of one commit;
what it opened before is kept, and what is new since is read.
"""

from __future__ import annotations

from pathlib import Path

from palimpsest.index.errors import Damaged
from palimpsest.index.payload.loading import LoadedFields, follow_fields
from palimpsest.index.storage.leases import Leases
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reach import Reach
from palimpsest.index.storage.schema import store_errors
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.tidying import FIELDS
from palimpsest.index.upkeep.follow import Followed, follow
from palimpsest.index.upkeep.recover import STORE
from palimpsest.index.view.view import View

_TRIES = 16  # of which each finds that the store has moved on


class Follower:
    """Belongs to one thread; views that it gave may be read by any, for ever.

    ``fields`` are the payload indexes as of the last view, changed in place by the next ``follow``:
    no one may read them meanwhile. None before the first.
    """

    def __init__(self, folder: Path, leases: Leases | None = None) -> None:
        """Open the store.

        Args:
            folder: of the collection.
            leases: on its folders, of who removes them; None in another process, where files that
                were opened stay readable all the same.

        Raises:
            Damaged: it is no store.
            UnknownFormat: a newer release wrote it.
            ReadOnlyDisk: an earlier release wrote it, and none has opened it for writes since.
        """
        self.fields: LoadedFields | None = None
        self._folder = Local(folder)
        self._store = Store.follow(folder / STORE)
        self._leases = Leases() if leases is None else leases
        self._last: Followed | None = None
        self._reach: Reach | None = None  # of the last view

    def follow(self) -> View:
        """Return the view that the store stands for now: the last one, if nothing was committed.

        Raises:
            Damaged: a file is not what was written; names it.
            UnknownFormat: a newer release wrote it.
        """
        failed: tuple[Reach, Damaged] | None = None
        for _ in range(_TRIES):
            with store_errors(self._store.path), self._store.snapshot() as reach:
                try:
                    return self._follow(reach)
                except Damaged as error:
                    # a folder that is listed may have been replaced, and removed, meanwhile
                    if failed is not None and failed[0] == reach:
                        raise
                    failed = reach, error
        assert failed is not None
        raise failed[1]

    def close(self) -> None:
        """Close the connection."""
        self._store.close()

    def _follow(self, reach: Reach) -> View:
        if self._last is not None and reach == self._reach:
            return self._last.view
        since = -1 if self._last is None else self._last.view.seq
        last = follow(self._store, self._folder, self._leases, self._last)
        live, fields = last.view.live, self._folder / FIELDS
        self.fields = follow_fields(self._store, fields, live, self.fields, since)
        self._last, self._reach = last, reach
        return last.view
