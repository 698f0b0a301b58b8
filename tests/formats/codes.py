"""Golden codes: what one seed and one set of vectors were encoded to when a format was new.

``python -m tests.formats.codes PATH`` writes the file of a new format; written files never change.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.types import Distance, Vectors

SEED = 20_240_515
BITS = (1, 2, 4, 8)
DISTANCES = (Distance.DOT, Distance.EUCLID)  # cosine codes are those of dot
ROWS, DECODED = 5, 2
SIZES = (3, 70, 200)  # one block and less; D' a power of two; D' not one


def golden_vectors(size: int) -> Vectors:
    """Return rows from a generator of plain integers, the same everywhere for ever."""
    state, values = 1, []
    for _ in range(ROWS * size):
        state = (6_364_136_223_846_793_005 * state + 1_442_695_040_888_963_407) % 2**64
        values.append((state >> 40) - 2**23)
    return np.array(values, dtype=np.float32).reshape(ROWS, size) / np.float32(2**21)


def cases() -> Iterator[tuple[str, Distance, int, int]]:
    """Yield a name, distance, bits and size for each encoder on file."""
    for distance in DISTANCES:
        for bits in BITS:
            for size in SIZES:
                yield f"{distance}-{bits}-{size}", distance, bits, size


def golden_arrays() -> dict[str, NDArray[Any]]:
    """Return everything on file, made by this version."""
    out: dict[str, NDArray[Any]] = {}
    for name, distance, bits, size in cases():
        vectors = golden_vectors(size)
        encoder = Encoder.fit(vectors, distance, bits, SEED)
        rows, errors = encoder.encode_with_errors(vectors)
        estimates = np.stack([encoder.estimate(vector, rows) for vector in vectors])
        out |= {f"{size}/{key}": array for key, array in encoder.arrays().items()}
        out[f"{name}/rows"] = rows
        out[f"{name}/errors"] = errors
        out[f"{name}/decoded"] = encoder.decode(rows[:DECODED])
        out[f"{name}/estimates"] = estimates
    return out


if __name__ == "__main__":
    path = Path(sys.argv[1])
    if path.exists():
        sys.exit(f"{path} is there already; formats get new files")
    np.savez_compressed(path, allow_pickle=False, **golden_arrays())
