"""Opens a collection's files and brings back the view they stand for.

Segments are opened and checked, then staged rows and dead slots go through the same ``apply`` as
live writes; payload indexes are read from their folders, and points touched since are indexed
anew. What a crash left half done is finished: folders that were planned or replaced are deleted,
staged rows that have been sealed are purged. A store that lacks what was answered is refused before
anything is changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from pyroaring import BitMap

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.encoding.normalise import rounded
from palimpsest.index.errors import Damaged, InvalidConfig, StorageFull
from palimpsest.index.filters.bitmaps import from_numbers
from palimpsest.index.payload.loading import Unbuilt, load_fields
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.segments.sparse.rows import SparseRows
from palimpsest.index.segments.sparse.sealed import SparseSealed
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.directory import Directory, make_folder
from palimpsest.index.storage.entries import StagedRows
from palimpsest.index.storage.ids import Ids, keys_of, unpack_ids
from palimpsest.index.storage.leases import Leases
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.schema import store_errors
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.tidying import ADAPTERS, FIELDS, SEGMENTS, are_gone, tidy
from palimpsest.index.types import Numbers, Slots, Vectors
from palimpsest.index.upkeep.dead_again import dead_slots
from palimpsest.index.upkeep.opened_adapters import open_adapters
from palimpsest.index.view.view import AnySealed, SealedPart, VectorView, View
from palimpsest.index.write.changes import Changes, NewRows, apply
from palimpsest.index.write.writer import Opened

STORE = "store.sqlite3"
__all__ = ["ADAPTERS", "FIELDS", "SEGMENTS", "STORE", "open_segment", "purge_some", "recover"]
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
            config = _config(store)
            view = _recover(store, files / SEGMENTS, config, leases)
            indexes, unbuilt = load_fields(store, files / FIELDS, view.live)
            fitted, damaged = open_adapters(store, files / ADAPTERS, config)
            if not store.read_only:
                _tidy_folders(store, files)
    except BaseException:
        store.abandon()
        raise
    return Opened(store, config, view, indexes, fitted, damaged, leases), unbuilt


def _config(store: Store) -> CollectionConfig:
    try:
        return CollectionConfig.from_json(store.config())
    except (InvalidConfig, LookupError, TypeError, ValueError) as error:
        raise Damaged(store.path, "the config of a collection", repr(error), "settings") from error


def _recover(store: Store, segments: Directory, config: CollectionConfig, leases: Leases) -> View:
    store.require_counts("staged", "segments", "sealed")
    position = store.position()
    rows = [_new_rows(staged, config) for staged in store.staged.rows()]
    none = np.empty(0, dtype=np.uint64)
    sealed = _sealed_view(store, segments, config, leases)
    view = apply(sealed, Changes(position.seq, BitMap(), rows, none))
    dead = dead_slots(store, view)
    view = apply(view, Changes(position.seq, BitMap(), [], dead))
    if not store.read_only:
        _tidy(store, _nowhere(view, dead))
    view = replace(view, live=_live(store, view, position.points))
    _know_seqs(store, view)
    return view


def _know_seqs(store: Store, view: View) -> None:
    """Bring back the seq of the last write to each point.

    What the store keeps of them beside the points is written anew if it is damaged.
    """
    size = view.live.max() + 1 if view.live else 0
    view.seqs.reserve(size)
    mends = False
    try:
        store.require_counts("edited", "folded_seqs")
        known = [*store.seqs.known()]
    except Damaged as error:
        _log.warning("Seqs are read from the points again: %s", error.finding)
        known, mends = [*store.seqs.of_points()], True
    for numbers, seqs in known:
        plausible = numbers < size  # others are of deleted points, or damaged and without end
        view.seqs.raise_to(numbers[plausible], seqs[plausible])
    for vectors in view.vectors.values():
        for part in vectors.sealed:
            rows = part.dead.live_rows(part.n)
            view.seqs.raise_to(part.numbers[rows], part.segment.seqs[rows])
        for growing in vectors.growing:
            rows = growing.dead.live_rows(growing.n)
            columns = growing.columns
            view.seqs.raise_to(columns.numbers[rows], columns.seqs[rows])
    if mends and not store.read_only:
        with suppress(StorageFull), store.transaction():
            store.seqs.fold(view.seqs, size)


def _new_rows(staged: StagedRows, config: CollectionConfig) -> NewRows:
    one = config.spaces[staged.vector]  # rows of a dropped column are deleted with it
    n = len(staged.numbers)
    slots = np.arange(staged.first, staged.first + n, dtype=np.uint64)
    values: Vectors | SparseRows
    if isinstance(one, SparseConfig):
        values = SparseRows.from_bytes(staged.value, n)
    else:
        # rows of format 3 were not rounded as they came
        values = rounded(np.frombuffer(staged.value, dtype=np.float32).reshape(n, -1), one)
    return NewRows(staged.vector, slots, staged.seq, staged.ids, staged.numbers, values)


def _live(store: Store, view: View, points: int) -> BitMap:
    """Return the numbers of all points: those with vectors, if there are no others.

    Points whose rows are lost are among them. Raises Damaged if some are not known at all.
    """
    with_vectors = [numbers for one in view.vectors.values() for numbers in one.numbers()]
    live = BitMap.union(BitMap(), *map(from_numbers, with_vectors))
    if len(live) == points:
        return live
    indexed = from_numbers(store.points.numbers())
    if len(indexed) == points:
        return indexed
    stored = from_numbers(
        store.points.numbers_of_rows()
    )  # what the index lacks is told by who reads it
    for numbers in (stored, stored | live):
        if len(numbers) == points:
            return numbers
    raise Damaged(store.path, points, len(stored), "number of points")


def _nowhere(view: View, slots: Slots) -> Slots:
    """Return the slots that are rows of no part."""
    left = slots
    for vectors in view.vectors.values():
        for growing in vectors.growing:
            left = left[growing.find(left) < 0]
        for part in vectors.sealed:
            left = left[part.segment.find(left) < 0]
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
    if gone := are_gone(folder, superseded):
        with suppress(StorageFull), store.transaction():
            store.superseded.forget(gone)


def purge_some(store: Store) -> bool:
    """Delete some staged rows that are in segments; tell whether more may be left."""
    if not store.staged.has_sealed():
        return False
    with store.transaction(frees=True):
        return store.staged.purge(_PURGED_BYTES)


def _sealed_view(
    store: Store, segments: Directory, config: CollectionConfig, leases: Leases
) -> View:
    def numbers_of(ids: Ids) -> Numbers:
        keys = keys_of(unpack_ids(ids))
        found = store.points.find(keys, with_payload=False)
        numbers = [held.number if (held := found.get(key)) else 0 for key in keys]
        return np.array(numbers, dtype=np.uint32)

    vectors = {column: VectorView.empty(one) for column, one in config.spaces.items()}
    for entry in store.segments():
        old, folder = vectors[entry.vector], segments / entry.name
        segment = open_segment(old.config, folder, entry.checksum, numbers_of)
        part = SealedPart(segment, Dead(), leases.take(folder))
        vectors[entry.vector] = replace(old, sealed=(*old.sealed, part))
    return View(0, BitMap(), vectors, config)


def open_segment(
    config: VectorConfig | SparseConfig,
    folder: Directory,
    checksum: int,
    numbers_of: Callable[[Ids], Numbers] | None = None,
) -> AnySealed:
    """Open a segment of the kind of its vector name. Raises Damaged or UnknownFormat."""
    if isinstance(config, SparseConfig):
        return SparseSealed.open(folder, checksum)
    return Sealed.open(folder, checksum, numbers_of)
