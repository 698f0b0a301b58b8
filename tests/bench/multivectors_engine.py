"""Sets of tokens in a collection: what searches with defaults find, and what that costs.

Times are of one thread, of this process alone, and of the same questions in turns: with defaults,
with MaxSim of everything that the engine keeps (`exact`), and with MaxSim of all codes, by the
kernel that orders the candidates.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    MaintenanceConfig,
    MultiConfig,
    MultiVector,
    NamedMultiVectors,
    PointBatch,
    SearchRequest,
    SearchStats,
)
from palimpsest.index.kinds.multi.sealed import MultiSealed
from palimpsest.index.segments.dead import Dead
from tests.bench import versions_corpora
from tests.bench.corpora import K
from tests.bench.multivectors_corpora import TokenCorpus
from tests.bench.report import Result
from tests.conftest import open_collection

_SEALED = 25_000  # documents that are sealed together: 1.7 GB of tokens
_ASKED = 30  # of the questions, where comparing everything takes long
_LARGE = 20_000  # documents from which it does
_BYTES = 1_500  # of memory, of a document
_OF_EXACT = {False: 0.25, True: 0.01}  # of the time of comparing everything, at most


def measure(folder: Path, corpus: TokenCorpus, *, judged: bool) -> Iterator[Result]:
    """Yield the rows of one corpus.

    Args:
        folder: holds ir/cranfield/.
        corpus: what is searched.
        judged: whether it is the abstracts, of which people said what answers a question.
    """
    place = Path(tempfile.mkdtemp(prefix="bench-"))
    collection = _filled(place / "tokens", corpus)
    try:
        (part,) = collection.reading().view.vectors[0].sealed
        assert isinstance(part.segment, MultiSealed)
        yield from _rows(folder, corpus, collection, part.segment, judged)
    finally:
        collection.close()
        shutil.rmtree(place)


def _filled(place: Path, corpus: TokenCorpus) -> Collection:
    """Return all documents in one segment."""
    config = MultiConfig(corpus.queries.values.shape[1], Distance.COSINE, originals="float16")
    upkeep = MaintenanceConfig(
        seal_rows=2_000_000, quiet_rows=1, quiet_seconds=3_600.0, tier_factor=2
    )
    collection = open_collection(place, CollectionConfig({"": config}, upkeep))
    first = waiting = 0
    for block in corpus.blocks():
        n = len(block)
        sets = NamedMultiVectors(np.arange(n), block.starts, block.values)
        ids = list(range(first, first + n))
        collection.upsert(PointBatch(ids, {"": sets}, [None] * n)).result()
        first, waiting = first + n, waiting + n
        if waiting >= _SEALED:
            collection.upkeep.seal()
            waiting = 0
    collection.upkeep.seal()
    while collection.upkeep.due.parts_to_compact():
        collection.upkeep.compact()
    return collection


def _rows(
    folder: Path,
    corpus: TokenCorpus,
    collection: Collection,
    segment: MultiSealed,
    judged: bool,
) -> Iterator[Result]:
    is_large = corpus.documents >= _LARGE
    queries = [corpus.queries.one(place) for place in range(len(corpus.queries))]
    reading = collection.reading()

    def found(query: NDArray[np.float32], *, exact: bool = False) -> NDArray[np.int64]:
        request = SearchRequest(MultiVector(query), k=K, exact=exact)
        return np.array(reading.search(request).ids, dtype=np.int64)

    every = np.arange(segment.n)
    assert segment.coded is not None
    coded = segment.coded
    some = queries[:_ASKED] if is_large else queries
    seconds = _in_turns(
        [
            lambda query: found(query),
            lambda query: found(query, exact=True),
            lambda query: coded.distances(query, every),
        ],
        some,
    )
    planned = np.stack([found(query) for query in queries])
    recall = _recall(planned, corpus.truth)
    of_exact, of_codes = seconds[0] / seconds[1], seconds[0] / seconds[2]
    yield Result(
        f"{corpus.name}: a search, of the time of exact MaxSim of everything",
        f"<= {_OF_EXACT[is_large]}x",
        "",
        f"{of_exact:.3f}x ({1e3 * seconds[0]:.2f} ms); of MaxSim of all codes {of_codes:.3f}x",
        f"{recall:.3f}",
    )
    yield _depth(corpus, segment, queries)
    yield _memory(corpus, collection)
    if judged:
        ndcg = versions_corpora.abstracts(folder).ndcg
        exact = np.stack([found(query, exact=True) for query in queries])
        yield Result(
            f"{corpus.name}: nDCG@10 with defaults, of that of exact MaxSim",
            ">= 0.99",
            "",
            f"{ndcg(planned) / ndcg(exact):.4f} ({ndcg(planned):.4f} of {ndcg(exact):.4f})",
            f"{recall:.3f}",
        )


def _in_turns(
    contenders: list[Callable[[NDArray[np.float32]], object]], queries: list[NDArray[np.float32]]
) -> list[float]:
    """Return the processor time of a question of each contender, asked one after the other."""
    spent = [0.0] * len(contenders)
    for one in contenders:
        one(queries[0])
    for query in queries:
        for place, one in enumerate(contenders):
            started = time.thread_time()
            one(query)
            spent[place] += time.thread_time() - started
    return [one / len(queries) for one in spent]


def _depth(corpus: TokenCorpus, segment: MultiSealed, queries: list[NDArray[np.float32]]) -> Result:
    candidates, probed = segment.candidates, segment.probed
    assert candidates is not None and probed is not None
    inside = []
    for query, true in zip(queries, corpus.truth, strict=True):
        rows = candidates.closest(query, candidates.depth, Dead(), None, SearchStats())
        inside.append(np.isin(true, segment.ids[rows]).mean())
    shares = ", ".join(f"{name} {share:.3f}" for name, share in probed.found.items())
    return Result(
        f"{corpus.name}: MaxSim's best 10 among the candidates that are compared",
        ">= 0.985 of <= 200",
        "",
        f"{np.mean(inside):.3f} of {candidates.depth} by {probed.generator}; "
        f"a probe expects {probed.recall.mean:.3f}, of 200 {shares}",
    )


def _memory(corpus: TokenCorpus, collection: Collection) -> Result:
    sizes = collection.state().vectors[""].bytes_by_component
    held = {name: size / corpus.documents for name, size in sizes.items()}
    resident = sum(held[name] for name in ("codes", "links", "ids"))
    return Result(
        f"{corpus.name}: bytes of memory of a document",
        f"<= {_BYTES:,}",
        "",
        f"{resident:,.0f}; mapped {held['tokens_mapped']:,.0f} of codes of tokens, "
        f"{held['originals_mapped']:,.0f} of originals",
    )


def _recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    pairs = zip(found, truth, strict=True)
    return float(np.mean([np.isin(true, one).mean() for one, true in pairs]))
