"""Reads the log of a SQLite database, its file ``-wal``, without SQLite, which forgets in silence.

SQLite's own recovery takes the frames up to the first one that is not as it was written, drops all
later ones and, when the database is closed, deletes them. Here the same frames are told apart, and
what stands behind them is looked at too.

The file, all numbers big-endian: a header of 32 bytes (magic, version, page size, sequence, two
salts, checksum), then frames: a header of 24 bytes (page number, database size if the frame ends a
commit, the salts, the checksum so far) and a page. The checksum runs over words in the byte order
that the magic names: s1 += x[0] + s2; s2 += x[1] + s1, for each pair of words. It is linear modulo
2**32, so that what a frame adds is one matrix product. (https://sqlite.org/fileformat2.html)
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.storage.reach import CELL, MAGIC, Reach

_HEADER, _FRAME_HEADER = 32, 24
_BIG, _LITTLE = 0x377F0683, 0x377F0682
_VERSION = 3_007_000
_SUMMED = 8  # bytes of a frame's header under its checksum
_PIECE = 1_024  # frames summed by one product
_MODULUS = 1 << 32
_CELL_LOOK = 128  # bytes of a row of ``position`` that its reach is within

Sum: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Log:
    """What a log holds.

    ``commits`` are the reaches of its commits as SQLite will find them, None for one that did not
    write it; ``beyond`` is the furthest reach in a frame behind these, ``torn`` the number of the
    first frame behind them. ``goes_on``: behind it a commit ended, and another one began.
    """

    commits: list[Reach | None]
    frames: int
    torn: int
    beyond: Reach | None
    goes_on: bool


@dataclass(frozen=True, slots=True)
class _Frames:
    pages: NDArray[np.uint32]  # page numbers (n,)
    ends: NDArray[np.bool_]  # whether a commit ends there (n,)
    salts: NDArray[np.uint32]  # (n, 2)
    sums: NDArray[np.uint32]  # (n, 2)
    raw: NDArray[np.uint8]  # (n, bytes of a frame)

    def reach(self, frame: int) -> Reach | None:
        return reach_in(self.raw[frame, _FRAME_HEADER:].tobytes())


def read_log(path: Path, page_size: int, root: int) -> Log | None:
    """Read a log; None where there is none, or an empty one.

    Args:
        path: the file.
        page_size: of the database.
        root: the number of the page that holds the reach.
    """
    if not path.exists() or path.stat().st_size <= _HEADER:
        return None
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        # A copy of the mapping, which must not be closed while arrays refer to it.
        frames = _frames(np.frombuffer(text[:], dtype=np.uint8)[_HEADER:], page_size)
        return _read(text[:_HEADER], frames, page_size, root)


def reach_in(page: bytes) -> Reach | None:
    """Return the reach on the page of ``position``: a leaf with one row, whose place it names."""
    if len(page) < 10 or page[0] != 0x0D or page[3:5] != b"\0\1":
        return None
    cell = int.from_bytes(page[8:10], "big")
    at = page.find(MAGIC, cell, cell + _CELL_LOOK)
    return None if at < 0 else Reach.from_bytes(page[at : at + CELL])


def _frames(text: NDArray[np.uint8], page_size: int) -> _Frames:
    width = _FRAME_HEADER + page_size
    raw = text[: len(text) // width * width].reshape(-1, width)
    head = np.ascontiguousarray(raw[:, :_FRAME_HEADER]).view(">u4").astype(np.uint32)
    return _Frames(head[:, 0], head[:, 1] != 0, head[:, 2:4], head[:, 4:6], raw)


def _read(header: bytes, frames: _Frames, page_size: int, root: int) -> Log:
    valid = _valid(header, frames, page_size)
    ends = np.flatnonzero(frames.ends[:valid])
    stop = int(ends[-1]) + 1 if len(ends) else 0
    commits: list[Reach | None] = []
    roots = np.flatnonzero(frames.pages == root)
    start = 0
    for end in ends.tolist():
        own = roots[np.searchsorted(roots, start) : np.searchsorted(roots, end, side="right")]
        commits.append(frames.reach(int(own[-1])) if len(own) else None)
        start = end + 1
    # Behind what SQLite will read: it drops these frames without a word, so that only a look at
    # them tells whether an answered write was among them.
    later = [frames.reach(frame) for frame in roots[roots >= stop].tolist()]
    beyond = max((one for one in later if one), key=lambda one: one.commit, default=None)
    return Log(commits, len(frames.pages), valid, beyond, _goes_on(header, frames, valid))


def _goes_on(header: bytes, frames: _Frames, valid: int) -> bool:
    # Frames of an earlier round of the log have other salts: they are leftovers, and no damage.
    salts = np.frombuffer(header, dtype=">u4")[4:6]
    same = (frames.salts[valid:] == salts).all(axis=1)
    ended = np.flatnonzero(same & frames.ends[valid:])
    return bool(len(ended)) and bool(same[int(ended[0]) + 1 :].any())


def _valid(header: bytes, frames: _Frames, page_size: int) -> int:
    """Return how many frames, from the first on, are as they were written."""
    magic, version, size, _, salt_1, salt_2, *check = np.frombuffer(header, dtype=">u4").tolist()
    if magic not in (_BIG, _LITTLE) or version != _VERSION or size != page_size:
        return 0
    order = ">u4" if magic == _BIG else "<u4"
    words = np.frombuffer(header[:24], dtype=order).astype(np.uint32).reshape(1, -1)
    total = _advance((0, 0), _added(words)[0], 24 // 8)
    # The header's own sum: with it wrong SQLite takes the whole log for empty.
    if list(total) != check:
        return 0
    same = (frames.salts == (salt_1, salt_2)).all(axis=1)
    first_other = int(np.argmin(same)) if not same.all() else len(same)
    for start in range(0, first_other, _PIECE):
        piece = slice(start, min(start + _PIECE, first_other))
        added = _added(_words(frames.raw[piece], order))
        for place, sums in enumerate(frames.sums[piece].tolist()):
            total = _advance(total, added[place], (_SUMMED + page_size) // 8)
            if list(total) != sums:
                return start + place
    return first_other


def _words(raw: NDArray[np.uint8], order: str) -> NDArray[np.uint32]:
    summed = np.concatenate([raw[:, :_SUMMED], raw[:, _FRAME_HEADER:]], axis=1)
    return summed.view(order).astype(np.uint32)


def _added(words: NDArray[np.uint32]) -> list[list[int]]:
    """Return what each row of words adds to a sum (n, 2)."""
    coefficients = np.array(_coefficients(words.shape[1] // 2), dtype=np.uint32)
    sums: list[list[int]] = (words @ coefficients).tolist()
    return sums


@cache
def _coefficients(pairs: int) -> list[Sum]:
    """Return the factors of each word of so many pairs, in the sum after all of them."""
    factors: list[Sum] = []
    first, second = (1, 1), (0, 1)  # of the last pair
    for _ in range(pairs):
        factors += [second, first]
        first, second = _step(first), _step(second)
    return factors[::-1]


@cache
def _power(pairs: int) -> tuple[Sum, Sum]:
    one, other = (1, 0), (0, 1)
    for _ in range(pairs):
        one, other = _step(one), _step(other)
    return one, other


def _step(total: Sum) -> Sum:
    """Return a sum after a pair of zeros."""
    first = (total[0] + total[1]) % _MODULUS
    return first, (total[1] + first) % _MODULUS


def _advance(total: Sum, added: list[int], pairs: int) -> Sum:
    one, other = _power(pairs)
    return (
        (total[0] * one[0] + total[1] * other[0] + added[0]) % _MODULUS,
        (total[0] * one[1] + total[1] * other[1] + added[1]) % _MODULUS,
    )
