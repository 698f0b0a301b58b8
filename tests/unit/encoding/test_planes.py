"""The estimator against its theory (RaBitQ, arXiv 2405.12497 and 2409.09913), and decoding.

The standard deviation of an estimate is ``|o - c| |q - c| sqrt(1 - rho^2) / rho / sqrt(D' - 1)``,
rho the cosine between a row and its code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index import _native, _native_test
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.encoding.rotation import draw_signs
from palimpsest.index.types import Distance, Vector, Vectors
from tests import codes as layout

BITS = (1, 2, 4, 8)
SIZE = 768
ROWS, QUERIES = 500, 12
RHO = {1: 0.799, 2: 0.9385, 4: 0.9943, 8: 0.99997}  # of Gaussian directions (design table)
DEVIATIONS = 1.9  # half-width of the stated interval

each_bits = pytest.mark.parametrize("bits", BITS)
each_distance = pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLID])


def gaussian(n: int, size: int, seed: int) -> Vectors:
    return np.random.default_rng(seed).standard_normal((n, size)).astype(np.float32)


def encoder_at(centroid: Vector, distance: Distance, bits: int, seed: int) -> Encoder:
    return Encoder(distance, bits, centroid, draw_signs(len(centroid), seed), 0.0)


def true_distances(query: Vector, vectors: Vectors, distance: Distance) -> NDArray[np.float64]:
    """Return what ``estimate`` estimates: minus products, or squared lengths."""
    wide, q = vectors.astype(np.float64), query.astype(np.float64)
    if distance is Distance.DOT:
        return -(wide @ q)
    differences = wide - q
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", differences, differences)
    return squares


def rotated(vectors: Vectors, encoder: Encoder) -> Vectors:
    """Return P(v - c), (n, D')."""
    arrays = encoder.arrays()
    out = np.zeros((len(vectors), arrays["signs"].shape[1]), dtype=np.float32)
    out[:, : encoder.size] = vectors - arrays["centroid"]
    for row in out:
        _native_test.rotate("scalar", row, arrays["signs"].astype(np.float32), False)
    return out


def cosines(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    a, b = a.astype(np.float64), b.astype(np.float64)
    products = np.einsum("ij,ij->i", a, b, dtype=np.float64)
    found: NDArray[np.float64] = products / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return found


@dataclass(frozen=True)
class Estimates:
    """Errors of estimates and the deviations theory gives them, (q, n)."""

    errors: NDArray[np.float64]
    deviations: NDArray[np.float64]
    stated: NDArray[np.float64]  # half-widths
    rho: NDArray[np.float64]  # (n,)
    query_deviations: NDArray[np.float64]  # what rounding the query to 8 bits adds


def estimates(bits: int, distance: Distance, seed: int) -> Estimates:
    vectors, queries = gaussian(ROWS, SIZE, seed), gaussian(QUERIES, SIZE, seed + 1)
    centroid = gaussian(1, SIZE, seed + 2)[0] * np.float32(0.3)
    encoder = encoder_at(centroid, distance, bits, seed)
    rows, halves = encoder.encode_with_errors(vectors)
    turned, turned_queries = rotated(vectors, encoder), rotated(queries, encoder)
    rho = cosines(turned, layout.centred(rows[:, : -layout.FACTOR_BYTES], bits))
    errors = np.stack(
        [encoder.estimate(q, rows) - true_distances(q, vectors, distance) for q in queries]
    )
    scale = 2.0 if distance is Distance.EUCLID else 1.0
    lengths = np.linalg.norm(queries - centroid, axis=1)[:, None].astype(np.float64)
    row_lengths = scale * np.linalg.norm(vectors - centroid, axis=1)[None, :]
    spread = np.sqrt(1 - rho**2) / rho / np.sqrt(SIZE - 1)
    steps = np.abs(turned_queries).max(axis=1)[:, None] / 127
    return Estimates(
        errors,
        lengths * row_lengths * spread,
        lengths * halves,
        rho,
        steps / np.sqrt(12) * row_lengths / rho,
    )


@each_distance
@each_bits
def test_the_estimator_is_unbiased(bits: int, distance: Distance) -> None:
    found = estimates(bits, distance, 11)
    z = found.errors / np.hypot(found.deviations, found.query_deviations)
    assert abs(z.mean()) < 3 / np.sqrt(z.size)


@each_distance
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_its_deviation_is_the_theoretical_one(bits: int, distance: Distance) -> None:
    found = estimates(bits, distance, 12)
    assert (found.errors / found.deviations).std() == pytest.approx(1, rel=0.05)


@each_distance
def test_at_8_bits_rounding_the_query_counts(distance: Distance) -> None:
    found = estimates(8, distance, 13)
    deviations = np.hypot(found.deviations, found.query_deviations)
    assert (found.errors / deviations).std() == pytest.approx(1, rel=0.05)
    assert 0.93 <= (np.abs(found.errors) <= DEVIATIONS * deviations).mean() <= 0.99


@each_distance
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_stated_interval_covers(bits: int, distance: Distance) -> None:
    found = estimates(bits, distance, 14)
    assert 0.93 <= (np.abs(found.errors) <= found.stated).mean() <= 0.99
    np.testing.assert_allclose(found.stated, DEVIATIONS * found.deviations, rtol=0.02)


@each_bits
def test_codes_are_as_close_as_published(bits: int) -> None:
    rho = estimates(bits, Distance.DOT, 15).rho
    assert rho.mean() == pytest.approx(RHO[bits], abs=0.002 if bits < 8 else 2e-5)


@each_distance
@each_bits
def test_it_is_unbiased_over_rotations_of_one_pair(bits: int, distance: Distance) -> None:
    """A row of few dimensions, near its query: only the rotation is random.

    Four bits make a query along the row a little shorter: less than 1 % of the product.
    """
    size, trials = 100, 400
    row = np.zeros((1, size), dtype=np.float32)
    row[0, :3] = 3, -1, 0.5
    query = row[0] + np.float32(0.1)
    centroid = np.full(size, 0.05, dtype=np.float32)
    errors = np.empty(trials)
    for seed in range(trials):
        encoder = encoder_at(centroid, distance, bits, seed)
        found = encoder.estimate(query, encoder.encode(row))
        errors[seed] = found[0] - true_distances(query, row, distance)[0]
    shrunk = 0.01 * float((query - centroid) @ (row[0] - centroid)) if bits == 1 else 0.0
    scale = 2 if distance is Distance.EUCLID else 1
    assert abs(errors.mean()) < 3 * errors.std() / np.sqrt(trials) + scale * shrunk


@each_distance
@each_bits
def test_a_row_at_the_centroid_is_exact(bits: int, distance: Distance) -> None:
    centroid, query = gaussian(2, 40, 16)
    encoder = encoder_at(centroid, distance, bits, 0)
    rows, errors = encoder.encode_with_errors(centroid[None])
    expected = true_distances(query, centroid[None], distance)
    np.testing.assert_allclose(encoder.estimate(query, rows), expected, rtol=1e-5)
    assert errors.tolist() == [0]
    np.testing.assert_allclose(encoder.decode(rows)[0], centroid, atol=1e-6)


@each_distance
def test_a_query_at_the_centroid_is_exact(distance: Distance) -> None:
    vectors = gaussian(20, 40, 17)
    for bits in BITS:
        encoder = encoder_at(vectors[0], distance, bits, 0)
        found = encoder.estimate(vectors[0], encoder.encode(vectors))
        expected = true_distances(vectors[0], vectors, distance)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@each_distance
@each_bits
def test_decoded_rows_are_the_codes_scaled_to_their_row(bits: int, distance: Distance) -> None:
    vectors = gaussian(50, 200, 18)
    encoder = Encoder.fit(vectors, distance, bits, 9)
    rows = encoder.encode(vectors)
    centroid = encoder.arrays()["centroid"]
    residuals, decoded = vectors - centroid, encoder.decode(rows) - centroid
    unpacked = layout.centred(rows[:, : -layout.FACTOR_BYTES], bits)
    # padded dimensions of the code are cut off by decoding, so cosines may only rise
    assert (cosines(residuals, decoded) > cosines(rotated(vectors, encoder), unpacked) - 1e-6).all()
    products = (residuals.astype(np.float64) * decoded).sum(axis=1)
    np.testing.assert_allclose(products, (residuals.astype(np.float64) ** 2).sum(axis=1), rtol=1e-4)


def test_estimates_are_products_with_decoded_rows() -> None:
    vectors, queries = gaussian(50, 128, 19), gaussian(5, 128, 20)
    for bits in (2, 4, 8):
        encoder = encoder_at(np.zeros(128, np.float32), Distance.DOT, bits, 9)
        rows = encoder.encode(vectors)
        for query in queries:
            found = encoder.estimate(query, rows)
            wide = encoder.decode(rows).astype(np.float64) @ query
            rounding = np.abs(rotated(query[None], encoder)).max() / 127 / np.sqrt(12)
            lengths = np.linalg.norm(encoder.decode(rows), axis=1)
            assert (np.abs(found + wide) < 5 * rounding * lengths).all()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_score_from_sign_and_extra_planes_is_the_direct_score(bits: int) -> None:
    """<x_u, q> = 2**(B - 1) <sign plane, q> + <extra planes, q> (2409.09913, section 4)."""
    vectors, query = gaussian(40, 130, 21), gaussian(1, 130, 22)[0]
    encoder = Encoder.fit(vectors, Distance.EUCLID, bits, 4)
    rows = encoder.encode(vectors)
    add, rescale = layout.factors(rows)
    x = layout.unpack(rows[:, : -layout.FACTOR_BYTES], bits)
    sign, extra = x >> bits - 1, x & (1 << bits - 1) - 1
    turned = rotated(query[None], encoder)[0].astype(np.float64)
    step = np.abs(turned).max() / 127
    q = np.trunc(turned / step + np.copysign(0.5, turned)).astype(np.int64)
    nested = (sign @ q << bits - 1) + extra @ q
    np.testing.assert_array_equal(nested, x @ q)
    shifted = step * (nested - (2**bits - 1) / 2 * q.sum())
    scores = add + (turned**2).sum() + rescale * shifted
    np.testing.assert_allclose(scores, encoder.estimate(query, rows), rtol=2e-4)


def test_signs_of_one_bit_codes_are_the_top_bits_of_longer_ones() -> None:
    vectors = gaussian(40, 130, 23)
    signs = [
        layout.unpack(Encoder.fit(vectors, Distance.DOT, bits, 4).encode(vectors)[:, :-8], bits)
        >> bits - 1
        for bits in BITS
    ]
    for other in signs[1:]:
        np.testing.assert_array_equal(signs[0], other)


def test_an_encoder_comes_back_from_what_it_stores() -> None:
    vectors = gaussian(30, 50, 25)
    for bits in BITS:
        encoder = Encoder.fit(vectors, Distance.COSINE, bits, 2)
        again = Encoder.from_json(encoder.to_json(), encoder.arrays())
        np.testing.assert_array_equal(again.encode(vectors), encoder.encode(vectors))
        assert again.error_scale == encoder.error_scale > 0


def test_no_rows_and_one_row() -> None:
    vectors = gaussian(1, 50, 26)
    for bits in BITS:
        encoder = Encoder.fit(vectors, Distance.DOT, bits, 2)
        none = encoder.encode(vectors[:0])
        assert none.shape == (0, encoder.row_bytes)
        assert encoder.decode(none).shape == (0, 50)
        assert encoder.estimate(vectors[0], none).shape == (0,)
        assert encoder.encode(vectors).shape == (1, encoder.row_bytes)


def test_the_segment_interval_covers_most_rows() -> None:
    """One constant a segment times |rescale| stands for every row's own half-width."""
    vectors = gaussian(2_000, 96, 27)
    for bits in BITS:
        encoder = Encoder.fit(vectors, Distance.DOT, bits, 2)
        rows, errors = encoder.encode_with_errors(vectors)
        covered = np.abs(layout.factors(rows)[1]) * np.float32(encoder.error_scale) >= errors
        assert covered.mean() == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(
    ("size", "bits", "metric", "centroid", "signs"),
    [
        (10, 3, "l2", 10, (4, 64)),
        (10, 4, "l1", 10, (4, 64)),
        (10, 4, "cosine", 10, (4, 64)),
        (10, 4, "l2", 9, (4, 64)),
        (10, 4, "l2", 10, (4, 128)),
        (10, 4, "l2", 10, (3, 64)),
        (0, 4, "l2", 0, (4, 0)),
    ],
)
def test_what_does_not_fit_is_refused(
    size: int, bits: int, metric: str, centroid: int, signs: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match="bits|metric|codes estimate|centroid|signs"):
        _native.Encoder(size, bits, metric, np.zeros(centroid, np.float32), np.ones(signs, np.int8))


@pytest.mark.parametrize("exponent", [54, 30, -50])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLID])
def test_codes_do_not_depend_on_the_length(distance: Distance, bits: int, exponent: int) -> None:
    rows = np.random.default_rng(0).standard_normal((20, 300)).astype(np.float32)
    scaled = rows * np.float32(2.0**exponent)
    codes = Encoder.fit(rows, distance, bits, seed=0).encode(rows)
    encoder = Encoder.fit(scaled, distance, bits, seed=0)
    found, errors = encoder.encode_with_errors(scaled)
    np.testing.assert_array_equal(found[:, :-8], codes[:, :-8])
    assert np.isfinite(errors).all()
    assert np.isfinite(encoder.estimate(scaled[0], found)).all()


@pytest.mark.parametrize("bits", [1, 4])
@pytest.mark.parametrize("size", [10_240, 20_480])
def test_as_many_dimensions_as_encodings_of_sets_have(size: int, bits: int) -> None:
    """Most values of a query are 0, and blocks of a row repeat: what rotations have to spread."""
    rng = np.random.default_rng(28)
    rows = np.repeat(gaussian(40, size // 32, 29), 32, axis=1) + gaussian(40, size, 30)
    query = gaussian(1, size, 31)[0] * np.repeat(rng.random(size // 32) < 0.3, 32)
    encoder = Encoder.fit(rows, Distance.DOT, bits, 3)
    codes, errors = encoder.encode_with_errors(rows)
    off = encoder.estimate(query, codes) - true_distances(query, rows, Distance.DOT)
    stated = errors * np.linalg.norm(query - encoder.arrays()["centroid"])
    # a query of 4 bits adds some to what the interval of 1-bit codes covers
    assert (np.abs(off) <= 1.5 * stated).mean() > 0.9
    assert np.abs(off).mean() > 0.1 * stated.mean()
