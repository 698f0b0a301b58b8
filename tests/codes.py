"""The layout of code bytes in plain numpy, as ``index/native/kernels.h`` describes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Codes

FACTOR_BYTES = 8  # two float32 values behind the code bytes of a row
PLANES = 4  # bits of a query against 1-bit codes


def code_bytes(padded: int, bits: int) -> int:
    """Return the code bytes of a row of ``padded`` dimensions."""
    return padded * bits // 8


def unpack(codes: Codes, bits: int) -> NDArray[np.int64]:
    """Return x_u (n, D') of the code bytes (n, c) of rows, in [0, 2**bits)."""
    n, padded = len(codes), codes.shape[1] * 8 // bits
    if bits == 1:
        unpacked: NDArray[Any] = np.unpackbits(codes, axis=1, bitorder="little")
    elif bits == 8:
        unpacked = codes ^ 0x80
    else:
        parts = 8 // bits  # dimensions in a byte, each 64 / parts apart
        blocks = codes.reshape(n, padded // 64, 1, 64 // parts)
        shifts = (bits * np.arange(parts, dtype=np.uint8))[:, None]
        unpacked = (blocks >> shifts) & np.uint8(2**bits - 1)
    return unpacked.astype(np.int64).reshape(n, padded)


def centred(codes: Codes, bits: int) -> NDArray[np.float64]:
    """Return x = x_u - (2**bits - 1) / 2, (n, D')."""
    x: NDArray[np.float64] = unpack(codes, bits).astype(np.float64)
    x -= (2**bits - 1) / 2
    return x


def factors(rows: Codes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the (n,) add and rescale factors of rows."""
    both = np.ascontiguousarray(rows[:, -FACTOR_BYTES:]).view(np.float32)
    return both[:, 0], both[:, 1]


def planes(query: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return the bit planes of a query of values in [-8, 8), lowest first."""
    bits = query.astype(np.uint8)[None, :] >> np.arange(PLANES, dtype=np.uint8)[:, None] & 1
    return np.packbits(bits, axis=1, bitorder="little").reshape(-1)
