"""Sets of vectors as JSON text, both ways, without a Python object per number.

A set is an array of arrays of numbers, all of one length.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.errors import DimensionMismatch, InvalidVector
from palimpsest.index.types import Vectors

_FEWEST = 2  # bytes of a number and what follows it


def parse_set(text: bytes) -> Vectors:
    """Return the (t, d) float32 vectors of a JSON text, as long as the first of them.

    Raises:
        InvalidVector: the text is no array of arrays of numbers, or holds no vector.
        DimensionMismatch: a vector is not as long as the first; the text names its place.
    """
    return parse_sets([text], _first_size(text))[1]


def parse_sets(texts: Sequence[bytes], size: int) -> tuple[NDArray[np.int64], Vectors]:
    """Return where sets start (n + 1,), and all their vectors (t, size) float32.

    Raises:
        InvalidVector: a text is no array of arrays of numbers, or holds no vector.
        DimensionMismatch: a vector is of another size; the text names its place.
    """
    # Every vector begins with a bracket, and takes room: a text of brackets alone is not believed.
    most = sum(min(text.count(b"[") - 1, len(text) // (_FEWEST * size) + 1) for text in texts)
    values = np.empty((max(most, 0), size), dtype=np.float32)
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    try:
        stopped, place, found = _native.parse_sets_into([*texts], values, starts[1:])
    except ValueError as error:
        raise InvalidVector(f"Invalid multi-vector: {error}") from None
    if stopped < len(texts):
        raise DimensionMismatch(size, found, f"vector {place} of the multi-vector")
    if len(texts) and not np.diff(starts).all():
        raise InvalidVector("Invalid multi-vector: expected at least one vector, got none")
    return starts, values[: starts[-1]]


def format_set(vectors: Vectors) -> bytes:
    """Return the JSON array of arrays whose numbers read back as the same float32 values."""
    return _native.format_rows(np.ascontiguousarray(vectors, dtype=np.float32))


def _first_size(text: bytes) -> int:
    """Return how many numbers the first vector of a set holds, at least 1."""
    return text.count(b",", 0, text.find(b"]") + 1) + 1
