"""MaxSim kernels of every level this CPU has: exact integers, and floats equal to scalar ones.

Levels it lacks run under ``make emulated``.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index import _native_test
from palimpsest.index.types import Codes, Distance
from tests import codes as layout
from tests.maxsim import similarities

LANES = 16
BITS = (2, 4, 8)
LEVELS = _native_test.levels()
DISTANCES = {"inner_product": Distance.DOT, "l2": Distance.EUCLID, "l1": Distance.MANHATTAN}

each_level = pytest.mark.parametrize("level", LEVELS)
each_bits = pytest.mark.parametrize("bits", BITS)
each_metric = pytest.mark.parametrize("metric", DISTANCES)


def most(level: str, bits: int, query: NDArray[np.int8], rows: Codes) -> NDArray[np.float32]:
    blocks = query.reshape(-1, LANES, query.shape[1] // 4, 4).transpose(0, 2, 1, 3).ravel()
    best = np.full(len(query), -np.inf, dtype=np.float32)
    sums = query.sum(axis=1, dtype=np.int32)
    _native_test.max_products(level, bits, blocks, sums, rows, best)
    return best


def expected(bits: int, query: NDArray[np.int8], rows: Codes) -> NDArray[np.float32]:
    """Return the largest products, by integers and one multiplication of float32."""
    doubled = 2 * layout.unpack(rows[:, :-4], bits) - (2**bits - 1)
    dots = (doubled @ query.T.astype(np.int64)).astype(np.float32)
    factors: NDArray[np.float32] = np.ascontiguousarray(rows[:, -4:]).view(np.float32)
    best: NDArray[np.float32] = (dots * factors).max(axis=0)
    return best


def rows_of(codes: Codes, factors: NDArray[np.float32]) -> Codes:
    return np.concatenate([codes, factors[:, None].view(np.uint8)], axis=1)


@each_level
@each_bits
@pytest.mark.parametrize("padded", [64, 128, 320, 832])
def test_largest_products_are_exact(
    level: str, bits: int, padded: int, rng: np.random.Generator
) -> None:
    for tokens in (LANES, 2 * LANES):
        for n in (1, 2, 3, 4, 5, 9):
            query = rng.integers(-127, 128, (tokens, padded)).astype(np.int8)
            codes = rng.integers(0, 256, (n, padded * bits // 8), dtype=np.uint8)
            rows = rows_of(codes, rng.random(n).astype(np.float32))
            np.testing.assert_array_equal(
                most(level, bits, query, rows), expected(bits, query, rows)
            )


@each_level
@each_bits
@pytest.mark.parametrize("padded", [64, 1536, 65_536])
def test_extremes_do_not_overflow(level: str, bits: int, padded: int) -> None:
    if level == "scalar" and padded > 1536:
        codes = np.array([[0x00], [0xFF]], dtype=np.uint8)  # plain loops: the two extremes alone
    else:
        codes = np.array([[0x00], [0xFF], [0x80], [0x7F]], dtype=np.uint8)
    rows = rows_of(
        np.repeat(codes, padded * bits // 8, axis=1), np.ones(len(codes), dtype=np.float32)
    )
    query = np.full((LANES, padded), 127, dtype=np.int8)
    query[1::2] = -127
    for row in rows:  # each by itself: of several the largest would hide the others
        np.testing.assert_array_equal(
            most(level, bits, query, row[None]), expected(bits, query, row[None])
        )


@each_level
@each_metric
@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("size", [1, 7, 33, 256, 700])
def test_largest_similarities_equal_scalar_and_numpy(
    level: str, metric: str, halves: bool, size: int, rng: np.random.Generator
) -> None:
    dtype = np.float16 if halves else np.float32
    query = rng.standard_normal((LANES, size)).astype(np.float32)
    for n in (1, 3, 4, 6):
        values = rng.standard_normal((n, size)).astype(dtype)
        rows = values.view(np.uint8).reshape(n, -1)
        found = {}
        for name in (level, "scalar"):
            best = np.full(LANES, -np.inf, dtype=np.float32)
            block = np.ascontiguousarray(query.T)
            _native_test.max_similarities(name, metric, halves, block, rows, best)
            found[name] = best
        assert found[level].tobytes() == found["scalar"].tobytes()
        right = similarities(query, values, DISTANCES[metric]).max(axis=1)
        np.testing.assert_allclose(found[level], right, rtol=2e-5, atol=2e-5)
