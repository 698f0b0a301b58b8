"""How the writer thread makes the next view from the last one.

``apply`` is for committed writes, ``frozen`` and ``replaced`` for seals and compactions. A reopened
collection gets its growing rows and dead slots back by ``apply`` too, so a change applied twice
must leave what it left the first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pyroaring import BitMap

from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing import Growing
from palimpsest.index.segments.sparse.growing import SparseGrowing
from palimpsest.index.segments.sparse.rows import SparseRows
from palimpsest.index.storage.ids import Ids
from palimpsest.index.types import Numbers, Slots, Vectors
from palimpsest.index.view.view import (
    AnyGrowing,
    AnySealed,
    SealedPart,
    VectorView,
    View,
    growing_of,
)

_FULL = 0.9  # of the rows of a part


@dataclass(frozen=True, slots=True, eq=False)
class NewRows:
    """Rows of one write and one column; ``slots`` ascending."""

    column: int
    slots: Slots
    seq: int
    ids: Ids
    numbers: Numbers
    values: Vectors | SparseRows

    def after(self, slot: int) -> NewRows:
        """Return the rows of later slots."""
        fresh, n = int(np.searchsorted(self.slots, slot, side="right")), len(self.slots)
        values = self.values
        rest = values.part(fresh, n) if isinstance(values, SparseRows) else values[fresh:]
        ids, numbers = self.ids[fresh:], self.numbers[fresh:]
        return NewRows(self.column, self.slots[fresh:], self.seq, ids, numbers, rest)


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What a committed transaction did."""

    seq: int
    live: BitMap
    rows: Sequence[NewRows]
    dead: Slots
    touched: Sequence[tuple[Sequence[int], int]] = ()  # numbers of points, and the seqs of writes


def apply(view: View, changes: Changes) -> View:
    """Return the view after the changes; applying them again changes nothing."""
    vectors = dict(view.vectors)
    most = view.config.maintenance.seal_rows
    for rows in changes.rows:
        vectors[rows.column] = _extended(vectors[rows.column], rows, most)
    if changes.dead.size:
        for column, old in vectors.items():
            vectors[column] = replace(
                old,
                sealed=tuple(part.without(changes.dead) for part in old.sealed),
                growing=tuple(part.without(changes.dead) for part in old.growing),
            )
    for numbers, seq in changes.touched:
        view.seqs.put(numbers, seq)
    return replace(view, seq=max(view.seq, changes.seq), live=changes.live, vectors=vectors)


def _extended(old: VectorView, rows: NewRows, most: int) -> VectorView:
    """Return the vectors with rows appended; a part that has ``most`` rows grows no further.

    So each is sealed by itself, however many wait. One that is nearly full does not take rows
    beyond ``most`` either: its arrays would have to be twice as long. Rows that a part already has
    are left out.
    """
    *before, part = old.growing
    last = max((one.last_slot for one in before), default=0)
    if rows.slots.size and int(rows.slots[0]) <= last:  # applied again
        rows = rows.after(last)
    if part.n >= most or (part.n >= _FULL * most and part.n + len(rows.slots) > most):
        before, part = [*before, part], growing_of(old.config)
    if isinstance(part, SparseGrowing):
        assert isinstance(rows.values, SparseRows)
        part = part.extended(rows.slots, rows.seq, rows.ids, rows.numbers, rows.values)
    else:
        assert isinstance(rows.values, np.ndarray)
        part = part.extended(rows.slots, rows.seq, rows.ids, rows.numbers, rows.values)
    return replace(old, growing=(*before, part))


def frozen(view: View, column: int) -> View:
    """Return the view with new rows of the column going to a new growing part."""
    old = view.vectors[column]
    grown = replace(old, growing=(*old.growing, growing_of(old.config)))
    return replace(view, vectors={**view.vectors, column: grown})


def has_parts(vectors: VectorView, parts: Sequence[AnySealed | AnyGrowing]) -> bool:
    """Tell whether all parts are, or were with fewer dead rows, of this column."""
    own = {id(part.segment) for part in vectors.sealed}
    own |= {id(part.columns) for part in vectors.growing}
    return all(id(_identity(part)) in own for part in parts)


def replaced(
    view: View, column: int, gone: Sequence[AnySealed | AnyGrowing], made: SealedPart | None
) -> View:
    """Return the view with a part in place of those it was made from (see ``has_parts``).

    Rows that died since these were read are dead in it. A growing part is told by its
    arrays, for the value itself changes whenever one of its rows dies.
    """
    old = view.vectors[column]
    marks = {id(_identity(part)) for part in gone}
    sealed = tuple(part for part in old.sealed if id(part.segment) not in marks)
    growing = tuple(part for part in old.growing if id(part.columns) not in marks)
    if made is not None:
        dead = [
            *(_dead_slots(p.segment.slots, p.n, p.dead) for p in old.sealed if p not in sealed),
            *(_dead_slots(p.columns.slots, p.n, p.dead) for p in old.growing if p not in growing),
        ]
        sealed = (*sealed, made.without(np.concatenate(dead)))
    vectors = {**view.vectors, column: replace(old, sealed=sealed, growing=growing)}
    return replace(view, vectors=vectors)


def _identity(part: AnySealed | AnyGrowing) -> object:
    return part.columns if isinstance(part, (Growing, SparseGrowing)) else part


def _dead_slots(slots: Slots, n: int, dead: Dead) -> Slots:
    return slots[dead.dead_rows(n)]
