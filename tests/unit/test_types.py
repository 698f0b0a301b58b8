"""Values that travel through the engine: what parts of a search did adds up."""

from __future__ import annotations

from dataclasses import fields
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from palimpsest.index.types import (
    KindVector,
    MultiVector,
    OutOfReach,
    SearchStats,
    SparseVector,
    VersionStats,
)


def full(n: int) -> SearchStats:
    numbers = np.array([n], dtype=np.uint32)
    return SearchStats(
        n, n, n, n, n, n, n, {"graph": n, f"d{n}": 1}, n, {"plan": n / 2, f"s{n}": 1.0},
        [VersionStats(f"v{n}", None, None, n, n)], [(n, numbers)], [numbers],
        [OutOfReach("текст", "v1", "v2", n)], [f"point {n}"], n,
    )  # fmt: skip


def test_everything_that_parts_did_is_added() -> None:
    total = full(1)
    total.add(full(2**31))
    for field in fields(SearchStats):
        one, other, found = (getattr(x, field.name) for x in (full(1), full(2**31), total))
        expected: Any
        if isinstance(one, dict):
            expected = {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
        elif field.name == "ef":
            expected = max(one, other)
        else:
            expected = one + other
        assert str(found) == str(expected) or found == expected, field.name


def test_nothing_added_changes_nothing() -> None:
    once = full(3)
    once.add(SearchStats())
    assert str(once) == str(full(3))
    assert SearchStats().seconds is not SearchStats().seconds


def test_stages_and_decisions_are_counted() -> None:
    stats = SearchStats()
    stats.took("traverse", 0.5)
    stats.took("traverse", 0.25)
    stats.note("scan")
    stats.note("scan")
    since = perf_counter() - 1.0
    assert SearchStats().took_since("merge", since) >= since + 1.0
    assert stats.seconds == {"traverse": 0.75} and stats.decisions == {"scan": 2}


@pytest.mark.parametrize(
    ("vector", "weight"),
    [
        (SparseVector(np.arange(0, dtype=np.uint32), np.ones(0, np.float32)), 1),
        (SparseVector(np.arange(64, dtype=np.uint32), np.ones(64, np.float32)), 1),
        (SparseVector(np.arange(65, dtype=np.uint32), np.ones(65, np.float32)), 2),
        (MultiVector(np.ones((7, 3), np.float32)), 7),
        (KindVector(), 1),
    ],
)
def test_vectors_weigh_as_many_dense_ones(vector: KindVector, weight: int) -> None:
    assert vector.weight == weight


def test_a_sparse_vector_is_shown_by_its_dimensions() -> None:
    indices = np.array([0, 2**32 - 1], dtype=np.uint32)
    vector = SparseVector(indices, np.ones(2, dtype=np.float32))
    assert vector.to_json()["indices"] is indices and vector.kind == "sparse"
    with pytest.raises(NotImplementedError):
        KindVector().to_json()
