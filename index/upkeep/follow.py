"""Builds the view that a store stands for, from nothing or from where another view stood.

A view is made of records alone: staged rows and dead slots carry the seq of their write, segments,
adapters and the config are listed. What of them a view lacks becomes the same change that the
writer makes of it, applied by the same function (``index.write.changes``). So a collection that is
opened, and a reader that follows one which another thread or process writes, come to what the
writer published. Where growing rows are cut into parts is not in the records: there views differ,
and answer alike.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.errors import Damaged, InvalidConfig, StorageFull
from palimpsest.index.filters.bitmaps import from_numbers
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.segments.dead import Dead
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.entries import SegmentEntry, StagedRows
from palimpsest.index.storage.ids import Ids, keys_of, unpack_ids
from palimpsest.index.storage.leases import Leases
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.tidying import ADAPTERS, SEGMENTS
from palimpsest.index.types import Numbers, Slots
from palimpsest.index.upkeep.dead_again import dead_slots
from palimpsest.index.upkeep.opened_adapters import OpenedAdapters, open_adapters
from palimpsest.index.view.bridge import bridges_of
from palimpsest.index.view.view import SealedPart, View
from palimpsest.index.write.changes import Changes, NewRows, Replaced, apply, is_cut

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """What a store stood for: the view, and what it takes to go on from there.

    ``slot`` was the next one: rows from it on are in none of the parts. ``dead`` are the slots
    that died on the way.
    """

    view: View
    slot: int
    adapters: OpenedAdapters
    dead: Slots


def follow(
    store: Store, folder: Directory, leases: Leases, last: Followed | None = None
) -> Followed:
    """Return what a store stands for now.

    Args:
        store: of the collection, which nobody changes meanwhile (``Store.snapshot``). One that is
            not read-only is mended where what is derived is damaged.
        folder: of the collection.
        leases: on its folders.
        last: where to go on from; None to begin with nothing. The seqs of its points are taken on.

    Raises:
        Damaged: a file is not what was written; names it.
        UnknownFormat: a newer release wrote it.
    """
    store.require_counts("staged", "segments", "sealed")
    config, at = _config(store), store.position()
    view = View(0, BitMap(), {}, config) if last is None else last.view
    sealed = store.staged.sealed()
    cut = any(is_cut(part, sealed.get(n, 0)) for n, v in view.vectors.items() for part in v.growing)
    # of a part that is cut, the rows that stay are read again, with all that died since they came
    first, died_since = (0, -1) if last is None or cut else (last.slot, view.seq)
    replaced = [*_replaced(store, folder / SEGMENTS, config, view, sealed, leases)]
    rows = [_new_rows(staged, config) for staged in store.staged.rows(first)]
    view = apply(view, Changes(at.seq, config=config, replaced=replaced, rows=rows))
    dead = dead_slots(store, view, died_since)
    adapters = open_adapters(store, folder / ADAPTERS, config, last.adapters if last else None)
    bridges = bridges_of(config, adapters.fitted, adapters.damaged)
    view = apply(view, Changes(at.seq, dead=dead, bridges=bridges))
    # of a writer's view, `held` of the parts is left unasked: writes would go on keeping it
    each = view.vectors.values()
    held = (
        [from_numbers(n) for one in each for n in one.numbers()]
        if last is None
        else [one.held for one in each]
    )
    view = apply(view, Changes(at.seq, live=_live(store, held, at.points)))
    _know_seqs(store, view, None if last is None else last.view)
    return Followed(view, at.slot, adapters, dead)


def _config(store: Store) -> CollectionConfig:
    try:
        return CollectionConfig.from_json(store.config())
    except (InvalidConfig, LookupError, TypeError, ValueError) as error:
        raise Damaged(store.path, "the config of a collection", repr(error), "settings") from error


def _replaced(
    store: Store,
    segments: Directory,
    config: CollectionConfig,
    view: View,
    sealed: dict[int, int],
    leases: Leases,
) -> Iterator[Replaced]:
    """Yield, by column, which parts of a view gave way to which, opened."""
    listed: dict[int, list[SegmentEntry]] = {column: [] for column in config.spaces}
    for entry in store.segments():
        listed[entry.vector].append(entry)
    for column, entries in listed.items():
        own = view.vectors.get(column)
        known = {part.segment.name for part in own.sealed} if own is not None else set()
        gone = known - {entry.name for entry in entries}
        made = []
        for entry in entries:
            if entry.name not in known:
                lease = leases.take(segments / entry.name)  # before it is opened: it stays
                space, at = config.spaces[column], segments / entry.name
                segment = kind_of(space).open(at, entry.checksum, lambda ids: _numbers(store, ids))
                made.append(SealedPart(segment, Dead(), lease))
        yield Replaced(column, frozenset(gone), sealed.get(column, 0), tuple(made))


def _numbers(store: Store, ids: Ids) -> Numbers:
    keys = keys_of(unpack_ids(ids))
    found = store.points.find(keys, with_payload=False)
    numbers = [held.number if (held := found.get(key)) else 0 for key in keys]
    return np.array(numbers, dtype=np.uint32)


def _new_rows(staged: StagedRows, config: CollectionConfig) -> NewRows:
    one = config.spaces[staged.vector]  # rows of a dropped column are deleted with it
    n = len(staged.numbers)
    slots = np.arange(staged.first, staged.first + n, dtype=np.uint64)
    values = kind_of(one).from_bytes(staged.value, n, one)
    return NewRows(staged.vector, slots, staged.seq, staged.ids, staged.numbers, values)


def _live(store: Store, held: Sequence[BitMap], points: int) -> BitMap:
    """Return the numbers of all points: those ``held`` by some part, if there are no others.

    Points whose rows are lost are among them. Raises Damaged if some are not known at all.
    """
    live = BitMap.union(BitMap(), *held)
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


def _know_seqs(store: Store, view: View, before: View | None) -> None:
    """Bring the seq of the last write to each point from those of a view to those of a later one.

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
    for numbers, seqs in _dated_rows(view, before):
        view.seqs.raise_to(numbers, seqs)
    if mends and not store.read_only:
        with suppress(StorageFull), store.transaction():
            store.seqs.fold(view.seqs, size)


def _dated_rows(view: View, before: View | None) -> Iterator[tuple[Numbers, NDArray[np.uint64]]]:
    """Yield the numbers of the points of living rows, and the seqs that brought these, by part.

    Those that a view had ``before`` are left out.
    """
    columns = () if before is None else before.vectors.values()
    known = {part.segment.name for vectors in columns for part in vectors.sealed}
    seq = 0 if before is None else before.seq
    for vectors in view.vectors.values():
        for part in vectors.sealed:
            if part.segment.name not in known:
                rows = part.dead.live_rows(part.n)
                yield part.numbers[rows], part.segment.seqs[rows]
        for growing in vectors.growing:
            rows = growing.dead.live_rows(growing.n)
            rows = rows[growing.columns.seqs[rows] > seq]
            yield growing.columns.numbers[rows], growing.columns.seqs[rows]
