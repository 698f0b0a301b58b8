"""How the next view is made from the last one: by what was committed, whoever reads of it.

``apply`` is for writes, seals, compactions and declarations alike, by the writer as they are
committed and by who follows the store's records (``index.upkeep.follow``). So a change applied
twice must leave what it left the first time. Only where growing rows are cut into parts is the
writer's own affair (``frozen``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pyroaring import BitMap

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.kinds.registry import empty
from palimpsest.index.segments.growing_part import AnyGrowing, Values
from palimpsest.index.storage.ids import Ids
from palimpsest.index.types import Numbers, Slots
from palimpsest.index.view.bridge import Bridge
from palimpsest.index.view.view import AnySealed, AnyVectors, View

_FULL = 0.9  # of the rows of a part


@dataclass(frozen=True, slots=True, eq=False)
class NewRows:
    """Rows of one write and one column; ``slots`` ascending."""

    column: int
    slots: Slots
    seq: int
    ids: Ids
    numbers: Numbers
    values: Values

    def after(self, slot: int) -> NewRows:
        """Return the rows of later slots."""
        fresh = int(np.searchsorted(self.slots, slot, side="right"))
        ids, numbers, values = self.ids[fresh:], self.numbers[fresh:], self.values[fresh:]
        return NewRows(self.column, self.slots[fresh:], self.seq, ids, numbers, values)


@dataclass(frozen=True, slots=True, eq=False)
class Replaced:
    """Parts of one column that gave way to others, which hold the rows of theirs that lived.

    ``gone`` are the names of segments; growing rows up to the slot ``sealed`` are in segments too.
    """

    column: int
    gone: frozenset[str]
    sealed: int
    made: tuple[AnySealed, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What was committed since a view, in the order it is applied; None where nothing changed."""

    seq: int
    config: CollectionConfig | None = None
    replaced: Sequence[Replaced] = ()
    rows: Sequence[NewRows] = ()
    dead: Slots | None = None
    live: BitMap | None = None
    touched: Sequence[tuple[Sequence[int], int]] = ()  # numbers of points, and the seqs of writes
    bridges: Mapping[int, tuple[Bridge, ...]] | None = None


def apply(view: View, changes: Changes) -> View:
    """Return the view after the changes; applying them again changes nothing."""
    config = view.config if changes.config is None else changes.config
    vectors = dict(view.vectors) if changes.config is None else _declared(view.vectors, config)
    for one in changes.replaced:
        vectors[one.column] = _without_replaced(vectors[one.column], one)
    for rows in changes.rows:
        most = config.maintenance.seal_rows
        vectors[rows.column] = _extended(vectors[rows.column], rows, most)
    if changes.dead is not None and changes.dead.size:
        for column, old in vectors.items():
            vectors[column] = _without(old, changes.dead)
    for numbers, seq in changes.touched:
        # In place, in an array that all views share: a search may show the seq of a write that came
        # after its own state. A copy of it for each commit would cost more than the commit.
        view.seqs.put(numbers, seq)
    live = view.live if changes.live is None else changes.live
    bridges = view.bridges if changes.bridges is None else changes.bridges
    seq = max(view.seq, changes.seq)
    return replace(view, seq=seq, live=live, vectors=vectors, config=config, bridges=bridges)


def _declared(old: Mapping[int, AnyVectors], config: CollectionConfig) -> dict[int, AnyVectors]:
    """Return the columns that a config declares, with the rows there are."""
    vectors = {}
    for column, one in config.spaces.items():
        known = old.get(column)
        if known is None:
            vectors[column] = empty(one)
        else:
            vectors[column] = known if known.config == one else replace(known, config=one)
    return vectors


def _without(old: AnyVectors, dead: Slots) -> AnyVectors:
    return replace(
        old,
        sealed=tuple(part.without(dead) for part in old.sealed),
        growing=tuple(part.without(dead) for part in old.growing),
    )


def _without_replaced(old: AnyVectors, change: Replaced) -> AnyVectors:
    """Return the vectors with parts in place of others; applied again, nothing is left to do.

    Rows that are dead in what goes are dead in what comes: they died since it was written. A
    growing part that is sealed only as far as some row goes as a whole (see ``is_cut``), and with
    it all later ones: who says so has the rows that stay come again.
    """
    known = {part.segment.name for part in old.sealed}
    made = [part for part in change.made if part.segment.name not in known]
    kept = tuple(part for part in old.sealed if part.segment.name not in change.gone)
    growing = old.growing
    if growing[0].n and growing[0].key <= change.sealed:
        growing = tuple(part for part in growing if not part.n or part.last_slot > change.sealed)
        if not growing or is_cut(growing[0], change.sealed):
            growing = (old.fresh(),)
    if made:
        left = [part for part in old.parts if part not in kept and part not in growing]
        dead = [part.columns.slots[part.dead.dead_rows(part.n)] for part in left]
        gone = np.concatenate([np.empty(0, dtype=np.uint64), *dead])
        made = [part.without(gone) for part in made]
    elif kept == old.sealed and growing is old.growing:
        return old
    return replace(old, sealed=(*kept, *made), growing=growing)


def is_cut(part: AnyGrowing, slot: int) -> bool:
    """Tell whether some rows of a part are of slots up to one, and others of later ones."""
    return bool(part.n) and part.key <= slot < part.last_slot


def _extended(old: AnyVectors, rows: NewRows, most: int) -> AnyVectors:
    """Return the vectors with rows appended; a part that counts as ``most`` rows grows no further.

    So each is sealed by itself, however many wait. One that is nearly full does not take rows
    beyond ``most`` either: its arrays would have to be twice as long. Rows that a part already has
    are left out.
    """
    *before, part = old.growing
    last = max((one.last_slot for one in before), default=0)
    # A follower, or a reopened collection, may come upon rows that an earlier part has.
    if rows.slots.size and int(rows.slots[0]) <= last:  # applied again
        rows = rows.after(last)
    if part.weight >= most or (
        part.weight >= _FULL * most and part.weight + len(rows.slots) > most
    ):
        before, part = [*before, part], old.fresh()
    part = part.extended(rows.slots, rows.seq, rows.ids, rows.numbers, rows.values)
    return replace(old, growing=(*before, part))


def frozen(view: View, column: int) -> View:
    """Return the view with new rows of the column going to a new growing part."""
    old = view.vectors[column]
    # Only the last part grows, so that all before it may be read without a lock, for as long as it
    # takes.
    grown = replace(old, growing=(*old.growing, old.fresh()))
    return replace(view, vectors={**view.vectors, column: grown})


def has_parts(vectors: AnyVectors, columns: Sequence[object]) -> bool:
    """Tell whether the parts with these columns are, or were with fewer dead rows, of this view."""
    # By identity of the columns: a part is made anew whenever one of its rows dies, and its columns
    # are what stays the same.
    own = {id(part.columns) for part in vectors.parts}
    return all(id(one) in own for one in columns)
