"""Opens a collection's files, and finishes what a crash left half done.

The view is what the store stands for (``index.upkeep.follow``); payload indexes are read from their
folders, and points touched since are indexed anew. Folders that were planned or replaced are
deleted, staged rows that have been sealed are purged. A store that lacks what was answered is
refused before anything is changed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from palimpsest.index.errors import StorageFull
from palimpsest.index.payload.loading import Unbuilt, load_fields
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.compacting import remove_unfinished
from palimpsest.index.storage.directory import Directory, make_folder
from palimpsest.index.storage.leases import Leases
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.schema import store_errors
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.tidying import ADAPTERS, FIELDS, SEGMENTS, are_gone, tidy
from palimpsest.index.types import Slots
from palimpsest.index.upkeep.follow import follow
from palimpsest.index.view.view import View
from palimpsest.index.write.writer import Opened

STORE = "store.sqlite3"
__all__ = ["ADAPTERS", "FIELDS", "SEGMENTS", "STORE", "purge_some", "recover"]
_log = logging.getLogger(__name__)
_PURGED_BYTES = 4 << 20  # staged rows deleted by one transaction


def recover(folder: Path) -> tuple[Opened, list[Unbuilt]]:
    """Open a collection; also return the payload indexes that have still to be built.

    Raises:
        Damaged: a file is not what was written; names it.
        UnknownFormat: a newer release wrote it.
    """
    files, leases = Local(folder), Leases()
    store = Store.open(folder / STORE)
    try:
        with store_errors(store.path):
            followed = follow(store, files, leases)
            view = followed.view
            if not store.read_only:
                # After the view is known: only then can it be told which dead slots are rows of no
                # part.
                _tidy(store, _nowhere(view, followed.dead))
            indexes, unbuilt = load_fields(store, files / FIELDS, view.live)
            if not store.read_only:
                _tidy_folders(store, files)
                remove_unfinished(store.path)
    # The log stays where it is: whoever looks into why it cannot be opened is to find everything as
    # it was.
    except BaseException:
        store.abandon()
        raise
    fitted, damaged = followed.adapters.fitted, followed.adapters.damaged
    return Opened(store, view.config, view, indexes, fitted, damaged, leases), unbuilt


def _nowhere(view: View, slots: Slots) -> Slots:
    """Return the slots that are rows of no part."""
    left = slots
    for vectors in view.vectors.values():
        for part in vectors.parts:
            left = left[part.source.find(left) < 0]
    return left


def _tidy(store: Store, nowhere: Slots) -> None:
    """Delete rows that nothing refers to."""
    try:
        while purge_some(store):
            pass
        if len(nowhere):
            with store.transaction(frees=True):
                store.dead.unbury(nowhere)
    except StorageFull:
        pass  # useless rows stay until there is room to delete them


def _tidy_folders(store: Store, folder: Directory) -> None:
    """Delete the folders that nothing refers to, and set aside those that something might."""
    superseded = store.superseded.names()
    listed: dict[str, Iterable[str | None]] = {
        SEGMENTS: (one.name for one in store.segments()),
        FIELDS: (one.folder for one in store.fields.entries()),
        ADAPTERS: (one.folder for one in store.adapters.entries()),
    }
    with disk_errors(f"tidy {folder.path}"):
        for kind, names in listed.items():
            make_folder(folder / kind)
            tidy(folder / kind, {name for name in names if name is not None}, superseded)
    # A name is forgotten only once its folder is gone: a crash in between leaves a name too many,
    # which costs nothing, rather than a folder that nobody may delete.
    if gone := are_gone(folder, superseded):
        with suppress(StorageFull), store.transaction():
            store.superseded.forget(gone)


def purge_some(store: Store) -> bool:
    """Delete some staged rows that are in segments; tell whether more may be left."""
    if not store.staged.has_sealed():
        return False
    with store.transaction(frees=True):
        return store.staged.purge(_PURGED_BYTES)
