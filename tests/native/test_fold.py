"""Graphs with copies: one node for equal rows, and every copy found."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.segments.graph import Graph, build
from palimpsest.index.segments.searcher import Rescoring, Searcher, Walk
from palimpsest.index.types import Distance, Vectors

N, SIZE = 3_000, 24


@pytest.fixture
def rows(rng: np.random.Generator) -> Vectors:
    """A thousand different rows, ten of which have 200 copies each."""
    different = rng.standard_normal((1_000, SIZE)).astype(np.float32)
    copied = np.repeat(different[:10], 200, axis=0)
    return rng.permutation(np.concatenate([different, copied]))


def graph_of(rows: Vectors) -> Graph:
    config = VectorConfig(SIZE, Distance.EUCLID)
    graph = build(rows, Distance.EUCLID, config, seed=1, threads=2, cancelled=lambda: False)
    assert graph is not None
    return graph


def test_copies_follow_their_node_without_links(rows: Vectors) -> None:
    graph = graph_of(rows)
    ordered = rows[graph.order]
    assert sorted(graph.order.tolist()) == list(range(N))
    degrees = np.diff(graph.arrays()["offsets"].astype(np.int64))
    is_copy = np.zeros(N, dtype=bool)
    is_copy[1:] = (ordered[1:] == ordered[:-1]).all(axis=1)
    assert np.count_nonzero(is_copy) == 2_000
    assert ((degrees == 0) == is_copy).all()
    assert graph.has_copies and graph.unreachable() == 0
    assert not graph_of(np.unique(rows, axis=0)).has_copies


def test_equal_rows_alone_make_one_node() -> None:
    graph = graph_of(np.ones((1_500, SIZE), dtype=np.float32))
    assert graph.unreachable() == 0 and len(graph.arrays()["links"]) == 0
    searcher = Searcher(Distance.EUCLID, SIZE, np.ones((1_500, SIZE), np.float32), graph=graph)
    hits = searcher.walk(
        np.ones(SIZE, np.float32), 1_500, Walk(16), Rescoring(0), searcher.first(1_500)
    )
    assert sorted(hits.rows.tolist()) == list(range(1_500)) and not hits.distances.any()


@pytest.mark.parametrize("share", [None, 0.5, 0.01])
def test_walks_find_every_copy_that_is_allowed(
    rows: Vectors, share: float | None, rng: np.random.Generator
) -> None:
    graph = graph_of(rows)
    ordered = np.ascontiguousarray(rows[graph.order])
    searcher = Searcher(Distance.EUCLID, SIZE, ordered, graph=graph)
    flags = np.ones(N, dtype=bool) if share is None else rng.random(N) < share
    words = np.zeros((N + 63) // 64 * 8, dtype=np.uint8)
    packed = np.packbits(flags, bitorder="little")
    words[: len(packed)] = packed
    among = searcher.first(N, None if share is None else words.view(np.uint64))
    for query in np.unique(rows, axis=0)[::50]:
        exact = np.linalg.norm(ordered - query, axis=1)
        exact[~flags] = np.inf
        k = min(250, int(np.count_nonzero(flags)))
        hits = searcher.walk(query, k, Walk(128), Rescoring(0, sure=k), among)
        assert flags[hits.rows].all() and len(set(hits.rows.tolist())) == k
        assert np.allclose(hits.distances, np.sort(exact)[:k], atol=1e-5)
