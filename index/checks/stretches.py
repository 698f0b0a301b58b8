"""Points of a stretch of numbers as a store has them, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.checks.parts import STRETCH
from palimpsest.index.storage.ids import UUID_BYTES, id_of_key, pack_ids, unpack_ids, widen_ids


class Stretch:
    """All arrays are by place: the number of a point, counted from the first of the stretch."""

    def __init__(self, first: int, columns: int) -> None:
        self.first = first
        self.there = np.zeros(STRETCH, dtype=np.bool_)
        self.slots = np.zeros((STRETCH, columns), dtype=np.uint64)
        self.seqs = np.zeros(STRETCH, dtype=np.uint64)
        self.ids = np.zeros((STRETCH, UUID_BYTES + 1), dtype=np.uint8)

    def put(self, rows: list[Any], last: int) -> list[Any]:
        """Take over points; return those that are stored as none can be.

        Args:
            rows: number, id, seq and slots of each.
            last: the seq of the last write.
        """
        good = [row for row in rows if _may_be(row, last)]
        if good:
            places = np.array([row[0] for row in good], dtype=np.int64) - self.first
            width = 8 * self.slots.shape[1]
            cells = b"".join(row[3][:width].ljust(width, b"\0") for row in good)
            self.slots[places] = np.frombuffer(cells, dtype="<u8").reshape(len(good), -1)
            self.seqs[places] = [row[2] for row in good]
            self.ids[places] = widen_ids(pack_ids([id_of_key(row[1]) for row in good]))
            self.there[places] = True
        return rows if not good else [row for row in rows if not self.there[row[0] - self.first]]

    def name(self, place: int) -> str:
        """Return what a point is called."""
        return f"point {unpack_ids(self.ids[place : place + 1])[0]}"

    def places_of(self, wanted: NDArray[np.uint64], slots: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Return the place of the point that means each slot, which one does."""
        order = np.argsort(wanted, kind="stable")
        return order[np.searchsorted(wanted, slots, sorter=order)]


def _may_be(row: Any, last: int) -> bool:
    _, key, seq, slots = row
    return (
        (isinstance(key, int) or (isinstance(key, bytes) and len(key) == UUID_BYTES))
        and isinstance(seq, int)
        and 0 <= seq <= last
        and isinstance(slots, bytes)
        and len(slots) % 8 == 0
    )
