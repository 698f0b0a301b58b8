"""Brings payload indexes back from their folders, and stored points into them.

Points touched since a folder was written are indexed anew. An index whose folder is whole but
cannot be used, as one of another release, is built again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from pyroaring import BitMap

from index.errors import InvalidInput, StorageFull
from index.filters.bitmaps import from_numbers, to_numbers
from index.filters.paths import format_path, parse_path
from index.payload.config import FieldIndex
from index.payload.indexes import PayloadIndexes
from index.storage.fields import FieldEntry
from index.storage.files import open_folder
from index.storage.store import Store
from index.types import Numbers

PIECE = 1_024  # points indexed by one job
_log = logging.getLogger(__name__)


def load_fields(store: Store, folders: Path) -> tuple[PayloadIndexes, list[FieldEntry]]:
    """Return the indexes that are on disk, up to date, and the entries of those that are not.

    Raises:
        Damaged: a file is not what was written.
        UnknownFormat: a newer release wrote it.
    """
    entries = _as_written_today(store)
    indexes = PayloadIndexes()
    written = [entry for entry in entries if entry.folder is not None]
    try:
        for entry in written:
            _load(indexes, folders, entry)
        since = min((entry.seq for entry in written), default=0)
        touched = [numbers for seq, numbers in store.fields.touched() if seq > since]
        if written and touched:
            _index_anew(store, indexes, from_numbers(np.concatenate(touched)))
    except (InvalidInput, LookupError, RecursionError, TypeError, ValueError):
        _log.exception("Payload indexes of %s are built again", store.path)
        unbuilt = [replace(entry, folder=None, checksum=None, seq=0) for entry in entries]
        with store.transaction():
            for entry in unbuilt:
                store.fields.put(entry)
        return PayloadIndexes(), unbuilt
    return indexes, [entry for entry in entries if entry.folder is None]


def _as_written_today(store: Store) -> list[FieldEntry]:
    """Return the entries, the text of their paths the one that this release gives them.

    Releases before put quotes around keys that do without them now.
    """
    entries = store.fields.entries()
    paths = [format_path(parse_path(entry.key)) for entry in entries]
    if paths == [entry.key for entry in entries]:
        return entries
    with suppress(StorageFull), store.transaction():
        for entry, path in zip(entries, paths, strict=True):
            store.fields.remove(entry.key)
            store.fields.put(replace(entry, key=path))
    return store.fields.entries()


def _load(indexes: PayloadIndexes, folders: Path, entry: FieldEntry) -> None:
    assert entry.folder is not None and entry.checksum is not None
    folder = open_folder(folders / entry.folder, entry.checksum)
    arrays = {name.removesuffix(".npy"): folder.loaded(name[:-4]) for name in folder.buffers}
    index = FieldIndex.from_json(entry.declared)
    indexes.load(entry.key, index, arrays, folder.description["field"])


def _index_anew(store: Store, indexes: PayloadIndexes, touched: BitMap) -> None:
    indexes.discard(touched)
    for numbers in pieces(touched):
        add_stored(
            store, numbers, lambda n, payloads: indexes.replace(n, [None] * len(n), payloads)
        )


def pieces(numbers: BitMap) -> list[Numbers]:
    """Return the numbers in as many at a time as are indexed without a pause."""
    every = to_numbers(numbers)
    return [every[start : start + PIECE] for start in range(0, len(every), PIECE)]


def add_stored(store: Store, numbers: Numbers, add: Callable[..., None]) -> None:
    """Give the stored points among ``numbers`` and their payloads to ``add``."""
    held = store.find_numbers(numbers.tolist(), with_payload=True).values()
    add([one.number for one in held], [one.payload for one in held])
