"""The seq of the last write to each point: in memory, and what of it the rows do not tell.

Most points were last written by the write that brought one of their rows, and every row keeps its
seq. Others (their payload was edited since, a vector deleted, or they have none) are listed by the
store, one line each; once there are many, whole stretches are folded into one array. Seqs only
rise, so the greatest that is known of a point, from wherever, is its own.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.checked import is_summed, require_sums
from palimpsest.index.storage.sums import PLACE, check_of
from palimpsest.index.types import Numbers

STRETCH = 65_536  # numbers of one folded array
_LEAST = 65_536  # lines that are few
_SHARE = 8  # one line in so many points is few, too


class Seqs:
    """By number, shared by all views: a search may see the seq of a write that came after its own.

    Read by any thread; ``put`` and ``raise_to`` belong to the writer.
    """

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self._of.nbytes

    @property
    def by_number(self) -> NDArray[np.uint64]:
        """The seqs of all points, of numbers that were given so far; not to be changed."""
        return self._of

    def of(self, numbers: Numbers) -> list[int]:
        """Return the seq of each point."""
        seqs: list[int] = self._of[numbers].tolist()
        return seqs

    def put(self, numbers: Sequence[int], seq: int) -> None:
        """Note a write to points."""
        if numbers:
            self._sized(max(numbers) + 1)[np.array(numbers, dtype=np.intp)] = seq

    def raise_to(self, numbers: Numbers, seqs: NDArray[np.uint64]) -> None:
        """Take over what is known of points, each named once, where it is greater."""
        if len(numbers):
            array = self._sized(int(numbers.max()) + 1)
            array[numbers] = np.maximum(array[numbers], seqs)

    def stretch(self, first: int) -> NDArray[np.uint64]:
        """Return the seqs of the numbers from ``first`` on, of a stretch at most."""
        return self._of[first : first + STRETCH]

    def reserve(self, size: int) -> None:
        """Let there be a seq, 0 if nothing is known, for all numbers below ``size``."""
        self._sized(size)

    def _sized(self, size: int) -> NDArray[np.uint64]:
        if size > len(self._of):
            larger = np.zeros(max(size, len(self._of) + len(self._of) // 4), dtype=np.uint64)
            larger[: len(self._of)] = self._of
            self._of = larger
        return self._of


class SeqTable:
    """Part of ``Store``: its methods belong to the writer thread, writes inside a transaction."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def known(self) -> Iterator[tuple[Numbers, NDArray[np.uint64]]]:
        """Yield numbers and seqs. Raises Damaged."""
        check = check_of("folded_seqs")
        rows = self._connection.execute("SELECT first, crc32, checksum, seqs FROM folded_seqs")
        for row in rows:
            require_sums(self._path, self._connection, check, [row])
            first, checksum, _, value = row
            found = zlib.crc32(value)
            if found != checksum:
                raise Damaged(self._path, checksum, found, f"checksum of seqs from {first} on")
            seqs = np.frombuffer(value, dtype="<u8")
            yield np.arange(first, first + len(seqs), dtype=np.uint32), seqs
        rows = self._connection.execute("SELECT number, seq, checksum FROM edited")
        while some := rows.fetchmany(STRETCH):
            require_sums(self._path, self._connection, check_of("edited"), some)
            both = np.array([row[:2] for row in some], dtype=np.uint64)
            yield both[:, 0].astype(np.uint32), both[:, 1]

    def of_points(self) -> Iterator[tuple[Numbers, NDArray[np.uint64]]]:
        """Yield the same of all points by their rows, but of those that are damaged."""
        statement = "SELECT number, id, seq, slots, checksum FROM points NOT INDEXED"
        rows = self._connection.execute(statement)
        while some := rows.fetchmany(STRETCH):
            bad = {*PLACE.bad(some, [0, 1, 2, 3], 4, may_lack=not is_summed(self._connection))}
            whole = [row for place, row in enumerate(some) if place not in bad]
            both = np.array([(row[0], row[2]) for row in whole], dtype=np.uint64).reshape(-1, 2)
            yield both[:, 0].astype(np.uint32), both[:, 1]

    def edited(self) -> int:
        """Return how many points have a line of their own."""
        count: int = self._connection.execute("SELECT count(*) FROM edited").fetchone()[0]
        return count

    def edit(self, numbers: Sequence[int], seq: int) -> None:
        """Record a write to points that brought no row of them."""
        sums = check_of("edited").sums([(number, seq) for number in numbers])
        self._connection.executemany(
            "INSERT OR REPLACE INTO edited (number, seq, checksum) VALUES (?, ?, ?)",
            zip(numbers, [seq] * len(numbers), sums, strict=True),
        )

    def fold(self, seqs: Seqs, points: int | None = None) -> None:
        """Fold the stretches that have lines; all of them where there are ``points`` in number."""
        if points is None:
            rows = self._connection.execute(f"SELECT DISTINCT number / {STRETCH} FROM edited")
            firsts = [STRETCH * place for (place,) in rows.fetchall()]
        else:
            firsts = [*range(0, points, STRETCH)]
        for first in firsts:
            put_stretch(self._connection, first, seqs.stretch(first))
        self._connection.execute("DELETE FROM edited")


def put_stretch(connection: sqlite3.Connection, first: int, seqs: NDArray[np.uint64]) -> None:
    """Write the seqs of the numbers from ``first`` on."""
    value = seqs.astype("<u8").tobytes()
    row = first, zlib.crc32(value)
    connection.execute(
        "INSERT OR REPLACE INTO folded_seqs (first, crc32, checksum, seqs) VALUES (?, ?, ?, ?)",
        (*row, check_of("folded_seqs").sum(row), value),
    )


def are_many(edited: int, points: int) -> bool:
    """Tell whether so many lines take long to read."""
    return edited > max(_LEAST, points // _SHARE)
