"""Opens a collection's files and brings back the view they stand for.

Segments are opened and checked, then staged rows and dead slots go through the same ``apply`` as
live writes. What a crash left half done is finished: folders the manifest does not name are
deleted, staged rows that have been sealed are purged.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.config import CollectionConfig
from index.errors import Damaged, InvalidConfig, StorageFull
from index.segments.dead import Dead
from index.segments.growing import Growing
from index.segments.sealed import Sealed
from index.storage.files import disk_errors, remove_unlisted
from index.storage.schema import store_errors
from index.storage.store import StagedRows, Store
from index.types import Slots
from index.view import Changes, NewRows, SealedPart, VectorView, View, apply

_PURGED_BYTES = 4 << 20  # staged rows deleted by one transaction


def recover(store_path: Path, segments: Path) -> tuple[Store, CollectionConfig, View]:
    """Open a collection.

    Raises:
        Damaged: a file is not what was written; names it.
        UnknownFormat: a newer release wrote it.
    """
    store = Store.open(store_path)
    try:
        with store_errors(store_path):
            config = _config(store)
            view = _recover(store, segments, config)
    except BaseException:
        store.close()
        raise
    return store, config, view


def _config(store: Store) -> CollectionConfig:
    try:
        return CollectionConfig.from_json(store.config())
    except (InvalidConfig, LookupError, TypeError, ValueError) as error:
        raise Damaged(store.path, "the config of a collection", repr(error), "settings") from error


def _recover(store: Store, segments: Path, config: CollectionConfig) -> View:
    names = list(config.vectors)
    position, dead = store.position(), store.dead()
    rows = [_new_rows(staged, names) for staged in store.staged()]
    view = apply(
        _sealed_view(store, segments, config, names),
        Changes(position.seq, position.points, rows, dead),
    )
    _tidy(store, segments, _nowhere(view, dead))
    return view


def _new_rows(staged: StagedRows, names: Sequence[str]) -> NewRows:
    slots = np.arange(staged.first, staged.first + len(staged.values), dtype=np.uint64)
    return NewRows(names[staged.vector], slots, staged.seq, staged.ids, staged.values)


def _nowhere(view: View, slots: Slots) -> Slots:
    """Return the slots that are rows of no part."""
    left = slots
    for vectors in view.vectors.values():
        for growing in vectors.growing:
            left = left[growing.find(left) < 0]
        for part in vectors.sealed:
            left = left[part.segment.find(left) < 0]
    return left


def _tidy(store: Store, segments: Path, nowhere: Slots) -> None:
    """Delete what nothing refers to."""
    with disk_errors(f"list {segments}"):
        remove_unlisted(segments, {entry.name for entry in store.segments()})
    try:
        while purge_some(store):
            pass
        with store.transaction():
            store.unbury(nowhere)
    except StorageFull:
        pass  # useless rows stay until there is room to delete them


def purge_some(store: Store) -> bool:
    """Delete some staged rows that are in segments; tell whether more may be left."""
    with store.transaction():
        return store.purge_staged(_PURGED_BYTES)


def _sealed_view(
    store: Store, segments: Path, config: CollectionConfig, names: Sequence[str]
) -> View:
    parts: dict[str, list[SealedPart]] = {name: [] for name in names}
    for entry in store.segments():
        segment = Sealed.open(segments / entry.name, entry.checksum)
        parts[names[entry.vector]].append(SealedPart(segment, Dead()))
    vectors = {
        name: VectorView(config.vectors[name], tuple(parts[name]), (Growing.empty(vector),))
        for name, vector in config.vectors.items()
    }
    return View(0, 0, vectors)
