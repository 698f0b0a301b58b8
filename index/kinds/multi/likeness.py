"""Sets of vectors that were read, compared with a query and with one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.kinds.multi.exact import Sets
from palimpsest.index.kinds.multi.rows import checked_query, starts_of
from palimpsest.index.types import Distance, MultiVector, PointVector


class MultiLikeness:
    """The sets of some points, as candidates of a choice among them."""

    def __init__(self, rows: Sequence[MultiVector], config: MultiConfig) -> None:
        """Take sets that each have a vector, as ``Kind.as_query`` gives them."""
        self._config = config
        self._own = [checked_query(row, config) for row in rows]
        self._sets = self._laid_out(self._own)

    def of(self, query: PointVector) -> NDArray[np.float64]:
        """Return the similarity (m,) of a query to each."""
        checked = checked_query(query, self._config, averaged=True)
        return self._similar(self._sets.distances(checked, np.arange(len(self._own))))

    def to(self, place: int) -> NDArray[np.float64]:
        """Return the similarity (m,) that each, as a query, has to the one at a place."""
        one = self._laid_out([self._own[place]])
        row = np.zeros(1, dtype=np.intp)
        found = [one.distances(own, row)[0] for own in self._own]
        return self._similar(np.array(found, dtype=np.float32))

    def _laid_out(self, rows: Sequence[NDArray[np.float32]]) -> Sets:
        starts = starts_of(np.array([len(row) for row in rows], dtype=np.int64))
        none = np.empty((0, self._config.size), dtype=np.float32)
        return Sets(starts, np.concatenate([none, *rows]), self._config.distance)

    def _similar(self, distances: NDArray[np.float32]) -> NDArray[np.float64]:
        wide = distances.astype(np.float64)
        return -np.square(wide) if self._config.distance is Distance.EUCLID else -wide
