"""Parts of a vector name seen as dense ones: what walks and adapters between versions need."""

from __future__ import annotations

from typing import TypeAlias, cast

import numpy as np

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.normalise import as_given
from palimpsest.index.errors import InvalidVector
from palimpsest.index.segments.growing import Growing
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.types import Slots, Vectors
from palimpsest.index.view.view import AnyVectors, SealedPart, VectorView

DenseView: TypeAlias = VectorView[VectorConfig, Growing, Sealed]
DensePart: TypeAlias = SealedPart[Sealed] | Growing


def dense_of(vectors: AnyVectors, name: str = "") -> DenseView:
    """Return the parts of a dense vector name. Raises InvalidVector for those of another kind."""
    if not isinstance(vectors.config, VectorConfig):
        kind = vectors.config.kind
        raise InvalidVector(f"Vector {name!r} is {kind}, expected the name of a dense one")
    return cast(DenseView, vectors)


def vectors_of(vectors: DenseView, slots: Slots) -> tuple[Vectors, bool]:
    """Return the vectors of slots (m, d), as they are searched, and whether every one was found."""
    found = np.zeros(len(slots), dtype=bool)
    values = np.empty((len(slots), vectors.config.size), dtype=np.float32)
    for rows, source in vectors.find(slots):
        here = rows >= 0
        values[here] = source.vectors_of(rows[here])
        found |= here
    return values, bool(found.all())


def given_of(vectors: DenseView, slots: Slots) -> tuple[Vectors, bool]:
    """Return the vectors of slots as users see them, and whether all were found."""
    values, complete = vectors_of(vectors, slots)
    if not vectors.config.keeps_lengths:
        return values, complete
    lengths = np.zeros(len(slots), dtype=np.float32)
    for rows, source in vectors.find(slots):
        here = rows >= 0
        known = source.lengths_of(rows[here])
        if known is not None:
            lengths[here] = known
    return as_given(values, lengths), complete
