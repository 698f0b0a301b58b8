"""Brings payload indexes back from their folders, and stored points into them.

Points touched since a folder was written are indexed anew. An index whose folder is damaged, or was
written by another release, is built again from the payloads, while searches look at these.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from pyroaring import BitMap

from palimpsest.index.errors import Damaged, DamagedPoint, InvalidInput, ReadOnlyDisk, StorageFull
from palimpsest.index.filters.bitmaps import from_numbers, to_numbers
from palimpsest.index.filters.paths import format_path, parse_path
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.payload.indexes import ARRAYS_FORMAT, Building, PayloadIndexes
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.field_table import BadField, FieldEntry
from palimpsest.index.storage.files import open_folder
from palimpsest.index.storage.store import Store
from palimpsest.index.types import Numbers

PIECE = 1_024  # points indexed by one job
Reason: TypeAlias = Literal["release", "damage"]  # why an index is built again
REASONS: tuple[Reason, ...] = get_args(Reason)
# What contents raise that are not those of the index, though every checksum is right.
_UNREADABLE = (InvalidInput, LookupError, RecursionError, TypeError, ValueError)
_AGAIN = "The payload index of %r in %s is built again: %s"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """A declared index that has to be built; why again, None for one that was never finished."""

    building: Building
    reason: Reason | None


def load_fields(
    store: Store, folders: Directory, live: BitMap
) -> tuple[PayloadIndexes, list[Unbuilt]]:
    """Return the indexes, up to date those that could be read, and those that have to be built.

    The store goes on naming the folder of an index that is built again, until a fresh one takes its
    place: what ends the program in between, or fills the disk, changes nothing.

    Args:
        store: names the indexes and their folders.
        folders: where these are.
        live: the points that there are; an index that knows others is built again.

    Raises:
        UnknownFormat: a newer release wrote a folder.
    """
    indexes = PayloadIndexes()
    reasons: dict[str, Reason | None] = {}
    mended = _mend_rows(store)
    entries = [entry for entry in _as_written_today(store) if _is_known(entry, store)]
    for entry in entries:
        if entry.folder is None:
            reasons[entry.key] = "damage" if entry.key in mended else None
        elif (reason := _load(indexes, folders, entry)) is not None:
            reasons[entry.key] = reason
    loaded = [entry for entry in entries if entry.key not in reasons]
    # The oldest folder decides for all: a point that is indexed anew is right in the newer ones as
    # well.
    written = min((entry.seq for entry in loaded), default=0)
    # Which points were touched is not known: every folder may be behind, so that none is of use.
    if not _follow(store, indexes, loaded, written):
        indexes = PayloadIndexes()
        reasons.update({entry.key: "damage" for entry in loaded})
    # Points that do not exist prove that it is of another state than the store.
    for key in indexes.beyond(live):
        _log.warning(_AGAIN, key, folders.parent, "it names points that do not exist")
        indexes.drop(key)
        reasons[key] = "damage"
    declared = {entry.key: FieldIndex.from_json(entry.declared) for entry in entries}
    return indexes, [
        Unbuilt(indexes.begin(key, declared[key], again=reason is not None), reason)
        for key, reason in reasons.items()
    ]


@dataclass(frozen=True, slots=True, eq=False)
class LoadedFields:
    """Payload indexes up to date at some seq, and what of them is declared and written."""

    indexes: PayloadIndexes
    unbuilt: Sequence[Unbuilt]
    entries: Mapping[str, tuple[str, bool]]  # by key, how it is declared and whether it is written


def follow_fields(
    store: Store, folders: Directory, live: BitMap, last: LoadedFields | None, since: int
) -> LoadedFields:
    """Return the indexes as the store has them now, those of a seq brought up to date if they can.

    Args:
        store: names the indexes and their folders, and is not written.
        folders: where these are.
        live: the points that there are.
        last: the indexes of ``since``; None to begin with nothing.
        since: a seq.

    Raises:
        Damaged: a row is damaged.
        UnknownFormat: a newer release wrote a folder.
    """
    rows = store.fields.entries()
    entries = {row.key: (row.declared, row.folder is not None) for row in rows}
    forgotten = min((row.seq for row in rows if row.folder is not None), default=since)
    if last is None or last.entries != entries or forgotten > since:
        return LoadedFields(*load_fields(store, folders, live), entries)
    loaded = [row for row in rows if row.key in last.indexes.fields]
    if not _follow(store, last.indexes, loaded, since):
        return LoadedFields(*load_fields(store, folders, live), entries)
    return last


def _mend_rows(store: Store) -> set[str]:
    """Let damaged rows be those of indexes that are not built; return the keys of these.

    What a row declares may be other than was declared, but whatever is built from the payloads
    agrees with them. A row that makes no sense is given up.

    Raises:
        Damaged: a row is damaged, and nothing can be written.
    """
    whole, bad = store.fields.parted()
    try:
        store.require_counts("fields")
    except Damaged as error:
        if store.read_only:
            raise
        _log.error("A payload index is gone; declare it again: %s", error.finding)
    else:
        if not bad:
            return set()
    known, mended = {entry.key for entry in whole}, dict[str, FieldEntry]()
    for one in bad:
        if store.read_only:
            raise one.error
        entry = _undamaged(one)
        if entry is None or entry.key in known:
            _log.error("A payload index is gone; declare it again: %s", one.error.finding)
            continue
        mended[entry.key] = entry
        _log.error(
            "The payload index of %r is built again as its row reads now; see that it is the one "
            "that was declared: %s",
            entry.key,
            one.error.finding,
        )
    with store.transaction(frees=True):
        store.fields.put_anew([*whole, *mended.values()])
    return {*mended}


def _undamaged(bad: BadField) -> FieldEntry | None:
    """Return what a row declares, without a folder; None if that makes no sense."""
    if not isinstance(bad.key, str) or not isinstance(bad.declared, str):
        return None
    try:
        key = format_path(parse_path(bad.key))
        key.encode(), bad.declared.encode()
        FieldIndex.from_json(bad.declared)
    except _UNREADABLE:
        return None
    return FieldEntry(key, bad.declared, None, None, 0)


def _as_written_today(store: Store) -> list[FieldEntry]:
    """Return the entries, the text of their paths the one that this release gives them.

    Releases before put quotes around keys that do without them now.
    """
    entries = store.fields.entries()
    paths = [format_path(parse_path(entry.key)) for entry in entries]
    if paths == [entry.key for entry in entries]:
        return entries
    with suppress(StorageFull, ReadOnlyDisk), store.transaction():
        for entry, path in zip(entries, paths, strict=True):
            store.fields.remove(entry.key)
            store.fields.put(replace(entry, key=path))
    return store.fields.entries()


def _is_known(entry: FieldEntry, store: Store) -> bool:
    try:
        FieldIndex.from_json(entry.declared)
    except (InvalidInput, LookupError, TypeError, ValueError):
        _log.exception("The payload index of %r in %s is left out", entry.key, store.path)
        return False
    return True


def _load(indexes: PayloadIndexes, folders: Directory, entry: FieldEntry) -> Reason | None:
    """Read one index from its folder; return why it has to be built again, if so."""
    assert entry.folder is not None and entry.checksum is not None
    reason: Reason = "damage"
    try:
        folder = open_folder(folders / entry.folder, entry.checksum)
        field = folder.description["field"]
        if field["format"] != ARRAYS_FORMAT:
            reason = "release"
        arrays = {name.removesuffix(".npy"): folder.loaded(name[:-4]) for name in folder.buffers}
        indexes.load(entry.key, FieldIndex.from_json(entry.declared), arrays, field)
    except (Damaged, *_UNREADABLE) as error:
        why = error if reason == "damage" else "another release wrote it"
        _log.warning(_AGAIN, entry.key, folders.parent.path, str(why).partition(";")[0])
        return reason
    return None


def _follow(
    store: Store, indexes: PayloadIndexes, loaded: Sequence[FieldEntry], since: int
) -> bool:
    """Index the points anew that were touched since a seq; tell of success."""
    try:
        store.require_counts("touched")
        touched = [numbers for seq, numbers in store.fields.touched() if seq > since]
    except Damaged:
        _log.exception("All payload indexes of %s are built again from the payloads", store.path)
        with suppress(StorageFull, ReadOnlyDisk), store.transaction():
            store.fields.forget_all_touched()
        return False
    try:
        if loaded and touched:
            _index_anew(store, indexes, from_numbers(np.concatenate(touched)))
    except (DamagedPoint, *_UNREADABLE):
        _log.exception("All payload indexes of %s are built again from the payloads", store.path)
        return False
    return True


def _index_anew(store: Store, indexes: PayloadIndexes, touched: BitMap) -> None:
    # By number and without their old payloads, which are gone: that takes one pass over the whole
    # index, for all touched points together.
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
    held = store.points.find_numbers(numbers.tolist(), with_payload=True).values()
    add([one.number for one in held], [one.payload for one in held])
