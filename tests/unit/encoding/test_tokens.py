"""Codes of tokens within their bound, and MaxSim over codes and originals against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import _native_test
from palimpsest.index.config.multi import DEFAULT_TOKEN_BITS, TOKEN_BITS
from palimpsest.index.encoding.rotation import draw_signs
from palimpsest.index.encoding.tokens import (
    ExactMaxSim,
    MaxSim,
    TokenEncoder,
)
from palimpsest.index.types import Distance, Vectors
from tests import codes as layout
from tests.maxsim import clustered, max_sims, similarities, starts_of

SIZE = 128
# Relative errors |v' - v| / |v| of Gaussian directions (design table, sqrt(1 - rho^2) / rho).
ERRORS = {8: 0.0073, 4: 0.107, 2: 0.368}
AGREEMENT = {8: 0.94, 4: 0.77, 2: 0.47}  # of top tens among many near ties; by chance .025
DEVIATIONS = 1.9

each_bits = pytest.mark.parametrize("bits", TOKEN_BITS)
each_distance = pytest.mark.parametrize("distance", list(Distance))


def every(starts: np.ndarray) -> np.ndarray:
    return np.arange(len(starts) - 1, dtype=np.uint32)


def query_rounding(query: Vectors, encoder: TokenEncoder, values: Vectors) -> float:
    """Return how far rounding the query to int8 can move MaxSim over decoded ``values``."""
    padded = encoder.signs.shape[1]
    bound = 0.0
    longest = float(np.linalg.norm(values.astype(np.float64), axis=1).max(initial=0))
    for token in query:
        rotated = np.zeros(padded, dtype=np.float32)
        rotated[: len(token)] = token
        _native_test.rotate("scalar", rotated, encoder.signs.astype(np.float32), False)
        bound += float(np.abs(rotated).max()) / 127 / 2 * np.sqrt(padded) * longest
    return bound


def test_bytes_of_a_token_at_the_default() -> None:
    assert TokenEncoder(SIZE).row_bytes == 68
    assert [TokenEncoder(SIZE, bits).row_bytes for bits in TOKEN_BITS] == [132, 68, 36]
    assert TokenEncoder(SIZE).bits == DEFAULT_TOKEN_BITS == 4


@each_bits
def test_decoded_vectors_are_what_the_layout_says(bits: int, rng: np.random.Generator) -> None:
    values = rng.standard_normal((20, 100)).astype(np.float32)
    encoder = TokenEncoder(100, bits)
    rows = encoder.encode(values)
    factors = np.ascontiguousarray(rows[:, -4:]).view(np.float32)
    rotated = (2 * factors * layout.centred(rows[:, :-4], bits)).astype(np.float32)
    signs = encoder.signs.astype(np.float32)
    for row in rotated:
        _native_test.rotate("scalar", row, signs, True)
    np.testing.assert_allclose(encoder.decode(rows), rotated[:, :100], rtol=1e-5, atol=1e-6)


@each_bits
def test_errors_are_orthogonal_and_as_large_as_stated(bits: int, rng: np.random.Generator) -> None:
    values = rng.standard_normal((500, SIZE)).astype(np.float32)
    encoder = TokenEncoder(SIZE, bits)
    rows, stated = encoder.encode_with_errors(values)
    error = (encoder.decode(rows) - values).astype(np.float64)
    lengths = np.linalg.norm(values, axis=1)
    sizes = np.linalg.norm(error, axis=1)
    assert np.abs(np.einsum("ij,ij->i", error, values) / lengths**2).max() < 1e-5
    # float32 makes 1 - rho^2 of 8 bits inexact
    np.testing.assert_allclose(stated, DEVIATIONS * sizes / np.sqrt(SIZE - 1), rtol=0.02)
    assert np.median(sizes / lengths) < 1.02 * ERRORS[bits]
    queries = rng.standard_normal((200, SIZE))
    queries /= np.linalg.norm(queries, axis=1)[:, None]
    off = np.abs(queries @ error.T)
    assert (off <= sizes).all()
    assert 0.92 < (off <= stated).mean() < 0.97


@each_bits
def test_max_sim_is_off_by_no_more_than_its_bound(bits: int, rng: np.random.Generator) -> None:
    for size in (8, 64, 100):
        values = clustered(300, size, rng)
        starts = starts_of([0, 1, 2, 62, 0, 235])
        query = clustered(19, size, rng)
        encoder = TokenEncoder(size, bits)
        rows = encoder.encode(values)
        found = MaxSim(encoder).scores(query, rows, starts, every(starts))
        decoded = encoder.decode(rows)
        sizes = np.linalg.norm(decoded - values, axis=1)
        rounding = query_rounding(query, encoder, decoded)
        by_codes = max_sims(query, decoded, starts, Distance.DOT)
        exact = max_sims(query, values, starts, Distance.DOT)
        for place, (first, last) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
            if first == last:
                assert found[place] == -np.inf
                continue
            assert abs(found[place] - by_codes[place]) <= rounding
            bound = len(query) * sizes[first:last].max() + rounding
            assert abs(found[place] - exact[place]) <= bound


@each_bits
def test_top_tens_are_nearly_those_of_exact_max_sim(bits: int) -> None:
    rng = np.random.default_rng(3)
    starts = starts_of(rng.integers(2, 30, 400))
    values, encoder = clustered(int(starts[-1]), SIZE, rng), TokenEncoder(SIZE, bits)
    rows = encoder.encode(values)
    shared = []
    for _ in range(20):
        query = clustered(17, SIZE, rng)
        found = MaxSim(encoder).scores(query, rows, starts, every(starts))
        exact = max_sims(query, values, starts, Distance.COSINE)
        shared.append(len({*np.argsort(-found)[:10]} & {*np.argsort(-exact)[:10]}) / 10)
    assert np.mean(shared) >= AGREEMENT[bits]


@each_bits
def test_scores_follow_the_candidates_that_are_asked_for(
    bits: int, rng: np.random.Generator
) -> None:
    starts = starts_of(rng.integers(0, 9, 30))
    encoder = TokenEncoder(SIZE, bits)
    rows = encoder.encode(clustered(int(starts[-1]), SIZE, rng))
    query = clustered(33, SIZE, rng)
    of_all = MaxSim(encoder).scores(query, rows, starts, every(starts))
    some = np.array([29, 3, 3, 0], dtype=np.uint32)
    np.testing.assert_array_equal(MaxSim(encoder).scores(query, rows, starts, some), of_all[some])
    assert MaxSim(encoder).scores(query, rows, starts, some[:0]).shape == (0,)


@each_bits
@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e18])
def test_lengths_change_nothing_but_the_scale(bits: int, scale: float) -> None:
    rng = np.random.default_rng(8)
    values, starts = clustered(90, SIZE, rng), starts_of([40, 50])
    query = clustered(5, SIZE, rng)
    encoder = TokenEncoder(SIZE, bits)
    plain = MaxSim(encoder).scores(query, encoder.encode(values), starts, every(starts))
    long = (values * scale).astype(np.float32)
    by_rows = MaxSim(encoder).scores(query, encoder.encode(long), starts, every(starts))
    np.testing.assert_allclose(by_rows / scale, plain, rtol=0.02)
    asked = (query * scale).astype(np.float32)
    by_query = MaxSim(encoder).scores(asked, encoder.encode(values), starts, every(starts))
    np.testing.assert_allclose(by_query / scale, plain, rtol=0.02)


@each_bits
def test_sums_beyond_float32_stay_finite(bits: int) -> None:
    values = np.full((2, 4), 1e18, dtype=np.float32)
    values[1] *= -1
    encoder, starts = TokenEncoder(4, bits), starts_of([1, 1])
    query = np.full((4_096, 4), 1e18, dtype=np.float32)
    scores = MaxSim(encoder).scores(query, encoder.encode(values), starts, every(starts))
    assert np.isfinite(scores).all() and scores[0] > scores[1]
    distances = ExactMaxSim(Distance.EUCLID).distances(query, values, starts, every(starts))
    np.testing.assert_allclose(distances, [0, 4e18 * np.sqrt(4_096)], rtol=1e-6)


@each_bits
def test_zero_vectors_score_zero(bits: int) -> None:
    encoder, starts = TokenEncoder(SIZE, bits), starts_of([3, 1])
    values = np.zeros((4, SIZE), dtype=np.float32)
    values[3, 0] = -1
    rows = encoder.encode(values)
    np.testing.assert_array_equal(encoder.decode(rows)[:3], values[:3])
    zeros, ones = np.zeros((2, SIZE), dtype=np.float32), np.ones((2, SIZE), dtype=np.float32)
    scores = MaxSim(encoder)
    np.testing.assert_array_equal(scores.scores(zeros, rows, starts, every(starts)), [0, 0])
    assert scores.scores(ones, rows, starts, every(starts))[0] == 0
    assert scores.scores(ones[:0], rows, starts, every(starts)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("tokens", "vectors", "size"), [(4_096, 3, 8), (3, 4_096, 8), (1, 2, 65_536)]
)
def test_the_largest_sets_and_sizes(tokens: int, vectors: int, size: int) -> None:
    rng = np.random.default_rng(2)
    query = rng.standard_normal((tokens, size)).astype(np.float32)
    values = rng.standard_normal((vectors, size)).astype(np.float32)
    starts = starts_of([vectors])
    exact = max_sims(query, values, starts, Distance.DOT)
    lengths = float(np.linalg.norm(query, axis=1).sum() * np.linalg.norm(values, axis=1).max())
    for distance in Distance:
        found = ExactMaxSim(distance).scores(query, values, starts, every(starts))
        right = max_sims(query, values, starts, distance)
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-6 * lengths)
    for bits in TOKEN_BITS:
        encoder = TokenEncoder(size, bits)
        found = MaxSim(encoder).scores(query, encoder.encode(values), starts, every(starts))
        assert abs(found - exact)[0] <= 1.5 * ERRORS[bits] * lengths


@each_distance
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("size", [1, 33, 128])
def test_exact_scores_and_distances(
    distance: Distance, dtype: type, size: int, rng: np.random.Generator
) -> None:
    starts = starts_of(rng.integers(0, 9, 40))
    values = rng.standard_normal((int(starts[-1]), size)).astype(dtype)
    query = rng.standard_normal((21, size)).astype(np.float32)
    exact = ExactMaxSim(distance)
    right = max_sims(query, values, starts, distance)
    found = exact.scores(query, values, starts, every(starts))
    np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-4)
    distances = np.sqrt(-right) if distance is Distance.EUCLID else -right
    found_distances = exact.distances(query, values, starts, every(starts))
    assert found_distances.dtype == np.float32
    np.testing.assert_allclose(found_distances, distances, rtol=1e-5, atol=1e-4)


@each_distance
def test_exact_parts_are_the_best_vectors(distance: Distance, rng: np.random.Generator) -> None:
    starts = starts_of([4, 0, 25])
    values = rng.standard_normal((29, 40)).astype(np.float32)
    query = rng.standard_normal((35, 40)).astype(np.float32)
    exact = ExactMaxSim(distance)
    for row in (0, 2):
        first, last = starts[row], starts[row + 1]
        right = similarities(query, values[first:last], distance)
        parts = exact.parts(query, values, starts, row)
        np.testing.assert_array_equal(parts.best, right.argmax(axis=1))
        distances = -right.max(axis=1)
        if distance is Distance.EUCLID:
            distances = np.sqrt(distances)
        np.testing.assert_allclose(parts.distances, distances, rtol=1e-5)
        assert parts.whole == right.sum(axis=0).argmax()


@each_bits
def test_parts_of_codes_add_up_to_the_score(bits: int, rng: np.random.Generator) -> None:
    starts = starts_of([7, 20])
    values, query = clustered(27, SIZE, rng), clustered(37, SIZE, rng)
    encoder = TokenEncoder(SIZE, bits)
    rows = encoder.encode(values)
    parts = MaxSim(encoder).parts(query, rows, starts, 1)
    (score,) = MaxSim(encoder).scores(query, rows, starts, np.array([1], dtype=np.uint32))
    assert -parts.distances.sum(dtype=np.float64) == pytest.approx(score, rel=1e-6)
    decoded = similarities(query, encoder.decode(rows)[7:], Distance.DOT)
    chosen = decoded[np.arange(37), parts.best]
    assert (decoded.max(axis=1) - chosen).max() < 0.02  # rounding of the query alone
    assert decoded.sum(axis=0).max() - decoded.sum(axis=0)[parts.whole] < 0.2


def test_the_first_of_equal_parts_is_named() -> None:
    values = np.tile(clustered(1, SIZE, np.random.default_rng(1)), (9, 1))
    query, starts, encoder = values[:3], starts_of([9]), TokenEncoder(SIZE)
    for parts in (
        MaxSim(encoder).parts(query, encoder.encode(values), starts, 0),
        ExactMaxSim(Distance.EUCLID).parts(query, values, starts, 0),
    ):
        assert parts.best.tolist() == [0, 0, 0] and parts.whole == 0


def test_codes_are_those_of_the_signs_that_are_given(rng: np.random.Generator) -> None:
    values = clustered(10, SIZE, rng)
    own = TokenEncoder(SIZE)
    again = TokenEncoder(SIZE, signs=own.signs)
    other = TokenEncoder(SIZE, signs=draw_signs(SIZE, 1))
    assert again.encode(values).tobytes() == own.encode(values).tobytes()
    assert other.encode(values).tobytes() != own.encode(values).tobytes()


def test_what_does_not_fit_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="2, 4 or 8"):
        TokenEncoder(8, 1)
    with pytest.raises(ValueError, match="at most 65,536"):
        TokenEncoder(65_537)
    with pytest.raises(ValueError, match="signs"):
        TokenEncoder(8, signs=draw_signs(65, 0))
    encoder, starts = TokenEncoder(8), starts_of([2, 0, 3])
    values = rng.standard_normal((5, 8)).astype(np.float32)
    rows, some = encoder.encode(values), every(starts)
    by_codes, exact = MaxSim(encoder), ExactMaxSim(Distance.DOT)
    with pytest.raises(ValueError, match="wrong length"):
        encoder.encode(values[:, :7])
    for query, codes, bounds, wanted, says in (
        (values[:, :7], rows, starts, some, "query tokens"),
        (values, rows[:, :-1], starts, some, "rows have the wrong length"),
        (values, rows[:-1], starts, some, "outside the rows"),
        (values, rows, starts[::-1], some, "outside the rows"),
        (values, rows, starts, some + 1, "no such set"),
        (values, rows, starts[:0], some, "no such set"),
    ):
        with pytest.raises(ValueError, match=says):
            by_codes.scores(query, codes, bounds, wanted)
    with pytest.raises(ValueError, match="rows have the wrong length"):
        exact.scores(values[:, :7], values, starts, some)
    with pytest.raises(ValueError, match="float32 or float16"):
        exact.scores(values, values.astype(np.float64), starts, some)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no vectors"):
        by_codes.parts(values, rows, starts, 1)
    with pytest.raises(ValueError, match="no such set"):
        exact.parts(values, values, starts, 3)
