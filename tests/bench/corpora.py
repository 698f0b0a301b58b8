"""Vectors to search, queries, and the exact answers to them.

The real sets come from a folder laid out as `text/v2_base_f16.npy`,
`ann/sift20k_base_u8.npy` and so on; without it the synthetic one stands in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Distance

K = 10
SEED = 20_406
_BLOCK = 16_384


@dataclass(frozen=True, slots=True)
class Corpus:
    """`base` (n, d) and `queries` (q, d) float32; `truth` (q, >= K) rows of base, closest first."""

    name: str
    distance: Distance
    base: NDArray[np.float32]
    queries: NDArray[np.float32]
    truth: NDArray[np.int64]

    def recall(self, found: NDArray[np.int64]) -> float:
        """Mean share of the exact K best in `found` (q, K), -1 for none; ties count as found."""
        worst = self._distances(self.truth[:, K - 1 : K])
        near = worst + np.float32(1e-6) * np.maximum(np.abs(worst), 1)
        hits = (self._distances(found) <= near) & (found >= 0)
        return float(np.minimum(hits.sum(axis=1), K).mean() / K)

    def _distances(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        vectors = self.base[rows]  # (q, k, d)
        if self.distance is Distance.EUCLID:
            return _float32(np.square(vectors - self.queries[:, None, :]).sum(axis=2))
        return _float32(-np.einsum("qkd,qd->qk", vectors, self.queries))


def text(folder: Path) -> Corpus:
    """Load 48,000 passages embedded by a MiniLM, 384 dims, cosine, 1,000 real queries."""
    base, queries = (
        _float32(np.load(folder / f"text/v2_{part}_f16.npy")) for part in ("base", "query")
    )
    truth = np.load(folder / "text/v2_gt100_i32.npy").astype(np.int64)
    return Corpus("text v2", Distance.COSINE, _unit(base), _unit(queries), truth)


def sift(folder: Path) -> Corpus:
    """Load 20,000 SIFT descriptors, 128 dims, Euclidean, 500 queries from other images."""
    base, queries = (
        _float32(np.load(folder / f"ann/sift20k_{part}_u8.npy")) for part in ("base", "query")
    )
    truth = np.load(folder / "ann/sift20k_gt100_l2_i32.npy").astype(np.int64)
    return Corpus("SIFT", Distance.EUCLID, base, queries, truth)


def tokens(folder: Path, asked: int = 1_000) -> Corpus:
    """Load 187,000 token vectors of abstracts, 128 dims, cosine, and tokens of questions."""
    base, queries = (
        _unit(_float32(np.load(folder / f"ir/cranfield/tok128_{part}_i8.npy")))
        for part in ("docs", "queries")
    )
    queries = np.ascontiguousarray(queries[:: len(queries) // asked][:asked])
    return Corpus("Cranfield tokens", Distance.COSINE, base, queries, _nearest(base, queries))


def synthetic(n: int, size: int = 384, queries: int = 1_000) -> Corpus:
    """Draw a Gaussian mixture of about 26 local dimensions (text v2: 26), cosine.

    Clusters share a latent space of 128 dims whose spectrum decays, plus a little full-rank noise:
    neighbourhoods then have about the intrinsic dimension of real text embeddings. Queries are
    drawn from the same mixture and are not in the base.
    """
    rows = drawn(n + queries, size, clusters=max(16, n // 400))
    base, asked = rows[:n], rows[n:]
    return Corpus(f"synthetic {n:,}", Distance.COSINE, base, asked, _nearest(base, asked))


def copied(folder: Path, n: int) -> Corpus:
    """Take n real passages and noisy copies of them, as `text` has them, and its real queries.

    Copies are drawn with replacement and lie at cosines of about .995 to .9 to their passage, as
    edited texts do. What is held beside the rows is one block of them.
    """
    real = text(folder)
    rng = np.random.default_rng(SEED)
    base = np.empty((n, real.base.shape[1]), dtype=np.float32)
    base[: len(real.base)] = real.base[:n]
    for start in range(len(real.base), n, _BLOCK):
        part = base[start : start + _BLOCK]
        # the length of the noise, for a passage of length 1
        spread = rng.uniform(0.1, 0.5, (len(part), 1)).astype(np.float32)
        noise = _unit(rng.standard_normal(part.shape, dtype=np.float32))
        part[:] = _unit(real.base[rng.integers(len(real.base), size=len(part))] + spread * noise)
    name = f"{n:,} of text v2 and noisy copies"
    return Corpus(name, real.distance, base, real.queries, _nearest(base, real.queries))


def drawn(n: int, size: int, *, clusters: int | None = None) -> NDArray[np.float32]:
    """Draw rows (n, size) of such a mixture, of unit length."""
    rng = np.random.default_rng(SEED)
    latent = 128
    spread = (np.arange(1, latent + 1) ** -0.5).astype(np.float32)
    clusters = clusters or max(16, n // 400)
    centres = rng.standard_normal((clusters, latent), dtype=np.float32) * spread
    weights = rng.dirichlet(np.full(clusters, 2.0))
    mixing = rng.standard_normal((latent, size), dtype=np.float32) / np.float32(np.sqrt(latent))
    rows = np.empty((n, size), dtype=np.float32)
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        members = rng.choice(clusters, len(part), p=weights)
        z = centres[members] + 0.8 * spread * rng.standard_normal(
            (len(part), latent), dtype=np.float32
        )
        part[:] = z @ mixing + 0.12 * rng.standard_normal(part.shape, dtype=np.float32)
    return _unit(rows)


def _nearest(base: NDArray[np.float32], queries: NDArray[np.float32]) -> NDArray[np.int64]:
    """Rows of the K largest inner products per query, block by block."""
    best = np.full((len(queries), K), -np.inf, dtype=np.float32)
    rows = np.zeros((len(queries), K), dtype=np.int64)
    for start in range(0, len(base), _BLOCK):
        products = queries @ base[start : start + _BLOCK].T
        scores = np.concatenate([best, products], axis=1)
        numbers = np.concatenate(
            [rows, np.broadcast_to(np.arange(start, start + products.shape[1]), products.shape)],
            axis=1,
        )
        top = np.argpartition(-scores, K - 1, axis=1)[:, :K]
        best, rows = (np.take_along_axis(part, top, axis=1) for part in (scores, numbers))
    return np.take_along_axis(rows, np.argsort(-best, axis=1), axis=1)


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
