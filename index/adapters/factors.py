"""Per-row factors of one adapter, computed once for each part's rows and kept in memory.

A factor is 4 bytes a row (algorithms 8.2: 1 over the norm of the row mapped into the queries'
space). Those of a segment are computed whole when they are first asked for, or before by
``Fitting.warm``; those of a growing part follow its rows. Of sets that single vectors ask for, the
mean of each is kept in the same way (``SetMeans``): what factors are of, and what is searched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.unit import LEAST_FACTOR
from palimpsest.index.types import Distance, Vectors

Key: TypeAlias = str | int  # a segment's name, or the first slot of a growing part
RowFactors: TypeAlias = Callable[[Vectors], NDArray[np.float32]]

_BLOCK = 4_096  # rows mapped at once: 6 MB at 384 dimensions
_SETS = 256  # read at once: 20 MB of sets of 150 vectors of 128 dimensions


class GrowingRows(Protocol):
    """Rows that only ever grow at the end."""

    def vectors_of(self, rows: NDArray[np.intp]) -> Vectors:
        """Return the vectors of rows (m, d)."""
        ...


class HasMeans(Protocol):
    """A part of sets that only ever grows at the end."""

    def means_of(self, rows: NDArray[np.intp], *, unit: bool) -> Vectors:
        """Return the means of the sets of rows (m, d)."""
        ...


class Factors:
    """Used by any thread; two that ask for the same part wait for one of them."""

    _block = _BLOCK

    def __init__(self, factors_of: RowFactors, size: tuple[int, ...] = ()) -> None:
        """Take what computes them, and the shape of what is kept of one row: one number."""
        self._factors_of, self._size = factors_of, size
        self._known: dict[Key, tuple[int, NDArray[np.float32]]] = {}  # rows done, and theirs
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(factors.nbytes for _, factors in self._known.copy().values())

    def has(self, key: Key, n: int) -> bool:
        """Tell whether the factors of a part's first ``n`` rows are there."""
        known = self._known.get(key)  # looked at once: ``keep`` may forget it
        return known is not None and known[0] >= n

    def of(self, key: Key, part: Any, n: int) -> NDArray[np.float32]:
        """Return the factors of the first ``n`` rows of a part (``GrowingRows``), (n,) or more."""
        done, factors = self._known.get(key, (0, None))
        if factors is not None and done >= n:
            return factors
        with self._lock:
            return self._extended(key, part, n)

    def keep(self, keys: Collection[Key]) -> None:
        """Forget the parts that are not among ``keys``."""
        with self._lock:
            self._known = {key: one for key, one in self._known.items() if key in keys}

    def _extended(self, key: Key, part: Any, n: int) -> NDArray[np.float32]:
        done, factors = self._known.get(key, (0, np.empty((0, *self._size), np.float32)))
        if done < n and len(factors) < n:
            # rows already there keep their place: a search may be reading the shorter array
            capacity = n if done == 0 else max(n, 2 * len(factors))
            longer = np.empty((capacity, *self._size), dtype=np.float32)
            longer[:done] = factors[:done]
            factors = longer
        # a crafted segment may hold rows that are no numbers: so are their factors, without a word
        with np.errstate(invalid="ignore"):
            for start in range(done, n, self._block):
                stop = min(start + self._block, n)
                factors[start:stop] = self._computed(part, np.arange(start, stop))
        self._known[key] = max(done, n), factors
        return factors

    def _computed(self, part: Any, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        own: GrowingRows = part
        vectors = own.vectors_of(rows)
        # a zero row, which has no direction, scores next to nothing wherever it is mapped to
        return np.where(vectors.any(axis=1), self._factors_of(vectors), LEAST_FACTOR)


class SetMeans(Factors):
    """The means of sets, ``size`` numbers each (parts: ``HasMeans``); of length 1 under cosine."""

    _block = _SETS

    def __init__(self, size: int, distance: Distance) -> None:
        super().__init__(lambda rows: np.ones(len(rows), dtype=np.float32), (size,))
        self._unit = distance is Distance.COSINE

    def _computed(self, part: Any, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        own: HasMeans = part
        return own.means_of(rows, unit=self._unit)
