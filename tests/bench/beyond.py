"""What a search takes beyond its native walk: `Collection.search` and the walk alone, in turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import numpy as np

from palimpsest.index import SearchRequest
from palimpsest.index.search.dense import rescoring_of_walk
from palimpsest.index.search.plan import resolve
from palimpsest.index.segments.searcher import Walk
from palimpsest.index.view.dense import dense_of
from tests.bench.corpora import Corpus, K
from tests.bench.engine import filled
from tests.bench.report import Result

_EF = 40  # about recall .95 on the text set


def measure(corpus: Corpus, rounds: int) -> Iterator[Result]:
    """Yield processor time of one thread, the best of so many rounds over all queries."""
    with filled(corpus, "4") as collection:
        view = dense_of(collection.view.vectors[0])
        (part,) = view.sealed
        searcher, usual = part.segment.searcher, part.segment.usual
        requests = [SearchRequest(query, k=K, ef=_EF) for query in corpus.queries]
        plan = resolve(requests[0], view.config)
        walk, rescoring = Walk(plan.ef), rescoring_of_walk(plan)
        every = searcher.first(part.segment.n)
        rows, distances = np.empty(K + 1, np.uint32), np.empty(K + 1, np.float32)

        def native() -> None:
            for query in corpus.queries:
                searcher.native.walk(
                    query, K + 1, walk, rescoring, every, None, usual, rows, distances
                )

        def whole() -> None:
            for request in requests:
                collection.search(request)

        gc.collect()
        best = {native: float("inf"), whole: float("inf")}
        for _ in range(4 * rounds):
            for run in best:
                started = time.thread_time()
                run()
                spent = (time.thread_time() - started) / len(requests)
                best[run] = min(best[run], spent)
    walked, searched = best[native] * 1e6, best[whole] * 1e6
    yield Result(
        f"{corpus.name}: Collection.search beyond its native walk",
        "<= 10 us",
        "",
        f"{searched - walked:.1f} us ({searched:.1f} us against {walked:.1f} us)",
    )
