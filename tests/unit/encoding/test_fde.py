"""Fixed dimensional encodings against their plain twin, and against what the theory says."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.config.fde import FdeConfig
from palimpsest.index.encoding.fde import FdeEncoder
from palimpsest.index.errors import InvalidConfig, StorageError
from palimpsest.index.types import Vectors
from tests.fde import encoding, max_sim, starts_of
from tests.oracle import normalise

SHAPES = [
    # size, k_sim, projected, repetitions, final
    (128, 5, 16, 20, 0),
    (128, 4, 16, 10, 0),
    (96, 3, 128, 7, 0),  # kept as they are
    (7, 6, 3, 5, 0),
    (33, 0, 17, 3, 0),  # one partition
    (33, 8, 1, 2, 0),
    (1, 1, 1, 1, 0),
    (40, 5, 16, 9, 500),
    (16, 4, 16, 3, 1),
]
# final, projected, what the matrices and what encodings begin with as SHA-256
GOLDEN = [
    (0, 8, ("8abb845870d37118", "10943a57c537815e")),
    (0, 20, ("6ab613772b628b05", "6cd9f55b1bf46cc8")),
    (100, 8, ("df9e04942bf1fc3d", "e32bac98ee5c7828")),
]
each_shape = pytest.mark.parametrize(
    "shape", SHAPES, ids=lambda shape: "-".join(str(number) for number in shape)
)


def encoder_of(shape: tuple[int, int, int, int, int], seed: int = 5) -> FdeEncoder:
    size, k_sim, projected, repetitions, final = shape
    return FdeEncoder.make(size, FdeConfig(k_sim, projected, repetitions, final, seed))


def tokens_of(count: int, size: int, seed: int) -> Vectors:
    drawn = np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)
    return normalise(drawn)


def clustered(count: int, size: int, rng: np.random.Generator, topics: Vectors) -> Vectors:
    """Return tokens near topics, as those of real texts are near each other."""
    near = topics[rng.integers(0, len(topics), count)]
    noise = rng.standard_normal((count, size)) * 0.5 / np.sqrt(size)
    return normalise((near + noise).astype(np.float32))


def agree(found: NDArray[np.float32], expected: NDArray[np.float64], largest: float = 0) -> None:
    """Hold each value to the rounding of the sums that it is made of."""
    near = 2e-6 * max(largest, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=near)


@each_shape
def test_it_agrees_with_its_twin(shape: tuple[int, int, int, int, int]) -> None:
    encoder, lengths = encoder_of(shape), [1, 2, 6, 7, 40, 1, 300]
    largest = float(shape[-1] > 0)  # what is added at one place may be nothing, but for rounding
    tokens = tokens_of(sum(lengths), shape[0], 1)
    starts = starts_of(lengths)
    found = encoder.documents(tokens, starts)
    assert found.shape == (len(lengths), encoder.size)
    for row, (start, end) in enumerate(zip(starts, starts[1:], strict=False)):
        some = tokens[start:end]
        agree(found[row], encoding(encoder, some, "document"), largest)
        agree(encoder.query(some), encoding(encoder, some, "query"), largest)


def odd_sets(size: int) -> dict[str, Vectors]:
    one = tokens_of(1, size, 2)
    return {
        "zeros": np.zeros((3, size), np.float32),
        "copies": np.repeat(one, 50, axis=0),
        "opposites": np.concatenate([one, -one]),
        "huge": tokens_of(9, size, 3) * np.float32(1e18),
        "tiny": tokens_of(9, size, 4) * np.float32(1e-18),
        "mixed lengths": tokens_of(9, size, 5) * np.logspace(-9, 9, 9, dtype=np.float32)[:, None],
        "tight": one + tokens_of(30, size, 6) * np.float32(1e-6),
    }


@pytest.mark.parametrize("name", odd_sets(1))
def test_odd_sets_agree_too(name: str) -> None:
    encoder, tokens = encoder_of((24, 4, 8, 6, 0)), odd_sets(24)[name]
    found = encoder.documents(tokens, starts_of([len(tokens)]))[0]
    agree(found, encoding(encoder, tokens, "document"))
    agree(encoder.query(tokens), encoding(encoder, tokens, "query"))


def test_as_many_tokens_as_a_point_may_have() -> None:
    encoder, tokens = encoder_of((16, 5, 8, 4, 0)), tokens_of(4_096, 16, 7)
    found = encoder.documents(tokens, starts_of([4_096]))[0]
    agree(found, encoding(encoder, tokens, "document"))


def test_no_sets_no_tokens_and_tokens_of_none() -> None:
    encoder, tokens = encoder_of((24, 4, 8, 6, 0)), tokens_of(5, 24, 8)
    assert encoder.documents(tokens, starts_of([])).shape == (0, encoder.size)
    found = encoder.documents(tokens, np.array([1, 1, 3]))
    assert not found[0].any()
    np.testing.assert_array_equal(found[1], encoder.documents(tokens[1:3], starts_of([2]))[0])
    assert not encoder.query(tokens[:0]).any()


def test_a_set_does_not_depend_on_those_beside_it() -> None:
    encoder, lengths = encoder_of((24, 4, 8, 6, 100)), [300, 1, 17, 3]
    tokens, starts = tokens_of(321, 24, 9), starts_of(lengths)
    together = encoder.documents(tokens, starts)
    for row in range(len(lengths)):
        part = tokens[starts[row] : starts[row + 1]]
        np.testing.assert_array_equal(
            together[row], encoder.documents(part, starts_of([len(part)]))[0]
        )


# --- what the theory says ---


def test_one_token_against_one_token_is_their_product() -> None:
    encoder = encoder_of((48, 4, 48, 11, 0))
    for seed in range(20):
        query, document = tokens_of(2, 48, seed)
        found = encoder.query(query[None]) @ encoder.documents(document[None], starts_of([1]))[0]
        assert found == pytest.approx(float(query @ document), abs=1e-6)


def test_blocks_of_a_query_are_never_filled() -> None:
    encoder = encoder_of((48, 5, 8, 6, 0))
    blocks = encoder.query(tokens_of(3, 48, 1)).reshape(6, 32, 8)
    filled = blocks.any(axis=2).sum(axis=1)
    assert (filled >= 1).all() and (filled <= 3).all()


def test_a_document_of_one_token_fills_every_block() -> None:
    encoder = encoder_of((48, 5, 8, 6, 0))
    blocks = encoder.documents(tokens_of(1, 48, 1), starts_of([1]))[0].reshape(6, 32, 8)
    assert blocks.any(axis=2).all()
    np.testing.assert_array_equal(blocks, np.broadcast_to(blocks[:, :1], blocks.shape))


def test_one_partition_kept_whole_is_the_direction_of_the_mean_and_the_sum() -> None:
    encoder, tokens = encoder_of((48, 0, 48, 1, 0)), tokens_of(20, 48, 1)
    found = encoder.documents(tokens, starts_of([20]))[0]
    np.testing.assert_allclose(found, normalise(tokens.mean(axis=0)), atol=1e-6)
    np.testing.assert_allclose(encoder.query(tokens), tokens.sum(axis=0), atol=1e-5)


def test_means_are_as_long_as_their_tokens() -> None:
    encoder, lengths = encoder_of((48, 2, 48, 5, 0)), np.linspace(0.5, 2, 40)
    tokens = tokens_of(40, 48, 1) * lengths[:, None].astype(np.float32)
    found = encoder.documents(tokens, starts_of([40])).reshape(5, 4, 48) * 5
    blocks = (found + found.mean(axis=1, keepdims=True)) / 2  # not moved from their mean
    signs = np.einsum("rkd,td->trk", encoder.matrices["hyperplanes"], tokens) > 0
    partitions = signs @ np.array([1, 2])
    for repetition, block in np.ndindex(5, 4):
        inside = lengths[partitions[:, repetition] == block]
        length = np.linalg.norm(blocks[repetition, block])
        assert length == pytest.approx(inside.mean(), rel=1e-5)


def spread(repetitions: int) -> float:
    """Return the variance over seeds of the product of two sets."""
    rng, topics = np.random.default_rng(3), tokens_of(6, 32, 1)
    query, document = clustered(8, 32, rng, topics), clustered(30, 32, rng, topics)
    products = []
    for seed in range(200):
        encoder = encoder_of((32, 3, 4, repetitions, 0), seed)
        found = encoder.documents(document, starts_of([len(document)]))[0]
        products.append(float(encoder.query(query) @ found))
    return float(np.var(products))


def test_variance_over_seeds_falls_as_one_over_the_repetitions() -> None:
    once = spread(2)
    assert 3 < once / spread(8) < 5.5
    assert 11 < once / spread(32) < 23


def agreement(k_sim: int, projected: int, repetitions: int, final: int = 0) -> float:
    """Return the share of the best ten of MaxSim among the best twenty of encodings."""
    rng, topics = np.random.default_rng(4), tokens_of(60, 64, 2)
    of_document = [topics[rng.choice(60, 6, replace=False)] for _ in range(150)]
    documents = [clustered(30, 64, rng, own) for own in of_document]
    queries = [clustered(12, 64, rng, topics[rng.choice(60, 4, replace=False)]) for _ in range(30)]
    shares = []
    for seed in range(3):
        encoder = encoder_of((64, k_sim, projected, repetitions, final), seed)
        rows = encoder.documents(np.concatenate(documents), starts_of([30] * 150))
        for query in queries:
            truth = np.argsort([-max_sim(query, one) for one in documents])[:10]
            found = np.argsort(-(rows @ encoder.query(query)))[:20]
            shares.append(np.isin(truth, found).mean())
    return float(np.mean(shares))


def test_agreement_with_max_sim_rises_with_each_parameter() -> None:
    whole = agreement(4, 32, 16)
    assert whole > agreement(1, 32, 16) + 0.02
    assert whole > agreement(4, 2, 16) + 0.02
    assert whole > agreement(4, 32, 1) + 0.02
    assert whole > 0.8


def test_a_final_projection_keeps_most_of_it() -> None:
    assert agreement(4, 64, 16, final=2_048) > agreement(4, 64, 16) - 0.05


def test_the_final_projection_keeps_products_in_the_mean() -> None:
    query, document = tokens_of(6, 16, 1), tokens_of(20, 16, 2)
    errors = []
    for seed in range(300):
        config = FdeConfig(2, 16, 4, seed=seed)
        products = []
        for final in (0, 50):
            encoder = FdeEncoder.make(16, FdeConfig(**{**config.to_json(), "final": final}))
            found = encoder.documents(document, starts_of([20]))[0]
            products.append(float(encoder.query(query) @ found))
        errors.append(products[1] - products[0])
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(len(errors))


# --- the same for ever ---


def test_another_seed_is_another_encoder() -> None:
    tokens, shape = tokens_of(9, 24, 1), (24, 4, 8, 6, 0)
    first, other = (encoder_of(shape, seed).query(tokens) for seed in (1, 2))
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.3


def test_it_comes_back_from_what_it_stores() -> None:
    encoder, tokens = encoder_of((24, 4, 8, 6, 100)), tokens_of(9, 24, 1)
    again = FdeEncoder.from_json(encoder.to_json())
    assert again.config == encoder.config and again.size == encoder.size
    np.testing.assert_array_equal(again.query(tokens), encoder.query(tokens))


def test_other_matrices_than_those_of_that_time_are_refused() -> None:
    stored = {**encoder_of((24, 4, 8, 6, 0)).to_json(), "digest": "00"}
    with pytest.raises(StorageError, match="digest .*, expected 00"):
        FdeEncoder.from_json(stored)


def test_too_many_dimensions_are_refused() -> None:
    with pytest.raises(InvalidConfig, match="choose"):
        FdeEncoder.make(128, FdeConfig(8, 128, 20))


@pytest.mark.parametrize(
    ("values", "starts", "says"),
    [
        ((5, 23), [0, 5], "values have the wrong length"),
        ((5, 24), [], "starts must not be empty"),
        ((5, 24), [0, 6], "outside"),
        ((5, 24), [-1, 5], "outside"),
        ((5, 24), [0, 3, 2, 5], "ascend"),
    ],
)
def test_what_does_not_fit_is_refused(
    values: tuple[int, int], starts: list[int], says: str
) -> None:
    native = encoder_of((24, 4, 8, 6, 0)).native
    out = np.zeros((max(len(starts) - 1, 0), 768), np.float32)
    with pytest.raises(ValueError, match=says):
        native.documents(np.zeros(values, np.float32), np.array(starts, np.int64), out)


@pytest.mark.parametrize(
    ("hyperplanes", "signs", "places", "says"),
    [
        ((0, 4, 24), (0, 8, 24), 0, "hyperplanes"),
        ((6, 4, 24), (5, 8, 24), 0, "signs have"),
        ((6, 4, 24), (6, 24, 24), 0, "fewer rows"),
        ((6, 4, 24), (6, 8, 24), 7, "places"),
    ],
)
def test_matrices_that_do_not_fit_are_refused(
    hyperplanes: tuple[int, int, int], signs: tuple[int, int, int], places: int, says: str
) -> None:
    arrays = [np.zeros(hyperplanes, np.int8), np.zeros(signs, np.int8)]
    with pytest.raises(ValueError, match=says):
        _native.FdeEncoder(0, *arrays, np.zeros(places, np.uint32), np.zeros(places, np.int8))


def golden_tokens() -> Vectors:
    """Return tokens that no generator of numpy has a part in."""
    return (
        ((np.arange(40 * 20, dtype=np.int64) * 7_919 % 2_003 - 1_001) / 1_024)
        .astype(np.float32)
        .reshape(40, 20)
    )


@pytest.mark.parametrize(("final", "projected", "digests"), GOLDEN)
def test_an_encoder_of_a_seed_is_the_same_for_ever(
    final: int, projected: int, digests: tuple[str, str]
) -> None:
    """Stored rows mean something else where this fails: nothing may change what is drawn."""
    encoder = FdeEncoder.make(20, FdeConfig(4, projected, 6, final, seed=2_026))
    tokens = golden_tokens()
    documents = encoder.documents(tokens, starts_of([30, 1, 9]))
    encodings = np.concatenate([documents.ravel(), encoder.query(tokens[:7])]).astype("<f4")
    assert (encoder.digest[:16], hashlib.sha256(encodings.tobytes()).hexdigest()[:16]) == digests
