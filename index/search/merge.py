"""Merges the closest rows of several parts: by distance, ties by id."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.segments.searcher import Hits
from index.storage.ids import Ids, unpack_ids
from index.types import Distances, PointId


class PartHits(NamedTuple):
    """Rows found in one part, and the part's columns they index."""

    ids: Ids
    seqs: NDArray[np.uint64]
    hits: Hits


class Merged(NamedTuple):
    """The closest points, closest first; columns of equal length."""

    ids: Sequence[PointId]
    seqs: Sequence[int]
    distances: Distances

    def cut(self, start: int, stop: int) -> Merged:
        """Return the points from place ``start`` up to ``stop``."""
        return Merged(self.ids[start:stop], self.seqs[start:stop], self.distances[start:stop])

    def only(self, kept: Sequence[bool]) -> Merged:
        """Return the points where ``kept`` is true."""
        if all(kept):
            return self
        return Merged(
            list(compress(self.ids, kept)),
            list(compress(self.seqs, kept)),
            self.distances[np.array(kept, dtype=bool)],
        )


def merge(found: Sequence[PartHits], count: int) -> Merged:
    """Return the ``count`` closest of all parts."""
    if len(found) == 1:
        packed, numbers, (rows, distances, *_) = found[0]
        places = rows.astype(np.intp)
        return _by_id_where_equal(unpack_ids(packed[places]), numbers[places].tolist(), distances)
    if not found:
        return Merged([], [], np.empty(0, dtype=np.float32))
    distances = np.concatenate([part.hits.distances for part in found])
    ids = [one for part in found for one in unpack_ids(part.ids[part.hits.rows])]
    seqs = [seq for part in found for seq in part.seqs[part.hits.rows].tolist()]
    order = np.argsort(distances, kind="stable")
    merged = _by_id_where_equal([ids[i] for i in order], [seqs[i] for i in order], distances[order])
    return merged.cut(0, count)


def _by_id_where_equal(ids: list[PointId], seqs: list[int], distances: Distances) -> Merged:
    if len(set(distances.tolist())) < len(ids):
        keys = zip(distances.tolist(), map(_order_of, ids), range(len(ids)), strict=True)
        order = [place for _, _, place in sorted(keys)]
        ids, seqs, distances = [ids[i] for i in order], [seqs[i] for i in order], distances[order]
    return Merged(ids, seqs, distances)


def _order_of(one: PointId) -> tuple[bool, int]:
    return (False, one) if isinstance(one, int) else (True, one.int)
