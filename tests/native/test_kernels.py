"""Every kernel level this CPU has against plain numpy (integers) or the scalar level (floats).

Levels it lacks run under ``make emulated``.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index import _native, _native_test
from palimpsest.index.types import Codes
from tests import codes as layout

SIZES = (1, 7, 8, 31, 32, 33, 255, 256, 257, 1536)
BITS = (1, 2, 4, 8)
LEVELS = _native_test.levels()
METRICS = ("inner_product", "l2", "l1")

each_level = pytest.mark.parametrize("level", LEVELS)
each_size = pytest.mark.parametrize("size", SIZES)
each_bits = pytest.mark.parametrize("bits", BITS)


def dot(level: str, bits: int, codes: Codes, query: NDArray[np.int8]) -> NDArray[np.int32]:
    operand = layout.planes(query) if bits == 1 else query.view(np.uint8)
    out = np.full(len(codes), 123, dtype=np.int32)
    _native_test.dot(level, bits, codes, operand, len(query), out)
    return out


def expected_dot(bits: int, codes: Codes, query: NDArray[np.int8]) -> NDArray[np.int64]:
    unpacked = layout.unpack(codes, bits) - (128 if bits == 8 else 0)
    return unpacked @ query.astype(np.int64)


def limits(bits: int) -> tuple[int, int]:
    return (-8, 7) if bits == 1 else (-127, 127)


@each_level
@each_bits
@each_size
def test_products_are_exact(level: str, bits: int, size: int, rng: np.random.Generator) -> None:
    padded = _native.padded_size(size)
    low, high = limits(bits)
    for n in range(10):
        codes = rng.integers(0, 256, (n, layout.code_bytes(padded, bits)), dtype=np.uint8)
        query = rng.integers(low, high + 1, padded, dtype=np.int8)
        query[size:] = 0
        np.testing.assert_array_equal(
            dot(level, bits, codes, query), expected_dot(bits, codes, query)
        )


@each_level
@each_bits
@pytest.mark.parametrize("padded", [64, 192, 1536, 65_536])
def test_extremes_do_not_overflow(level: str, bits: int, padded: int) -> None:
    codes = np.empty((4, layout.code_bytes(padded, bits)), dtype=np.uint8)
    codes[0], codes[1], codes[2], codes[3] = 0x00, 0xFF, 0x80, 0x7F
    for value in limits(bits):
        query = np.full(padded, value, dtype=np.int8)
        np.testing.assert_array_equal(
            dot(level, bits, codes, query), expected_dot(bits, codes, query)
        )


@each_level
@each_size
def test_rotations_equal_scalar(level: str, size: int, rng: np.random.Generator) -> None:
    padded = _native.padded_size(size)
    signs = rng.choice(np.array([-1, 1], dtype=np.float32), (4, padded))
    start = rng.standard_normal(padded).astype(np.float32)
    for inverse in (False, True):
        by_level, by_scalar = start.copy(), start.copy()
        _native_test.rotate(level, by_level, signs, inverse)
        _native_test.rotate("scalar", by_scalar, signs, inverse)
        assert by_level.tobytes() == by_scalar.tobytes()


@each_level
@each_bits
@each_size
def test_codes_equal_scalar(level: str, bits: int, size: int, rng: np.random.Generator) -> None:
    padded = _native.padded_size(size)
    residuals = rng.standard_normal((6, padded)).astype(np.float32)
    residuals[1] = 0  # a row equal to its centroid
    residuals[2] *= 1e-20
    residuals[3] *= 1e15
    residuals[4] = np.float32(1.0)  # one magnitude: every grid point ties
    for residual in residuals:
        made = []
        for name in (level, "scalar"):
            code = np.empty(layout.code_bytes(padded, bits), dtype=np.uint8)
            factors = _native_test.encode(name, residual, bits, 2.0, code)
            made.append((np.array(factors, dtype=np.float64).tobytes(), code.tobytes()))
        assert made[0] == made[1]


def test_a_row_without_residual_has_no_factors() -> None:
    for bits in BITS:
        code = np.full(layout.code_bytes(64, bits), 9, dtype=np.uint8)
        zeros = np.zeros(64, dtype=np.float32)
        assert _native_test.encode("scalar", zeros, bits, 2.0, code) == (0.0, 0.0, 0.0)
        assert not code.any()


def kept_rows(vector: NDArray[np.float32], bits: NDArray[np.uint16]) -> list[NDArray[np.uint8]]:
    """Return one row of each type, as bytes: float32, float16 and int8 behind its scale."""
    scaled = np.clip(np.rint(vector * 20), -128, 127).astype(np.int8)
    scale = np.array([0.05], dtype=np.float32)
    return [
        vector.view(np.uint8),
        bits.view(np.uint8),
        np.concatenate([scale.view(np.uint8), scaled.view(np.uint8)]),
    ]


@each_level
@each_size
def test_distances_equal_scalar(level: str, size: int, rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((2, size)).astype(np.float32)
    halves = rng.integers(0, 65_536, size, dtype=np.uint16) & np.uint16(
        0xBFFF
    )  # finite, also subnormal
    for kind, row in enumerate(kept_rows(b, halves)):
        for metric in METRICS:
            by_level = _native_test.distance(level, metric, kind, a, row)
            by_scalar = _native_test.distance("scalar", metric, kind, a, row)
            assert np.float32(by_level).tobytes() == np.float32(by_scalar).tobytes()


@each_size
def test_distances_are_right(size: int, rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((2, size)).astype(np.float32)
    rows = kept_rows(b, b.astype(np.float16).view(np.uint16))
    decoded = [b, b.astype(np.float16), rows[2][4:].view(np.int8) * np.float32(0.05)]
    for kind, (row, values) in enumerate(zip(rows, decoded, strict=True)):
        wide, other = a.astype(np.float64), values.astype(np.float64)
        expected = [-wide @ other, ((wide - other) ** 2).sum(), np.abs(wide - other).sum()]
        for metric, value in zip(METRICS, expected, strict=True):
            found = _native_test.distance("scalar", metric, kind, a, row)
            assert found == pytest.approx(value, rel=1e-5, abs=1e-5 * size**0.5)


@each_level
@each_size
def test_sums_and_products_of_rows_are_in_order(
    level: str, size: int, rng: np.random.Generator
) -> None:
    rows = rng.standard_normal((14, size)).astype(np.float32)
    panel = rng.integers(-20, 21, (size, 16)).astype(np.float32)
    for n in range(14):
        products = np.full((n, 19), 7, dtype=np.float32)
        _native_test.multiply(level, rows[:n].copy(), panel, products)
        expected = np.zeros((n, 16), dtype=np.float32)
        for i in range(size):
            expected += rows[:n, i, None] * panel[i]
        assert products[:, :16].tobytes() == expected.tobytes()
        assert (products[:, 16:] == 7).all()
        which = rng.integers(0, 14, n, dtype=np.uint32)
        found, total = np.full(size, 7, dtype=np.float32), np.zeros(size, dtype=np.float32)
        _native_test.sum_rows(level, rows, which, found)
        for row in which:
            total += rows[row]
        assert found.tobytes() == total.tobytes()


def test_every_half_widens_exactly() -> None:
    one = np.ones(1, dtype=np.float32)
    for level in LEVELS:
        for bits in range(0, 65_536, 7):
            half = np.array([bits], dtype=np.uint16)
            value = float(half.view(np.float16)[0])
            if np.isfinite(value):
                found = _native_test.distance(level, "inner_product", 1, one, half.view(np.uint8))
                assert found == -value


def test_an_unknown_level_is_named() -> None:
    with pytest.raises(ValueError, match="no such kernel level on this machine: mmx"):
        _native_test.rotate("mmx", np.zeros(64, np.float32), np.ones((4, 64), np.float32), False)


@pytest.mark.parametrize(
    ("codes", "query", "padded", "out"),
    [
        ((2, 31), 64, 64, 2),  # code length
        ((2, 32), 63, 64, 2),  # query length
        ((2, 32), 64, 64, 1),  # output length
        ((2, 25), 50, 50, 2),  # not whole blocks
    ],
)
def test_shapes_are_checked(codes: tuple[int, int], query: int, padded: int, out: int) -> None:
    with pytest.raises(ValueError, match="length"):
        _native_test.dot(
            "scalar",
            4,
            np.zeros(codes, np.uint8),
            np.zeros(query, np.uint8),
            padded,
            np.zeros(out, np.int32),
        )
