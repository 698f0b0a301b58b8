"""Vectors as numbers, by the engine, which is loaded once the first has to be.

That takes most of a second of a core: longer than most commands take for all they do. Most vectors
pass as the text or the bytes they came as.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def read_dense(text: bytes) -> NDArray[np.float32]:
    """Return (d,) float32 of JSON. Raises ValueError where it is no dense vector."""
    from palimpsest.index import InvalidInput, parse_vector

    try:
        return parse_vector(text)
    except InvalidInput as error:
        raise ValueError(str(error)) from error


def read_dense_rows(texts: Sequence[bytes]) -> NDArray[np.float32]:
    """Return (n, d) float32 of n >= 1 texts of JSON. Raises ValueError as ``read_dense``."""
    from palimpsest.index import InvalidInput, parse_vectors

    try:
        return parse_vectors(texts)
    except InvalidInput as error:
        raise ValueError(str(error)) from error


def read_set(text: bytes) -> NDArray[np.float32]:
    """Return (n, d) float32 of JSON. Raises ValueError where it is no set of vectors."""
    from palimpsest.index import InvalidInput, parse_set

    try:
        return parse_set(text)
    except InvalidInput as error:
        raise ValueError(str(error)) from error


def set_text(vectors: NDArray[np.float32]) -> bytes:
    """Return the JSON of a set of vectors (n, d), whose numbers read back the same."""
    from palimpsest.index import format_set

    return format_set(vectors)
