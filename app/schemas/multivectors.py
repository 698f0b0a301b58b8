"""Multi-vectors on the wire: lists of vectors of one length, a whole column read at once."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.app.errors import out_of_range, wrong_input
from palimpsest.app.schemas.faults import find_fault, wrong_kind
from palimpsest.index import (
    DimensionMismatch,
    InvalidInput,
    InvalidVector,
    MultiConfig,
    MultiVector,
    PointId,
    Vectors,
    parse_set,
    parse_sets,
)

_NESTED = re.compile(rb"\[[ \t\r\n]*[\[{]")
_EMPTY = re.compile(rb"\[[ \t\r\n]*\]")
_SHOWN = 40  # characters of a wrong value that its refusal repeats


def is_nested(text: bytes) -> bool:
    """Tell whether a JSON text is a list that begins with a list, or with an object."""
    return _NESTED.match(text) is not None


def read_multi(text: bytes) -> MultiVector:
    """Return the one multi-vector a JSON text holds.

    Raises:
        Refusal: it is a vector of another kind, or its vectors are not of one length.
        InvalidInput: it cannot be read.
    """
    if text[:1] == b"{":
        raise wrong_kind(text)
    if text[:1] != b"[":
        shown = text[:_SHOWN].decode(errors="replace")
        raise InvalidVector(f"Invalid multi-vector: expected a list of vectors, got {shown}")
    if not is_nested(text) and _EMPTY.match(text) is None:
        raise wrong_input(
            "Conversion between multi and regular vectors failed: expected a list of vectors, got "
            "one vector"
        )
    try:
        return MultiVector(parse_set(text))
    except DimensionMismatch as error:
        what = "must be non-empty"
        if error.received and error.expected:
            what = f"must have the same dimension, found vector with dimension {error.received}"
            what += f" after one with {error.expected}"
        raise out_of_range("vector.data", f"all vectors {what} ({error.where})") from None


def parse_multi(
    texts: list[bytes], ids: Sequence[PointId], config: MultiConfig
) -> tuple[NDArray[np.int64], Vectors]:
    """Return where the sets of a column start, and all their vectors.

    It is parsed at once; when that fails, one by one to name the point at fault.
    """
    try:
        return parse_sets(texts, config.size)
    except InvalidInput:
        pass

    def check(text: bytes, point_id: PointId) -> None:
        size = read_multi(text).values.shape[1]
        if size != config.size:
            raise DimensionMismatch(config.size, size, f"point {point_id}")

    find_fault(texts, ids, check)
    return parse_sets(texts, config.size)
