"""Token pooling against Ward's method in plain numpy, one best merge at a time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index.encoding.pooling import pool_tokens
from palimpsest.index.types import Vectors
from tests.maxsim import clustered, starts_of


def ward(values: Vectors, count: int) -> list[list[int]]:
    """Return clusters of rows: each step merges the two that add least to the squared errors."""
    clusters = [[i] for i in range(len(values))]
    wide = values.astype(np.float64)
    while len(clusters) > count:
        means = np.stack([wide[one].mean(axis=0) for one in clusters])
        sizes = np.array([len(one) for one in clusters])
        added = ((means[:, None] - means[None]) ** 2).sum(axis=2)
        added *= sizes[:, None] * sizes / (sizes[:, None] + sizes)
        added[np.tril_indices(len(clusters))] = np.inf
        a, b = np.unravel_index(added.argmin(), added.shape)
        clusters[a] = sorted(clusters[a] + clusters[b])
        del clusters[b]
    return sorted(clusters)


def clusters_of(labels: NDArray[np.uint32]) -> list[list[int]]:
    return [np.flatnonzero(labels == c).tolist() for c in range(labels.max() + 1)]


@pytest.mark.parametrize("pool", [2, 3, 7])
@pytest.mark.parametrize("count", [1, 2, 3, 20, 61])
def test_clusters_are_those_of_one_merge_at_a_time(pool: int, count: int) -> None:
    values = clustered(count, 16, np.random.default_rng(count))
    pooled = pool_tokens(values, starts_of([count]), pool, unit=False)
    right = ward(values, -(-count // pool))
    assert clusters_of(pooled.labels) == right
    means = [values[one].mean(axis=0, dtype=np.float64) for one in right]
    np.testing.assert_allclose(pooled.values, means, rtol=1e-6, atol=1e-7)


def test_documents_are_pooled_by_themselves(rng: np.random.Generator) -> None:
    starts = starts_of([5, 0, 1, 8])
    values = clustered(14, 32, rng)
    pooled = pool_tokens(values, starts, 2, unit=True)
    assert pooled.starts.tolist() == [0, 3, 3, 4, 8]
    np.testing.assert_allclose(np.linalg.norm(pooled.values, axis=1), 1, rtol=1e-6)
    for place, (first, last) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        alone = pool_tokens(values[first:last], starts_of([last - first]), 2, unit=True)
        a, b = pooled.starts[place : place + 2]
        assert alone.values.tobytes() == pooled.values[a:b].tobytes()
        assert alone.labels.tolist() == pooled.labels[first:last].tolist()
        parts = [pooled.members(first, last, part) for part in range(b - a)]
        assert sorted(np.concatenate(parts).tolist() if parts else []) == list(range(last - first))


def test_pool_one_keeps_every_vector(rng: np.random.Generator) -> None:
    values, starts = rng.standard_normal((9, 8)).astype(np.float32), starts_of([4, 5])
    pooled = pool_tokens(values, starts, 1, unit=True)
    assert pooled.values.tobytes() == values.tobytes()
    assert pooled.starts.tolist() == starts.tolist()
    assert pooled.labels.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="at least 1, received 0"):
        pool_tokens(values, starts, 0, unit=True)


def test_exact_copies_and_zeros(rng: np.random.Generator) -> None:
    values = np.repeat(clustered(3, 8, rng), 4, axis=0)
    pooled = pool_tokens(values, starts_of([12]), 4, unit=True)
    assert pooled.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    np.testing.assert_allclose(pooled.values, values[::4], rtol=1e-6)
    same = np.zeros((50, 8), dtype=np.float32)
    pooled = pool_tokens(same, starts_of([50]), 3, unit=True)
    assert len(pooled.values) == 17 and not pooled.values.any()
    opposite = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    assert not pool_tokens(opposite, starts_of([2]), 2, unit=True).values.any()


@pytest.mark.parametrize("scale", [1e-30, 1e18])
def test_lengths_change_no_cluster(scale: float) -> None:
    values = np.random.default_rng(4).standard_normal((40, 8))
    plain = pool_tokens(values.astype(np.float32), starts_of([40]), 2, unit=False)
    scaled = pool_tokens((values * scale).astype(np.float32), starts_of([40]), 2, unit=False)
    assert scaled.labels.tolist() == plain.labels.tolist()
    np.testing.assert_allclose(scaled.values / scale, plain.values, rtol=1e-4, atol=1e-5)


def test_thousands_of_vectors_are_pooled_to_half(rng: np.random.Generator) -> None:
    values = clustered(4_096, 16, rng)
    pooled = pool_tokens(values, starts_of([4_096]), 2, unit=True)
    again = pool_tokens(values, starts_of([4_096]), 2, unit=True)
    assert pooled.values.shape == (2_048, 16)
    assert pooled.values.tobytes() == again.values.tobytes()
    means = pooled.values[pooled.labels]
    assert np.mean(np.einsum("ij,ij->i", means, values)) > 0.8
