"""Which vectors, as they were given, each pooled one of a segment stands for.

Needed only where the originals are not kept: what matched is then found among pooled vectors, and
named by the places of those that they were made of.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.kinds.multi.rows import Starts, places_of, starts_of
from palimpsest.index.types import MatchedParts, Members

Labels: TypeAlias = NDArray[np.unsignedinteger[Any]]  # (m,), of the smallest type that holds them
Counts: TypeAlias = NDArray[np.int64]


class Pooled:
    """n sets as they were given: each vector's ``labels`` says which pooled one stands for it."""

    __slots__ = ("labels", "starts")

    def __init__(self, starts: Starts, labels: Labels) -> None:
        """Take what ``index.encoding.pooling`` gave of n sets.

        Args:
            starts: (n + 1,), where sets start among the vectors as they were given.
            labels: (m,), counted from the first pooled vector of a set.

        Raises:
            ValueError: they do not fit each other.
        """
        if starts.dtype != np.int64 or starts.ndim != 1 or not len(starts) or starts[0] != 0:
            raise ValueError(f"starts of pooled vectors ({starts.dtype} of {starts.shape})")
        if (starts[1:] <= starts[:-1]).any() or labels.shape != (starts[-1],):
            raise ValueError(f"labels {labels.shape} do not fit {len(starts) - 1} sets")
        if labels.dtype.kind != "u":
            raise ValueError(f"labels ({labels.dtype}) are no places")
        self.starts, self.labels = starts, labels

    def named(self, parts: MatchedParts, row: int) -> MatchedParts:
        """Return what matched of a set by the places of the vectors as they were given.

        The first of those that a pooled one stands for, and all of them as ``members``.
        """
        labels = self.labels[self.starts[row] : self.starts[row + 1]]
        every = {one: np.flatnonzero(labels == one) for one in {parts.whole, *parts.best.tolist()}}
        best = [every[one] for one in parts.best.tolist()]
        firsts = np.array([one[0] for one in best], dtype=np.int64)
        members = Members(every[parts.whole], best)
        return replace(parts, whole=int(members.whole[0]), best=firsts, members=members)

    def take(self, rows: NDArray[np.integer[Any]]) -> tuple[Counts, Labels]:
        """Return how many vectors some sets were given with, and their labels."""
        own, places = places_of(self.starts, rows)
        return np.diff(own), self.labels[places]

    @property
    def nbytes(self) -> tuple[int, int]:
        """Bytes of starts in memory, and of labels."""
        return self.starts.nbytes, self.labels.nbytes


def unpooled(counts: Counts) -> Labels:
    """Return labels of sets whose vectors all stand for themselves."""
    starts = starts_of(counts)
    places = np.arange(starts[-1]) - np.repeat(starts[:-1], counts)
    return places.astype(np.uint32)


def type_of(counts: Counts) -> np.dtype[np.unsignedinteger[Any]]:
    """Return the type of labels of sets with so many pooled vectors."""
    return np.min_scalar_type(max(int(counts.max(initial=1)) - 1, 0))
