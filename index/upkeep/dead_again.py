"""Derives the dead slots of a collection, where what the store lists of them is damaged.

A row of a part is dead when no point means it any more. So the points say which are, provided that
they are all there and whole; where they are not, the damage is told, and nothing is derived.
"""

from __future__ import annotations

import logging
from contextlib import suppress

import numpy as np

from palimpsest.index.errors import Damaged, DamagedPoint, StorageFull
from palimpsest.index.storage.store import Store
from palimpsest.index.types import Numbers, Slots
from palimpsest.index.view.view import View

_log = logging.getLogger(__name__)


def dead_slots(store: Store, view: View, since: int) -> Slots:
    """Return the slots that died since a seq, or else, of a damaged list, all that points tell of.

    The store lists these from then on, unless nothing can be written to it.

    Args:
        store: being opened.
        view: every row that it stands for.
        since: by writes after which they died, -1 for all.

    Returns:
        Slots (m,), ascending.

    Raises:
        Damaged: what is listed is other than was written, and points do not tell for sure.
    """
    try:
        store.require_counts("dead")
        return store.dead.slots(since)
    except Damaged as error:
        try:
            dead = _derived(store, view)
        except (Damaged, DamagedPoint) as other:
            _log.error("Dead slots cannot be derived from the points: %s", other)
            raise error from other
        _log.error(
            "Dead slots were derived from the points, %d of them, and nothing is lost: %s",
            len(dead),
            error.finding,
        )
    if not store.read_only:
        with suppress(StorageFull), store.transaction(frees=True):
            store.dead.put_anew(dead, view.seq)
    return dead


def _derived(store: Store, view: View) -> Slots:
    slots, numbers = _rows(view)
    order = np.argsort(slots)
    slots, numbers = slots[order], numbers[order]
    meant, whose = store.points.meant([*view.config.columns])
    _require(store, "number of points", store.position().points, store.points.count())
    places = np.searchsorted(slots, meant)
    places[places == len(slots)] = 0
    there = np.zeros(len(meant), dtype=np.bool_)
    if len(slots):
        there = (slots[places] == meant) & (numbers[places] == whose)
    _require(store, "rows that points mean", len(meant), int(there.sum()))
    _require(store, "dead rows that points mean", 0, len(np.intersect1d(store.dead.whole(), meant)))
    return np.setdiff1d(slots, meant)


def _rows(view: View) -> tuple[Slots, Numbers]:
    """Return the slots of all rows of all parts, and the numbers of their points."""
    slots, numbers = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
    for vectors in view.vectors.values():
        for part in vectors.sealed:
            slots.append(np.asarray(part.segment.slots))
            numbers.append(np.asarray(part.numbers))
        for growing in vectors.growing:
            slots.append(growing.columns.slots[: growing.n])
            numbers.append(growing.columns.numbers[: growing.n])
    return np.concatenate(slots), np.concatenate(numbers)


def _require(store: Store, what: str, expected: int, found: int) -> None:
    if expected != found:
        raise Damaged(store.path, expected, found, what)
