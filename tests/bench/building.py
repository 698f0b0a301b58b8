"""Graphs built against hnswlib with as many threads: rows a second, and recall of both at equal ef.

Both graphs are walked over the same float32 rows, so that recall is of the graphs alone. Ours is
measured by itself, and as a whole seal: rows encoded, the graph built and probed, files written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.vectors import DEFAULT_ENCODING, VectorConfig
from palimpsest.index.segments.graph import Graph, build
from palimpsest.index.segments.searcher import Rescoring, Searcher, Walk
from tests.bench import EF_CONSTRUCTION, M, engine, reference
from tests.bench.corpora import SEED, Corpus, K
from tests.bench.curves import SearchAll
from tests.bench.report import Result, rate, ratio

Built = TypeVar("Built")

ROUNDS = 2  # builds take seconds
EFS = (40, 96)


def measure(corpus: Corpus, rounds: int) -> Iterator[Result]:
    """Yield the rows of one corpus; contenders take turns, the best of each counts."""
    graphs, libraries, seals = [], [], []
    for _ in range(min(rounds, ROUNDS)):
        libraries.append(_timed(lambda: reference.build(corpus)[0]))
        graphs.append(_timed(lambda: _graph(corpus)))
        seals.append(engine.sealing_seconds(corpus, DEFAULT_ENCODING))
    theirs, their_work, library = min(libraries, key=lambda built: built[0])
    ours, our_work, graph = min(graphs, key=lambda built: built[0])
    n = len(corpus.base)
    name = f"{corpus.name}: {n:,} rows built, {reference.THREADS} threads, against hnswlib"
    walked = _walk(graph, corpus)
    told = ", ".join(
        f"{corpus.recall(walked(ef)):.4f} against "
        f"{corpus.recall(reference.search_all(library, corpus)(ef)):.4f} at ef {ef}"
        for ef in EFS
    )
    yield Result(
        f"{name}: graph",
        ">= 3x",
        "",
        f"{ratio(theirs, ours)} ({rate(n / ours)} against {rate(n / theirs)}; "
        f"{ratio(their_work, our_work)} by processor time)",
        told,
    )
    sealed = min(seals)
    yield Result(
        f"{name}: whole seal",
        "",
        "",
        f"{ratio(theirs, sealed)} ({rate(n / sealed)} against {rate(n / theirs)})",
    )


def _graph(corpus: Corpus) -> Graph:
    size = corpus.base.shape[1]
    config = VectorConfig(size, corpus.distance, M=M, ef_construction=EF_CONSTRUCTION)
    graph = build(
        corpus.base,
        corpus.distance,
        config,
        seed=SEED,
        threads=reference.THREADS,
        cancelled=lambda: False,
        firm=lambda: reference.THREADS,
    )
    assert graph is not None
    return graph


def _walk(graph: Graph, corpus: Corpus) -> SearchAll:
    kept = np.ascontiguousarray(corpus.base[graph.order])
    searcher = Searcher(corpus.distance, corpus.base.shape[1], kept, graph=graph)
    every = searcher.first(len(kept))

    def search(ef: int) -> NDArray[np.int64]:
        found = [
            searcher.walk(query, K, Walk(ef), Rescoring(ef), every).rows for query in corpus.queries
        ]
        return graph.order[np.stack(found)].astype(np.int64)

    return search


def _timed(build_one: Callable[[], Built]) -> tuple[float, float, Built]:
    """Return the seconds and the processor seconds of a build."""
    wall, work = time.perf_counter(), time.process_time()
    built = build_one()
    return time.perf_counter() - wall, time.process_time() - work, built
