"""Which rows of one part are dead: an immutable bitmap of those that are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Numbers, Words


@dataclass(frozen=True, slots=True, eq=False)
class Dead:
    """Number of dead rows, and the bitmap of allowed ones; None while nothing is dead.

    Bits past the part's last row are set, so a growing part may be extended without a new bitmap.
    """

    count: int = 0
    allowed: Words | None = None

    def with_rows(self, rows: NDArray[np.intp], capacity: int) -> Dead:
        """Return a bitmap of at least ``capacity`` bits in which ``rows`` are dead too."""
        if rows.size == 0:
            return self
        allowed = self._copy(capacity)
        rows = np.unique(rows)
        words, bits = rows >> 6, np.uint64(1) << (rows & 63).astype(np.uint64)
        newly = int(np.count_nonzero(allowed[words] & bits))
        # Unbuffered: several rows may share a word, and a plain indexed assignment would keep but
        # one of them.
        np.bitwise_and.at(allowed, words, ~bits)
        allowed.flags.writeable = False
        return Dead(self.count + newly, allowed)

    def only(self, kept: NDArray[np.bool_]) -> Dead:
        """Return a bitmap in which rows whose flag (n,) is false are dead too."""
        allowed = self._copy(len(kept))
        bits = np.packbits(kept, bitorder="little")
        words = np.full(8 * len(allowed), 255, dtype=np.uint8)
        words[: len(bits)] = bits
        if len(kept) % 8:  # bits past the last row stay set
            words[len(bits) - 1] |= 255 << len(kept) % 8 & 255
        allowed &= words.view(np.uint64)
        allowed.flags.writeable = False
        dead = Dead(0, allowed)
        return Dead(len(dead.dead_rows(len(kept))), allowed)

    def with_capacity(self, capacity: int) -> Dead:
        """Return the same rows in a bitmap of at least ``capacity`` bits."""
        if self.allowed is None or 64 * len(self.allowed) >= capacity:
            return self
        allowed = self._copy(capacity)
        allowed.flags.writeable = False
        return Dead(self.count, allowed)

    def _copy(self, capacity: int) -> Words:
        known = 0 if self.allowed is None else len(self.allowed)
        allowed = np.full(max(known, (capacity + 63) // 64), ~np.uint64(0), dtype=np.uint64)
        if self.allowed is not None:
            allowed[:known] = self.allowed
        return allowed

    def live_rows(self, n: int) -> NDArray[np.intp]:
        """Return the positions below ``n`` of rows that are not dead, ascending."""
        return np.arange(n) if self.allowed is None else np.flatnonzero(self._bits(n))

    def dead_rows(self, n: int) -> NDArray[np.intp]:
        """Return the positions below ``n`` of rows that are dead, ascending."""
        return np.arange(0) if self.allowed is None else np.flatnonzero(self._bits(n) == 0)

    def _bits(self, n: int) -> NDArray[np.uint8]:
        assert self.allowed is not None
        return np.unpackbits(self.allowed.view(np.uint8), count=n, bitorder="little")


def flagged(flags: NDArray[np.bool_], numbers: Numbers) -> NDArray[np.bool_]:
    """Return which numbers (n,) are flagged; those past the flags are not."""
    known = numbers < len(flags)
    known[known] = flags[numbers[known]]
    return known
