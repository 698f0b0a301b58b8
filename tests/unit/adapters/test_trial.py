"""Trials of an adapter: what is counted as found, by ties, depths and parts of the corpus."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.estimate_rows import AffineAdapter
from palimpsest.index.adapters.map_queries import PrefixAdapter
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.trial import Trial, lengths, rescore, run_trial, shares_found
from palimpsest.index.types import Distance

DOT, COSINE = Distance.DOT, Distance.COSINE


def pairs_of(rng: np.random.Generator, n: int = 80) -> Pairs:
    rows = rng.standard_normal((n, 4)).astype(np.float32)
    return Pairs(rows, rows.copy())


def identity(size: int = 4) -> PrefixAdapter:
    return PrefixAdapter("identity", DOT, DOT, size, size)


def test_the_same_model_twice_finds_everything(rng: np.random.Generator) -> None:
    trial = run_trial(identity(), pairs_of(rng), None, (DOT, DOT), 10)
    assert (trial.k, trial.new.shape) == (10, (80, 80))
    assert np.isneginf(np.diag(trial.new)).all() and np.isneginf(np.diag(trial.bridged)).all()
    found = shares_found(trial, seed=0)
    for shares in found:
        assert shares.cells[0] == (80, 10, 10)
        assert (shares.found == 1).all()


def test_scores_that_tell_nothing_apart_find_what_chance_does(rng: np.random.Generator) -> None:
    new = rng.standard_normal((30, 40)).astype(np.float32)
    same = np.zeros_like(new)
    found = shares_found(Trial(new, same, same, same, 10), seed=0)
    for cell, share in zip(found.old.cells, found.old.found.T, strict=True):
        np.testing.assert_allclose(share, cell.depth / cell.rows)


def test_a_small_corpus_shortens_the_answer_and_queries_may_be_others(
    rng: np.random.Generator,
) -> None:
    held, asked = pairs_of(rng, 9), pairs_of(rng, 3)
    trial = run_trial(identity(), held, asked, (DOT, DOT), 10)
    assert trial.k == 2 and trial.new.shape == (3, 9)
    assert np.isfinite(trial.new).all()
    np.testing.assert_allclose(trial.old, asked.rows @ held.rows.T, rtol=1e-5)


def test_lengths_of_answers_begin_with_the_whole() -> None:
    assert lengths(10) == [10, 7, 4, 2, 1]
    assert lengths(1) == [1]


def test_candidates_ranked_again_stay_above_all_other_rows(rng: np.random.Generator) -> None:
    adapter = AffineAdapter("ridge", DOT, -np.eye(4, dtype=np.float32), np.zeros(4, np.float32))
    pairs = pairs_of(rng, 20)
    scores = (pairs.queries @ pairs.rows.T).copy()
    firsts = np.argsort(-scores, axis=1)[:, :5]
    rescore(adapter, pairs.queries, pairs.rows, scores, 5)
    for line, first in zip(scores, firsts, strict=True):
        others = np.delete(line, first)
        assert line[first].min() >= others.max()
        assert line[first[0]] == line[first].min(), "the adapter turns the order around"


def test_parts_of_the_corpus_are_halves_and_quarters(rng: np.random.Generator) -> None:
    found = shares_found(run_trial(identity(), pairs_of(rng), None, (DOT, DOT), 10), seed=3)
    assert {cell.rows for cell in found.old.cells} == {80, 40, 20}
    assert {cell.depth // cell.k for cell in found.both.cells} == {1}
    deepest = max(cell.depth / cell.rows for cell in found.old.cells if cell.depth > cell.k)
    assert deepest == pytest.approx(0.4)
