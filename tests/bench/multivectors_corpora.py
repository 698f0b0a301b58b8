"""Sets of token vectors to search, queries of them, and the exact answers by MaxSim.

The real ones are 1,400 abstracts and 225 questions (`ir/cranfield`). A synthetic document is put
together of passages of several abstracts, and each of its tokens lies near the real one: the more
topics it has, the less the mean of its tokens says. Documents are drawn a block at a time, since
100,000 of them are 7 GB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Vectors
from tests.bench.corpora import SEED, K

LENGTH = 134  # tokens of a synthetic document, as many as abstracts have in the mean
NOISE = 0.3  # length of what is added to a token, which has length 1
BLOCK = 1_000  # documents drawn together
_FOLDER = "ir/cranfield"

Starts = NDArray[np.int64]
Scores = NDArray[np.float32]


class Sets(NamedTuple):
    """Set i of m is `values[starts[i]:starts[i + 1]]`, (n, d) float32 of unit length."""

    values: Vectors
    starts: Starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def one(self, place: int) -> Vectors:
        """Return the tokens of one set."""
        return self.values[self.starts[place] : self.starts[place + 1]]

    def means(self) -> Vectors:
        """Return the mean of each set, of unit length."""
        return _unit(np.add.reduceat(self.values, self.starts[:-1], axis=0))


@dataclass(frozen=True, slots=True)
class TokenCorpus:
    """Documents, a block of sets at a time, and questions with the exact answers to them."""

    name: str
    documents: int
    blocks: Callable[[], Iterator[Sets]]
    queries: Sets
    exact: Scores  # (q, documents) by MaxSim
    truth: NDArray[np.int64]  # (q, K), best first

    def inside(self, scores: Scores, depths: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return by depth the share of the K best among so many by `scores` (q, m)."""
        ranks = np.sort(_ranks(scores, self.truth), axis=None)
        return np.searchsorted(ranks, depths) / ranks.size

    def kept(self, found: NDArray[np.int64]) -> float:
        """Return what the scores of the K best in `found` (q, depth) are of those of the K best.

        Where many documents are about as good, as those of the same passages are, this says more
        than which of them are found.
        """
        best = np.take_along_axis(self.exact, self.truth, axis=1).sum(axis=1)
        there = np.take_along_axis(self.exact, found, axis=1)
        return float((np.sort(there, axis=1)[:, -K:].sum(axis=1) / best).mean())

    def needed(self, scores: Scores, share: float) -> int:
        """Return among how many best by `scores` (q, m) such a share of the K best are."""
        ranks = np.sort(_ranks(scores, self.truth), axis=None)
        return int(ranks[int(np.ceil(share * ranks.size)) - 1]) + 1


def abstracts(folder: Path) -> TokenCorpus:
    """Load the real ones."""
    documents = _sets(folder, "docs")
    truth = np.load(folder / _FOLDER / "maxsim128_gt100_i32.npy")[:, :K].astype(np.int64)
    name = f"Cranfield, {len(documents):,} documents"
    queries = _sets(folder, "queries")
    exact = max_sims(queries, iter([documents]))
    return TokenCorpus(name, len(documents), lambda: iter([documents]), queries, exact, truth)


def recombined(folder: Path, documents: int, topics: int, queries: int = 225) -> TokenCorpus:
    """Draw documents of so many topics each; the first of the real questions are asked of them."""
    real, asked = _sets(folder, "docs"), _first(_sets(folder, "queries"), queries)

    def blocks() -> Iterator[Sets]:
        for first in range(0, documents, BLOCK):
            yield _drawn(real, first, min(BLOCK, documents - first), topics)

    exact = max_sims(asked, blocks())
    truth = np.argsort(-exact, axis=1, kind="stable")[:, :K]
    name = f"{documents:,} documents of {topics} topics"
    return TokenCorpus(name, documents, blocks, asked, exact, truth)


def max_sims(queries: Sets, blocks: Iterator[Sets]) -> Scores:
    """Return the exact score of every document for every query, (q, m)."""
    found = []
    for block in blocks:
        scores = np.empty((len(queries), len(block)), dtype=np.float32)
        for place in range(len(queries)):
            products = block.values @ queries.one(place).T
            scores[place] = np.maximum.reduceat(products, block.starts[:-1], axis=0).sum(axis=1)
        found.append(scores)
    return np.concatenate(found, axis=1)


def _drawn(real: Sets, first: int, count: int, topics: int) -> Sets:
    """Return documents number `first` and on: the same ones however many are drawn."""
    rng = np.random.default_rng((SEED, topics, first))
    cuts = np.linspace(0, LENGTH, topics + 1).astype(np.int64)
    lengths = np.tile(np.diff(cuts), count)  # of passages
    long_enough = np.flatnonzero(np.diff(real.starts) >= LENGTH // topics + 1)
    # drawn for a whole block, so that the first documents do not depend on the last
    sources = rng.choice(long_enough, BLOCK * topics)[: len(lengths)]
    places = rng.random(BLOCK * topics)[: len(lengths)]
    room = np.diff(real.starts)[sources] - lengths
    begins = real.starts[sources] + (places * (room + 1)).astype(np.int64)
    within = np.arange(count * LENGTH) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    tokens = real.values[np.repeat(begins, lengths) + within]
    noise = rng.standard_normal(tokens.shape, dtype=np.float32)
    noise *= np.float32(NOISE / np.sqrt(tokens.shape[1]))
    return Sets(_unit(tokens + noise), np.arange(count + 1, dtype=np.int64) * LENGTH)


def _sets(folder: Path, which: str) -> Sets:
    values = np.load(folder / _FOLDER / f"tok128_{which}_i8.npy").astype(np.float32)
    starts = np.load(folder / _FOLDER / f"tok_{which}_offsets_i32.npy").astype(np.int64)
    return Sets(_unit(values), starts)


def _first(sets: Sets, count: int) -> Sets:
    starts = sets.starts[: count + 1]
    return Sets(sets.values[: starts[-1]], starts)


def _ranks(scores: Scores, truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (q, K) how many documents are in front of each of the true ones; ties are not."""
    best = np.take_along_axis(scores, truth, axis=1)
    return np.stack(
        [(row > limits[:, None]).sum(axis=1) for row, limits in zip(scores, best, strict=True)]
    )


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Vectors = vectors / np.maximum(lengths, np.float32(1e-12))
    return found
