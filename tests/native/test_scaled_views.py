"""Every part of a view is searched with a scaling of its own: sealed, growing, with a filter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.search.dense import search_parts
from palimpsest.index.search.plan import SearchPlan
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing import CODED_ROWS, Growing
from palimpsest.index.segments.seal import live_rows, write_segment
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.segments.searcher import Scaling
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.types import Distance, Vectors
from palimpsest.index.view.view import SealedPart, VectorView

K = 10
N = 1_500
SIZE = 50
CLOSE = 1e-3  # of float32 sums of SIZE products, times the largest factors


def growing_of(config: VectorConfig, vectors: Vectors, offset: int) -> Growing:
    slots = np.arange(len(vectors), dtype=np.uint64) + np.uint64(offset + 1)
    numbers = (slots - np.uint64(1)).astype(np.uint32)
    return Growing.empty(config).extended(slots, 1, slots, numbers, vectors)


def sealed_of(growing: Growing, folder: InMemory) -> SealedPart:
    to = Build(growing.config, seed=3)
    checksum = write_segment(folder, live_rows([(growing, Dead())]), to)
    assert checksum is not None
    return SealedPart(Sealed.open(folder, checksum), Dead())


@pytest.mark.parametrize("encoding", ["float32", "4", "1"])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("shift", [0.0, 1.3])
def test_every_part_of_a_view_is_scaled(
    encoding: Any,
    exact: bool,
    filtered: bool,
    shift: float,
) -> None:
    rng = np.random.default_rng(17)
    vectors = rng.standard_normal((N, SIZE)).astype(np.float32)
    queries = rng.standard_normal((2, SIZE)).astype(np.float32)
    factors = (10 ** rng.uniform(-1, 1, N)).astype(np.float32)
    config = VectorConfig(SIZE, Distance.DOT, encoding=encoding)
    split = (0, CODED_ROWS + 100, N - 50, N)
    pieces = [growing_of(config, vectors[a:b], a) for a, b in zip(split, split[1:], strict=False)]
    sealed = (sealed_of(pieces[0], InMemory() / "a"), sealed_of(pieces[1], InMemory() / "b"))
    view = VectorView(config, sealed, (pieces[2], growing_of(config, vectors, 0)))
    points = BitMap(range(0, N, 3)) if filtered else None
    asked: list[int] = []

    def scaling_of(part: SealedPart | Growing) -> Scaling:
        numbers = part.columns.numbers[: part.n] if isinstance(part, Growing) else part.numbers
        asked.append(len(numbers))
        return Scaling(factors[numbers], shift)

    plan = SearchPlan(K, K, 0, N, N, exact, None)
    for query in queries:
        asked.clear()
        found, _ = search_parts(view, query, plan, points, scaling_of)
        assert sorted(asked) == sorted([split[1], split[2] - split[1], 50, N])
        for (start, stop), (columns, hits) in zip(
            [(0, split[1]), (split[1], split[2]), (split[2], N), (0, N)], found, strict=True
        ):
            numbers = np.arange(start, stop)
            numbers = numbers if points is None else numbers[numbers % 3 == 0]
            truth = (-(vectors[numbers].astype(np.float64) @ query) - shift) * (factors[numbers])
            closest = np.sort(truth)[: len(hits.distances)]
            assert len(closest) in (min(K, len(truth)), K + 1)  # a walk may give one more
            np.testing.assert_allclose(hits.distances, closest, rtol=1e-4, atol=CLOSE)
            assert set(columns.numbers[hits.rows].tolist()) <= set(numbers.tolist())
