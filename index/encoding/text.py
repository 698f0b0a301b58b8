"""Vectors as JSON text, both ways, without a Python object per number.

A vector is an array of numbers, or a string holding the base64 of little-endian float32 values.
"""

from __future__ import annotations

import binascii
import sys
from collections.abc import Sequence

import numpy as np

from palimpsest.index import _native
from palimpsest.index.errors import DimensionMismatch, InvalidVector
from palimpsest.index.types import Vector, Vectors

_FLOAT = np.dtype("<f4")


def parse_vector(text: bytes) -> Vector:
    """Return the (d,) float32 vector of a JSON text.

    Raises:
        InvalidVector: the text is neither a flat array of numbers nor base64 of float32 values.
    """
    if text[:1] == b'"':
        return _from_base64(text)
    vector = np.empty(_native.most_numbers(text), np.float32)
    try:
        size = _native.parse_floats_into(text, vector)
    except ValueError as error:
        raise InvalidVector(f"Invalid vector: {error}") from None
    return vector[:size]


def parse_vectors(texts: Sequence[bytes]) -> Vectors:
    """Return (n, d) float32 of n JSON texts of one length.

    Raises:
        InvalidVector: as ``parse_vector``; the text names the position.
        DimensionMismatch: a vector is not as long as the first; the text names its position.
    """
    if not texts:
        return np.empty((0, 0), dtype=np.float32)
    first = parse_vector(texts[0])
    vectors = np.empty((len(texts), len(first)), dtype=np.float32)
    if all(text[:1] == b"[" for text in texts):
        return _parse_arrays(texts, vectors)
    for position, text in enumerate(texts):
        vector = _parse_at(position, text)
        if len(vector) != len(first):
            raise DimensionMismatch(len(first), len(vector), f"vector {position} of the batch")
        vectors[position] = vector
    return vectors


def format_vector(vector: Vector) -> bytes:
    """Return the JSON array whose numbers read back as the same float32 values."""
    return _native.format_row(np.ascontiguousarray(vector, dtype=np.float32))


def _parse_arrays(texts: Sequence[bytes], vectors: Vectors) -> Vectors:
    try:
        stopped, size = _native.parse_rows_into(list(texts), vectors)
    except ValueError:
        for position, text in enumerate(texts):  # find the one at fault, to name it
            _parse_at(position, text)
        raise
    if stopped < len(texts):
        raise DimensionMismatch(vectors.shape[1], size, f"vector {stopped} of the batch")
    return vectors


def _parse_at(position: int, text: bytes) -> Vector:
    try:
        return parse_vector(text)
    except InvalidVector as error:
        raise InvalidVector(f"{error} (vector {position} of the batch)") from None


def _from_base64(text: bytes) -> Vector:
    if len(text) < 2 or not text.endswith(b'"'):
        raise InvalidVector("Invalid vector: the string does not end")
    inside = text[1:-1].replace(rb"\/", b"/")  # some writers of JSON escape slashes
    try:
        raw = binascii.a2b_base64(inside, strict_mode=True)
    except binascii.Error as error:
        raise InvalidVector(
            f"Invalid vector: expected base64 of little-endian float32 values: {error}"
        ) from None
    if len(raw) % _FLOAT.itemsize:
        raise InvalidVector(
            f"Invalid vector: expected base64 of a multiple of 4 bytes, got {len(raw)}"
        )
    vector = np.frombuffer(raw, dtype=_FLOAT)
    return vector if sys.byteorder == "little" else vector.astype(np.float32)
