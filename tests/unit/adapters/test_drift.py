"""Rows of another model and rows on another topic, on real texts where they are at hand."""

from __future__ import annotations

import gzip
import json
from itertools import islice

import numpy as np
import pytest

from palimpsest.index.adapters.drift import (
    REFERENCE,
    WINDOW,
    Moments,
    is_foreign,
    known_by,
    moments_of,
    sigmas,
)
from palimpsest.index.types import Vectors
from tests import evaluation
from tests.oracle import normalise

SIZE = 96
READ = 12_000  # passages, of the evaluation data


def model(seed: int) -> Vectors:
    """Return a model: which of its dimensions say what of 24 subjects."""
    return np.random.default_rng(seed).standard_normal((24, SIZE)).astype(np.float32)


def embedded(space: Vectors, count: int, seed: int, subjects: slice = slice(None)) -> Vectors:
    """Return unit rows of texts on some of the subjects, with a subject that all share."""
    rng = np.random.default_rng(seed)
    texts = np.zeros((count, len(space)), dtype=np.float32)
    texts[:, subjects] = rng.standard_normal(texts[:, subjects].shape)
    texts[:, 0] += 1.0
    return normalise(texts @ space + 0.3 * rng.standard_normal((count, SIZE)).astype(np.float32))


ONE, OTHER = model(1), model(2)
FIRST = embedded(ONE, REFERENCE, 3)


def told(window: Vectors, first: Vectors = FIRST) -> bool | None:
    return is_foreign(moments_of(window), moments_of(first), known_by(first))[0]


def test_rows_of_the_model_and_of_another_one() -> None:
    assert told(embedded(ONE, WINDOW, 4)) is False
    assert told(embedded(OTHER, WINDOW, 4)) is True
    half = np.concatenate([embedded(ONE, REFERENCE, 5, slice(0, 12))])
    assert told(embedded(ONE, WINDOW, 6, slice(12, 24)), half) is False  # another subject


def test_lengths_play_no_part_and_rows_without_a_direction_none() -> None:
    rows = embedded(ONE, WINDOW, 4)
    plain = moments_of(rows)
    lengths = np.float32(10.0) ** np.linspace(-30, 30, WINDOW, dtype=np.float32)
    for other in (
        rows * lengths[:, None],
        np.concatenate([rows, np.zeros((9, SIZE), np.float32), np.full((1, SIZE), np.nan)]),
    ):
        for one, own in zip(moments_of(other.astype(np.float32)), plain, strict=True):
            assert np.allclose(one, own, atol=1e-5)


def test_copies_and_noise_tell_nothing() -> None:
    copies = np.repeat(embedded(OTHER, 2, 4), WINDOW // 2, axis=0)
    assert told(copies) is None
    assert told(np.repeat(embedded(OTHER, 1, 4), WINDOW, axis=0)) is None
    noise = normalise(np.random.default_rng(5).standard_normal((900, SIZE)).astype(np.float32))
    assert told(noise[REFERENCE : REFERENCE + WINDOW], noise[:REFERENCE]) is None
    nothing = np.zeros((WINDOW, SIZE), dtype=np.float32)
    assert told(nothing) is None
    assert told(FIRST[:WINDOW], nothing) is None


def test_signs_at_random_are_as_far_apart_as_chance_has_it(rng: np.random.Generator) -> None:
    """The plain twin: signs that are drawn, in the place of the variance that is known."""
    one, other = moments_of(FIRST), moments_of(embedded(ONE, WINDOW, 4))
    drawn = []
    for _ in range(400):
        signs = rng.choice(np.array([-1, 1], dtype=np.float32), SIZE)
        both = np.outer(signs, signs)
        turned = Moments(other.mean * signs, other.products * both, other.covariances * both)
        drawn.append(sigmas(one, turned))
    # The largest of three that are nearly normal: half are below 1.3, few beyond 3.5.
    assert 0.7 < np.median(drawn) < 1.7
    assert np.mean(np.array(drawn) > 3.5) < 0.02
    pairs = one.products * other.products
    np.fill_diagonal(pairs, 0)
    sums = []
    for _ in range(2_000):
        signs = rng.choice(np.array([-1, 1], dtype=np.float32), SIZE)
        sums.append(signs @ pairs @ signs)
    assert np.std(sums) == pytest.approx(np.sqrt(2) * np.linalg.norm(pairs), rel=0.1)


def test_many_dimensions_are_looked_at_in_part() -> None:
    wide = np.tile(FIRST, 8)
    assert moments_of(wide).products.shape == (256, 256)
    assert moments_of(FIRST).products.shape == (SIZE, SIZE)


def real(version: str) -> Vectors:
    """Return the first passages as a model has them; skip where they are not at hand."""
    name = f"text/{version}_base_{'f16' if version == 'v2' else 'i8'}.npy"
    found = evaluation.find(name)
    if found is None:
        pytest.skip("the evaluation data is not at hand")
    rows = np.load(found[0], mmap_mode="r")[:READ].astype(np.float32)
    return normalise(rows)


def test_real_models_of_the_same_size_are_told_apart() -> None:
    old, v2, v3 = real("v1"), real("v2"), real("v3")
    for first, then in ((v2, v3[:, :384]), (old, v3[:, :256]), (old, v2[:, :256])):
        known = first[:REFERENCE]
        assert told(first[-WINDOW:], known) is False
        for start in (0, 1_000, READ - WINDOW):
            assert told(then[start : start + WINDOW], known) is True


def test_real_changes_of_topic_are_no_change_of_the_model() -> None:
    corpus = evaluation.find("text/corpus.jsonl.gz")
    if corpus is None:
        pytest.skip("the evaluation data is not at hand")
    with gzip.open(corpus[0], "rt") as lines:
        sources = np.array([json.loads(line)["source"] for line in islice(lines, READ)])
    for version in ("v1", "v2"):
        rows = real(version)
        names = [one for one in np.unique(sources) if (sources == one).sum() >= WINDOW]
        many = [one for one in names if (sources == one).sum() >= REFERENCE]
        assert len(many) >= 3
        assert len(names) >= 6
        pairs = [(one, other) for one in many for other in names if one != other]
        for one, other in pairs:
            window = rows[sources == other][:WINDOW]
            assert told(window, rows[sources == one][:REFERENCE]) is not True, (one, other)
        docs = evaluation.find(
            f"ir/cranfield/{version}_docs_{'f16' if version == 'v2' else 'i8'}.npy"
        )
        assert docs is not None
        abstracts = normalise(np.load(docs[0])[: REFERENCE + WINDOW].astype(np.float32))
        assert told(abstracts[:WINDOW], rows[:REFERENCE]) is not True
        assert told(rows[:WINDOW], abstracts[:REFERENCE]) is not True
