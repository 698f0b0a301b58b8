"""Sparse searches leave the interpreter to other threads while they run."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import _native
from palimpsest.index.kinds.sparse.postings import PostingLists
from palimpsest.index.kinds.sparse.rows import SparseRows
from tests.native.test_gil import ATTEMPTS, Call, no_forced_switches, overlaps

__all__ = ["no_forced_switches"]

N, LENGTH, TERMS = 30_000, 20, 40


@pytest.fixture(scope="module")
def calls() -> dict[str, Call]:
    """Return calls that each run for a while without touching Python."""
    indices = np.sort(np.argsort(np.random.default_rng(1).random((N, TERMS)))[:, :LENGTH])
    rows = SparseRows(
        np.arange(0, N * LENGTH + 1, LENGTH),
        indices.astype(np.uint32).ravel(),
        np.ones(N * LENGTH, np.float32),
    )
    postings = PostingLists.of(rows, 0)
    native = _native.Postings(postings.rows, postings.values, 0, N)
    lists = postings.starts[:-1].copy(), postings.starts[1:].copy()
    weights, alive = np.ones(TERMS, np.float32), np.full(N // 64 + 1, ~np.uint64(0))
    sums, counts = np.empty(N, np.float32), np.empty(TERMS, np.int64)
    return {
        "invert_rows": lambda: _native.invert_rows(rows.indptr, 0, rows.indices, rows.values),
        "best": lambda: native.best(*lists, weights, 10, None, None, None),
        "sums": lambda: native.sums(*lists, weights, sums),
        "counts": lambda: native.counts(*lists, alive, None, None, counts),
    }


@pytest.mark.usefixtures("no_forced_switches")
@pytest.mark.parametrize("name", ["invert_rows", "best", "sums", "counts"])
def test_another_thread_runs_meanwhile(calls: dict[str, Call], name: str) -> None:
    assert any(overlaps(calls[name], lambda: None) for _ in range(ATTEMPTS))


@pytest.mark.usefixtures("no_forced_switches")
def test_two_searches_overlap(calls: dict[str, Call]) -> None:
    assert any(overlaps(calls["best"], calls["sums"]) for _ in range(ATTEMPTS))
