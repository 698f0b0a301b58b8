"""The closest rows of one segment by itself, as any query without parameters finds them."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.search.one_segment import closest_rows
from palimpsest.index.segments.dead import Dead
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.types import Distance
from tests.unit.segments.test_seal import SIZE, grown, written


@pytest.mark.parametrize("n", [1, 50, 1_500])
@pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLID, Distance.MANHATTAN])
def test_rows_come_closest_first(distance: Distance, n: int, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((n, SIZE)).astype(np.float32)
    config = VectorConfig(SIZE, distance)
    segment = written(InMemory(), [(grown(config, rows), Dead())], config)
    query = rng.standard_normal(SIZE).astype(np.float32)
    found = closest_rows(segment, config, query, 10)
    kept = segment.vectors_of(found.astype(np.intp))
    scores = {
        Distance.DOT: -(kept @ query), Distance.EUCLID: np.linalg.norm(kept - query, axis=1),
    }.get(distance, np.abs(kept - query).sum(axis=1))  # fmt: skip
    assert len(found) >= min(10, n) and (np.diff(scores) >= -1e-5).all()


def test_of_copies_more_may_come_than_are_asked_for() -> None:
    rows = np.ones((1_200, SIZE), dtype=np.float32)
    config = VectorConfig(SIZE, Distance.EUCLID)
    segment = written(InMemory(), [(grown(config, rows), Dead())], config)
    found = closest_rows(segment, config, rows[0], 5)
    assert len(found) >= 5 and len(set(found.tolist())) == len(found)
