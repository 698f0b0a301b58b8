"""Sets of vectors seen as one vector a point, their means, by versions that have one.

What is searched then are parts of dense rows like any others. Means are kept by the adapter that
leads to them (``index.adapters.factors``), for as long as it is in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.factors import SetMeans
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.segments.growing import Columns, Growing
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.types import Distance, Slots, Vectors
from palimpsest.index.view.dense import DenseView, dense_of, vectors_of
from palimpsest.index.view.view import AnyPart, AnyVectors, VectorView, View

_AT_ONCE = 256  # sets that are read


@dataclass(frozen=True, slots=True, eq=False)
class MeansPart(Growing):
    """The means of the sets of one part, in the place of its rows; nothing is added to it."""

    sets: AnyPart

    @property
    def key(self) -> Any:
        """What tells the part from others of its column: the key of its sets."""
        return self.sets.key

    def find(self, slots: Slots) -> NDArray[np.intp]:
        """Return the row of each slot, -1 where it is not here."""
        rows: NDArray[np.intp] = self.sets.source.find(slots)
        return rows


def one_a_point(view: View, column: int, fitted: Fitted) -> DenseView:
    """Return the rows of a column as an adapter's queries are compared with them.

    Args:
        view: what is searched.
        column: of dense rows, or of sets, whose means are kept with the adapter.
        fitted: an adapter to them, of vectors or of means.
    """
    vectors = view.vectors[column]
    if not isinstance(vectors.config, MultiConfig):
        return dense_of(vectors)
    # With the means themselves, whose id no others can have while the view is there.
    key = "means", column, id(fitted.means)
    known: tuple[SetMeans, DenseView] | None = view.memo.get(key)
    if known is None:
        known = view.memo[key] = fitted.means, means_view(vectors, fitted.means)
    return known[1]


def means_view(vectors: AnyVectors, means: SetMeans) -> DenseView:
    """Return parts of sets as parts of their means, computed where they are not there."""
    assert isinstance(vectors.config, MultiConfig)
    config = vectors.config.mean
    parts = []
    for part in vectors.parts:
        if not part.n:
            continue
        values, own = means.of(part.key, part.source, part.n), part.columns
        columns = Columns(own.ids, own.slots, own.numbers, own.seqs, values, None, None)
        searcher = Searcher(config.distance, config.size, values)
        parts.append(MeansPart(config, columns, part.n, part.dead, None, searcher, part))
    growing: tuple[Growing, ...] = tuple(parts) or (Growing.empty(config),)
    return VectorView(config, (), growing)


def points_vectors(vectors: AnyVectors, slots: Slots) -> tuple[Vectors, bool]:
    """Return one vector (m, d) for each of some slots, and whether every one was found.

    Those of sets are their means.
    """
    config = vectors.config
    if not isinstance(config, MultiConfig):
        return vectors_of(dense_of(vectors), slots)
    values = np.zeros((len(slots), config.size), dtype=np.float32)
    found = np.zeros(len(slots), dtype=bool)
    for rows, source in vectors.find(slots):
        here = np.flatnonzero(rows >= 0)
        sets = cast(Any, source)
        for some in np.array_split(here, max(1, len(here) // _AT_ONCE)):
            unit = config.distance is Distance.COSINE
            values[some] = sets.means_of(rows[some], unit=unit)
        found[here] = True
    return values, bool(found.all())
