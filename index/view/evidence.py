"""Tells rows that are damaged from rows that were written, or deleted, while they were read.

Whoever takes a view first and reads the store then knows: a point whose last write the view holds
has its rows in that view. What contradicts this is damaged, whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.errors import DamagedPoint
from palimpsest.index.storage.ids import Ids, Key, id_of_key, keys_of, unpack_ids
from palimpsest.index.storage.read_rows import StoredPoint
from palimpsest.index.types import Numbers, Slots
from palimpsest.index.view.view import AnyVectors, View


def require_rows(
    store: Path,
    points: Sequence[tuple[Key, StoredPoint]],
    view: View,
    columns: Sequence[int],
    newest: int,
) -> None:
    """Raise DamagedPoint for a point whose vectors should be in a view, but are not.

    Args:
        store: where the points were read.
        points: read after the view was taken.
        view: where the vectors are.
        columns: of the vectors; those that the view does not have are left out.
        newest: the seq of the last write, read after the points.
    """
    seqs = [seq for _, (seq, _, _) in points]
    for place, seq in enumerate(seqs):
        if seq > newest:
            what = f"was last written by write {seq}, and there were {newest}"
            raise DamagedPoint(store, id_of_key(points[place][0]), what)
    # Of a point that was written since the view was taken nothing can be said.
    known = np.array(seqs, dtype=np.int64) <= view.seq
    for column in columns:
        own = view.vectors.get(column)
        if own is None:
            continue
        slots = slots_in(points, column)
        having = np.flatnonzero((slots != 0) & known)
        missing = having[~own.holds(slots[having])]
        if len(missing):
            name = view.config.name_of(column)
            what = f"has vector {name!r} at slot {slots[missing[0]]}, which is in no segment"
            raise DamagedPoint(store, id_of_key(points[missing[0]][0]), what)


def slots_in(points: Sequence[tuple[Key, StoredPoint]], column: int) -> Slots:
    """Return each point's slot in one column, 0 where it has no vector there."""
    slots = (stored[1] for _, stored in points)
    return np.array([one[column] if column < len(one) else 0 for one in slots], dtype=np.uint64)


def true_slots(view: View, number: int, key: Key, width: int) -> NDArray[np.uint64] | None:
    """Return where the vectors of a point are (width,), by the rows themselves.

    For a point whose own row is damaged. Rows carry the ids and numbers of their points.

    Args:
        view: which holds every write to the point.
        number: of the point.
        key: of its id.
        width: columns there are.

    Returns:
        None where rows of that number are of another id.
    """
    slots = np.zeros(width, dtype=np.uint64)
    for column, vectors in view.vectors.items():
        for numbers, ids, own in _live_columns(vectors):
            for row in np.flatnonzero(numbers == number).tolist():
                # The number was read from a damaged row too: only rows that agree on both are
                # believed.
                if keys_of(unpack_ids(ids[row : row + 1])) != [key]:
                    return None
                slots[column] = own[row]
    return slots


def _live_columns(vectors: AnyVectors) -> Iterator[tuple[Numbers, Ids, Slots]]:
    for part in vectors.parts:
        rows, columns = part.dead.live_rows(part.n), part.columns
        yield columns.numbers[rows], columns.ids[rows], columns.slots[rows]
