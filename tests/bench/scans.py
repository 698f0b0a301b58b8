"""Work without a graph: the exact scan of growing rows, and encoding."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from palimpsest.index.encoding.planes import Encoder
from tests.bench import engine
from tests.bench.corpora import SEED, Corpus
from tests.bench.report import Result, rate, ratio

_QUERIES = 200
_BITS = 4


def measure(corpus: Corpus, rounds: int) -> Iterator[Result]:
    """Yield the rows of one corpus."""
    yield from _scan(corpus, rounds)
    yield _encode(corpus, rounds)


def _scan(corpus: Corpus, rounds: int) -> Iterator[Result]:
    """Compare with products of the base with one query, and with all queries at once.

    The product alone is timed: choosing the best of its results is not.
    """
    queries = corpus.queries[:_QUERIES]
    out = np.empty(len(corpus.base), dtype=np.float32)

    def products() -> None:
        for query in queries:
            np.dot(corpus.base, query, out=out)

    with engine.filled(corpus, "4", sealed=False) as collection:
        works: list[Callable[[], object]] = [
            lambda: engine.searched(collection, queries, None),
            products,
            lambda: corpus.base @ queries.T,
        ]
        seconds = [min(times) for times in zip(*(_turn(works) for _ in range(rounds)), strict=True)]
        scan, product, batched = (s / _QUERIES for s in seconds)
        recall = f"{corpus.recall(engine.searched(collection, corpus.queries, None)):.4f}"
    name = f"{corpus.name}: exact scan of {len(corpus.base):,} growing rows"
    against = f"({scan * 1e3:.2f} ms against {{:.2f}} ms)"
    yield Result(
        f"{name}, against a float32 product per query",
        ">= 8x",
        "15x",
        f"{ratio(product, scan)} {against.format(product * 1e3)}",
        recall,
    )
    yield Result(
        f"{name}, against one float32 product of {_QUERIES} queries at once",
        "",
        "",
        f"{ratio(batched, scan)} {against.format(batched * 1e3)}",
        recall,
    )


def _turn(works: list[Callable[[], object]]) -> list[float]:
    taken = []
    for work in works:
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def _encode(corpus: Corpus, rounds: int) -> Result:
    encoder = Encoder.fit(corpus.base, corpus.distance, _BITS, SEED)
    seconds = min(_turn([lambda: encoder.encode(corpus.base)])[0] for _ in range(rounds))
    name = f"{corpus.name}: encode, {_BITS}-bit, {corpus.base.shape[1]} dims, one thread"
    return Result(name, ">= 150k/s", "", rate(len(corpus.base) / seconds))
