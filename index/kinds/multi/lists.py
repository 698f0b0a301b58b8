"""Lists of the sets that have a vector near each of many centroids: candidates token by token.

A generator of its own beside rows (``generators``): it holds which directions a set has, where a
row has their mixture. Of sets of several topics it needs a third of the candidates that an encoding
needs, and half of its memory (``docs/fde.md``). ``index/native/lists.h`` has the search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index import _native
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.encoding.centroids import PER_CENTROID, fitted
from palimpsest.index.encoding.tokens import TokenEncoder, narrow
from palimpsest.index.filters.bitmaps import to_flags
from palimpsest.index.kinds.multi.exact import CodedSets
from palimpsest.index.kinds.multi.generators import Finished, scale_of, scaled
from palimpsest.index.kinds.multi.rows import MultiRows
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead, flagged
from palimpsest.index.storage.files import Array, Folder
from palimpsest.index.types import Codes, Distances, Numbers, Rows, SearchStats, Vectors

PREFIX = "lists_"
LISTS, WIDE = "lists", "wide_lists"
# Lists that a vector of a query looks at. Of 100,000 sets of several topics 32 find as much among
# 150 candidates as 16 among 500, in 1.8 times the time; of thousands both find the same.
PROBES = {LISTS: 16, WIDE: 32}
_PER_ROOT = 5  # lists, of the root of how many vectors there are
_MOST = 1 << 16
# Of scores, which one that is not compared may be above what its lists tell. So 91 of 150 are
# compared of abstracts, and 148 of 400 of sets of several topics; of the ten closest .001 and .005
# are lost, at 2.5 deviations .004 and .015.
_DEVIATIONS = 3.0
_BITS = 8  # of codes of centroids


@dataclass(frozen=True, slots=True, eq=False)
class TokenLists:
    """Lists of n sets; ``rows`` of list c are ``starts[c]`` to ``starts[c + 1]``, ascending."""

    encoder: TokenEncoder
    centroids: Codes
    starts: NDArray[np.int64]
    rows: Rows
    n: int
    native: _native.TokenLists = field(init=False)

    def __post_init__(self) -> None:
        native = _native.TokenLists(self.centroids, self.starts, self.rows, self.n)
        object.__setattr__(self, "native", native)

    def closest(
        self,
        query: Vectors,
        probes: int,
        count: int,
        allowed: NDArray[np.uint8] | None,
        stats: SearchStats,
    ) -> Rows:
        """Return about ``count`` rows that share most with a query (t, d), ascending.

        As many at least where there are as many that are ``allowed`` (n,); more that tie. Each
        vector of the query looks at ``probes`` lists, or at more until these have as many.
        """
        out = np.empty(self.n, dtype=np.uint32)
        found, touched, looked = self.native.closest(
            self._prepared(query), probes, count, allowed, out
        )
        stats.visited += looked
        stats.scored += touched
        return out[:found]

    def compared(
        self,
        query: Vectors,
        coded: CodedSets,
        probes: int,
        count: int,
        allowed: NDArray[np.uint8] | None,
        until: int | None,
        stats: SearchStats,
    ) -> tuple[Rows, Distances]:
        """Return rows of ``closest``, in no order, and their distances by codes.

        Those that share most are compared first, and the others only until it is as good as sure
        that the ``until`` closest are among those that are; all of them where that is None.
        """
        started = perf_counter()
        rows, scores = np.empty(self.n, dtype=np.uint32), np.empty(self.n, dtype=np.float64)
        compared, touched, looked, seconds = self.native.compared(
            self._prepared(query),
            probes,
            count,
            allowed,
            coded.prepare(query),
            coded.codes,
            coded.starts,
            until or 0,
            _DEVIATIONS,
            rows,
            scores,
        )
        stats.visited += looked
        stats.scored += touched + compared
        distances = 0 - narrow(scores[:compared])
        stats.took("maxsim", seconds)
        stats.took("traverse", perf_counter() - started - seconds)
        return rows[:compared], distances

    def estimates(self, query: Vectors, probes: int) -> Distances:
        """Return what all sets (n,) are ranked by, smaller for what shares more."""
        out = np.empty(self.n, dtype=np.float32)
        self.native.gains(self._prepared(query), probes, out)
        return 0 - out

    def _prepared(self, query: Vectors) -> _native.CodedQuery:
        tokens = np.ascontiguousarray(query, dtype=np.float32)
        return _native.CodedQuery(self.encoder.native, tokens)

    @property
    def nbytes(self) -> tuple[int, int]:
        """Bytes of centroids and of lists in memory."""
        return self.centroids.nbytes, self.starts.nbytes + self.rows.nbytes

    def files(self) -> dict[str, Array]:
        """Return its arrays under their names in a folder."""
        return {
            f"{PREFIX}centroids": self.centroids,
            f"{PREFIX}signs": self.encoder.signs,
            f"{PREFIX}starts": self.starts,
            f"{PREFIX}rows": self.rows,
        }


class MadeLists:
    """Lists while sets are read piece by piece; searched as ``PROBES`` has it under a name."""

    name = LISTS

    def __init__(self, sample: MultiRows, vectors: int, n: int, seed: int, *, unit: bool) -> None:
        """Fit centroids to some of the sets.

        Args:
            sample: at least one set.
            vectors: of all sets.
            n: how many sets there are.
            seed: draws centroids.
            unit: whether vectors have length 1.
        """
        self._scale = np.float32(1) if unit else scale_of(sample.values)
        count = min(_PER_ROOT * math.isqrt(vectors), _MOST)
        self._centroids = fitted(scaled(sample.values, self._scale), count, seed, unit=unit)
        self._n, self._pairs = n, list[NDArray[np.uint64]]()
        self._lists: TokenLists | None = None

    def fill(self, piece: slice, sets: MultiRows) -> None:
        """Take the next sets, those of ``piece``."""
        labels = self._centroids.nearest(scaled(sets.values, self._scale)).astype(np.uint64)
        owners = np.repeat(np.arange(piece.start, piece.stop, dtype=np.uint64), sets.counts)
        self._pairs.append(np.unique(labels << np.uint64(32) | owners))

    def estimates(self, query: Vectors) -> Distances:
        """Return what all sets (n,) are ranked by for a query (t, d), once all are there."""
        return self.made().estimates(query, PROBES[LISTS])

    def finished(self, to: Build[MultiConfig], depth: int) -> Finished:
        """Return what is written."""
        return Finished(self.made().files(), {"lists": PROBES[LISTS], "depth": depth}, None)

    def made(self) -> TokenLists:
        """Return the lists of all sets, once all are there."""
        if self._lists is None:
            self._lists = self._joined()
        return self._lists

    def _joined(self) -> TokenLists:
        pairs = np.sort(np.concatenate([np.empty(0, np.uint64), *self._pairs]))
        self._pairs.clear()
        rows = (pairs & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        bounds = np.arange(len(self._centroids) + 1, dtype=np.uint64) << np.uint64(32)
        starts = np.searchsorted(pairs, bounds).astype(np.int64)
        encoder = TokenEncoder(self._centroids.values.shape[1], _BITS)
        codes = encoder.encode(self._centroids.values)
        return TokenLists(encoder, codes, starts, rows, self._n)


class WideLists:
    """Lists that another generator makes, of which more are looked at."""

    name = WIDE

    def __init__(self, narrow: MadeLists) -> None:
        """Take lists that are being made."""
        self._narrow = narrow

    def fill(self, piece: slice, sets: MultiRows) -> None:
        """Take nothing: the other one does."""

    def estimates(self, query: Vectors) -> Distances:
        """Return what all sets (n,) are ranked by for a query (t, d), once all are there."""
        return self._narrow.made().estimates(query, PROBES[WIDE])

    def finished(self, to: Build[MultiConfig], depth: int) -> Finished:
        """Return what is written."""
        narrow = self._narrow.finished(to, depth)
        return narrow._replace(said={**narrow.said, "lists": PROBES[WIDE]})


@dataclass(frozen=True, slots=True, eq=False)
class CandidateLists:
    """The lists of a segment, of which each vector of a query looks at ``probes``.

    ``depth`` is how many sets are compared by MaxSim.
    """

    lists: TokenLists
    numbers: Numbers
    probes: int
    depth: int

    def closest(
        self, query: Vectors, count: int, dead: Dead, allowed: BitMap | None, stats: SearchStats
    ) -> Rows:
        """Return about ``count`` rows, as ``CandidateRows.closest``."""
        findable = self._findable(dead, allowed)
        return self.lists.closest(query, self.probes, count, findable, stats)

    def compared(
        self,
        query: Vectors,
        coded: CodedSets,
        count: int,
        dead: Dead,
        allowed: BitMap | None,
        until: int | None,
        stats: SearchStats,
    ) -> tuple[Rows, Distances]:
        """Return candidates and their distances by codes, as ``CandidateRows.compared``."""
        findable, probes = self._findable(dead, allowed), self.probes
        return self.lists.compared(query, coded, probes, count, findable, until, stats)

    def _findable(self, dead: Dead, allowed: BitMap | None) -> NDArray[np.uint8] | None:
        if allowed is None and not dead.count:
            return None
        rows = dead.live_rows(self.lists.n)
        if allowed is not None:
            flags = to_flags(allowed, allowed.max() + 1 if allowed else 0)
            rows = rows[flagged(flags, self.numbers[rows])]
        found = np.zeros(self.lists.n, dtype=np.uint8)
        found[rows] = 1
        return found

    @property
    def nbytes(self) -> tuple[int, int]:
        """Bytes of codes and of lists in memory."""
        return self.lists.nbytes

    @property
    def ids_nbytes(self) -> int:
        """Bytes that searches hold by row: none."""
        return 0


def bytes_of(size: int, vectors: int) -> int:
    """Return about how many bytes it takes to make lists of so many vectors."""
    pairs = 3 * 8 * vectors  # in pieces, as one, and sorted
    return pairs + 3 * 4 * size * sample_of(vectors)


def sample_of(vectors: int) -> int:
    """Return how many vectors a sample for so many should have."""
    return PER_CENTROID * min(_PER_ROOT * math.isqrt(vectors), _MOST)


def opened(files: Folder, said: Mapping[str, Any], numbers: Numbers, size: int) -> CandidateLists:
    """Return what ``TokenLists.files`` gave. Raises ValueError when they do not fit."""
    encoder = TokenEncoder(size, _BITS, files.loaded(f"{PREFIX}signs"))
    centroids, starts = files.loaded(f"{PREFIX}centroids"), files.loaded(f"{PREFIX}starts")
    rows = files.loaded(f"{PREFIX}rows")
    if centroids.dtype != np.uint8 or centroids.shape[1:] != (encoder.row_bytes,):
        raise ValueError(f"{PREFIX}centroids ({centroids.dtype} of {centroids.shape})")
    if starts.dtype != np.int64 or rows.dtype != np.uint32:
        raise ValueError(f"{PREFIX}starts ({starts.dtype}) or {PREFIX}rows ({rows.dtype})")
    lists = TokenLists(encoder, centroids, starts, rows, len(numbers))
    return CandidateLists(lists, numbers, said["lists"], said["depth"])
