"""Whose each row of a part is: the columns that rows of every kind have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.storage.files import Array
from palimpsest.index.storage.ids import Ids, join_ids, widen_ids
from palimpsest.index.types import Numbers, Slots


@dataclass(frozen=True, slots=True, eq=False)
class PointColumns:
    """Ids and numbers of the points, slots and seqs of the rows; (n,) or longer."""

    ids: Ids
    slots: Slots
    numbers: Numbers
    seqs: NDArray[np.uint64]

    @property
    def capacity(self) -> int:
        """Rows there is room for."""
        return len(self.slots)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.points_nbytes

    @property
    def points_nbytes(self) -> int:
        """Bytes of the columns that every kind has."""
        return self.ids.nbytes + self.slots.nbytes + self.numbers.nbytes + self.seqs.nbytes

    def put(self, n: int, slots: Slots, seq: int, ids: Ids, numbers: Numbers) -> Self:
        """Write rows of one seq behind the first ``n``, where there is room for them."""
        columns, stop = self, n + len(slots)
        # Ids are one word each until the first UUID comes, which takes two: most collections have
        # integers.
        if ids.ndim != columns.ids.ndim:
            ids, columns = widen_ids(ids), replace(columns, ids=widen_ids(columns.ids))
        # In place, behind what any reader looks at (see ``Growing``); only widening makes a new
        # array.
        columns.ids[n:stop] = ids
        columns.slots[n:stop] = slots
        columns.numbers[n:stop] = numbers
        columns.seqs[n:stop] = seq
        return columns

    def files(self) -> dict[str, Array]:
        """Return the columns under their names in a segment's folder."""
        return {
            "slots": self.slots,
            "by_slot": np.argsort(self.slots).astype(np.uint32),
            "numbers": self.numbers,
            "seqs": self.seqs,
            "ids": self.ids,
        }


def room_for(capacity: int) -> dict[str, Any]:
    """Return the columns of as many rows, to be written, by their names."""
    return {
        "ids": np.empty(capacity, dtype=np.uint64),
        "slots": np.empty(capacity, dtype=np.uint64),
        "numbers": np.empty(capacity, dtype=np.uint32),
        "seqs": np.empty(capacity, dtype=np.uint64),
    }


def longer(points: PointColumns, n: int, capacity: int) -> dict[str, Any]:
    """Return columns for more rows that begin with the first ``n``, by their names."""
    return {
        "ids": lengthened(points.ids, n, capacity),
        "slots": lengthened(points.slots, n, capacity),
        "numbers": lengthened(points.numbers, n, capacity),
        "seqs": lengthened(points.seqs, n, capacity),
    }


def lengthened(array: NDArray[Any], n: int, capacity: int) -> NDArray[Any]:
    """Return an array with room for more rows that begins with the first ``n`` of another."""
    larger = np.empty((capacity, *array.shape[1:]), dtype=array.dtype)
    larger[:n] = array[:n]
    return larger


def points_at(chosen: Sequence[tuple[Any, NDArray[np.intp]]]) -> dict[str, Any]:
    """Return the columns of some rows of parts, one after the other, by their names.

    Args:
        chosen: ``PointColumns`` or segments, which have the same columns, and rows of each.
    """
    return {
        "ids": join_ids([columns.ids[rows] for columns, rows in chosen]),
        "slots": np.concatenate([columns.slots[rows] for columns, rows in chosen]),
        "numbers": np.concatenate([columns.numbers[rows] for columns, rows in chosen]),
        "seqs": np.concatenate([columns.seqs[rows] for columns, rows in chosen]),
    }
