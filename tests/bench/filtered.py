"""Filtered search: queries per second against our own unfiltered search, recall beside.

Everything a search does is timed, evaluation of the filter through payload indexes included. The
named filters of the text corpus go together with its vectors or do not; other corpora have random
ones only.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    SearchRequest,
    VectorConfig,
)
from palimpsest.index.config.vectors import MAX_SEAL_ROWS
from palimpsest.index.filters.expression import Condition, Filter, Match, Range
from palimpsest.index.payload.config import FieldIndex
from tests.bench import engine
from tests.bench.corpora import SEED, Corpus, K
from tests.bench.reference import THREADS
from tests.bench.report import Result, ratio

_BATCH = 4_096
_QUERIES = 300
_AND_QUERIES = 100
# Share of points allowed, and the rate it must keep.
_MUST = ((0.4, ">= 0.4x"), (0.05, ">= 0.3x"), (0.005, ">= 0.5x"), (0.0, ">= 0.8x"))
_BUCKETS = 1_000
_FRESH = ", bounds new each time"
_RANDOM = {"random 48 %": 480, "random 10 %": 100, "random 1 %": 10, "random 0.1 %": 1}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A payload per row, the kinds of its indexed fields, and named filters."""

    payloads: Sequence[Mapping[str, Any]]
    fields: Mapping[str, str]
    filters: Mapping[str, Filter]


def measure(corpus: Corpus, rounds: int, folder: Path | None) -> Iterator[Result]:
    """Yield one row per filter; `folder` holds the text corpus' payloads, None for random ones."""
    labelled = _random(len(corpus.base)) if folder is None else _stored(folder)
    queries = corpus.queries[:_QUERIES]
    with _filled(corpus, labelled) as collection:
        filters: dict[str, Filter | None] = {"": None, **labelled.filters}
        seconds = _seconds(collection, queries, filters, rounds)
        for name, filter in labelled.filters.items():
            recall, share = _recall(collection, corpus, queries, filter)
            must = next(text for least, text in _MUST if share >= least)
            what = (
                f"{corpus.name}: filter {name}, {share:.1%} of points, queries/s against no filter"
            )
            for kind in ("", _FRESH):
                if name + kind in seconds:
                    own, plain = seconds[name + kind], seconds[""]
                    took = f"({own * 1e6:.0f} us against {plain * 1e6:.0f} us)"
                    yield Result(
                        what + kind, must, "", f"{ratio(plain, own)} {took}", f"{recall:.4f}"
                    )
        yield _ands(collection, corpus, queries[:_AND_QUERIES], labelled.filters)


def _ands(
    collection: Collection,
    corpus: Corpus,
    queries: NDArray[np.float32],
    filters: Mapping[str, Filter],
) -> Result:
    """Return the lowest recall of all filters that are two of the named ones AND-ed."""
    recalls = {}
    for one, other in itertools.combinations(filters, 2):
        both = Filter(must=(filters[one], filters[other]))
        if collection.count(both):
            recalls[f"{one} and {other}"], _ = _recall(collection, corpus, queries, both)
    worst = min(recalls, key=lambda name: recalls[name])
    return Result(
        f"{corpus.name}: lowest recall of {len(recalls)} ANDs of two filters",
        ">= 0.98",
        "",
        worst,
        f"{recalls[worst]:.4f}",
    )


def _seconds(
    collection: Collection,
    queries: NDArray[np.float32],
    filters: Mapping[str, Filter | None],
    rounds: int,
) -> dict[str, float]:
    """Mean over the queries of the quickest of all rounds; filters take turns.

    Ranges are answered from memory when they are asked again; those filters are also measured with
    bounds that are new each time and mean the same points.
    """
    makers: dict[str, Callable[[int], Filter | None]] = {
        name: lambda _, filter=filter: filter  # type: ignore[misc]
        for name, filter in filters.items()
    }
    for name, each in filters.items():
        if each is not None and any(isinstance(one, Range) for one in each.must or ()):
            makers[name + _FRESH] = partial(with_new_bounds, each)
    best = {name: np.full(len(queries), np.inf) for name in makers}
    for turn in range(rounds):
        for name, make in makers.items():
            for i, query in enumerate(queries):
                filter = make(turn * len(queries) + i)
                start = time.perf_counter()
                collection.search(SearchRequest(query, k=K, filter=filter))
                best[name][i] = min(best[name][i], time.perf_counter() - start)
    return {name: float(times.mean()) for name, times in best.items()}


def with_new_bounds(filter: Filter, turn: int) -> Filter:
    """Return a filter on whole numbers with slightly lower bounds, which let the same through."""

    def lowered(bound: float | None) -> float | None:
        return None if bound is None else bound - (turn + 1) * 1e-8

    return Filter(
        must=tuple(
            Range(one.path, gte=lowered(one.gte), lt=lowered(one.lt))
            if isinstance(one, Range)
            else one
            for one in filter.must or ()
        )
    )


def _recall(
    collection: Collection, corpus: Corpus, queries: NDArray[np.float32], filter: Filter
) -> tuple[float, float]:
    """Compare with exact search of the same filter; return also the share of points it allows."""
    allowed = collection.count(filter)
    hits = 0
    for query in queries:
        found = collection.search(SearchRequest(query, k=K, filter=filter))
        exact = collection.search(SearchRequest(query, k=K, filter=filter, exact=True))
        hits += int(np.count_nonzero(found.distances <= exact.distances[-1] + 1e-6))
    return hits / (min(K, allowed) * len(queries)), allowed / len(corpus.base)


@contextlib.contextmanager
def _filled(corpus: Corpus, labelled: Labelled) -> Iterator[Collection]:
    """Hold the corpus with payloads and their indexes, in one segment."""
    vector = VectorConfig(size=corpus.base.shape[1], distance=corpus.distance)
    maintenance = MaintenanceConfig(MAX_SEAL_ROWS, MAX_SEAL_ROWS)
    now = MaintenanceConfig(MAX_SEAL_ROWS, quiet_rows=1, quiet_seconds=0.0)
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(Path(folder), threads=THREADS)
        try:
            collection = database.create("filtered", CollectionConfig({"": vector}, maintenance))
            for start in range(0, len(corpus.base), _BATCH):
                values = corpus.base[start : start + _BATCH]
                named = {"": NamedVectors(np.arange(len(values)), values)}
                payloads = [
                    json.dumps(payload).encode()
                    for payload in labelled.payloads[start : start + len(values)]
                ]
                ids = range(start, start + len(values))
                collection.upsert(PointBatch(ids, named, payloads)).result()
            for key, kind in labelled.fields.items():
                collection.create_index(key, FieldIndex.from_declared(kind)).result()
            collection.reconfigure(CollectionConfig({"": vector}, now))
            engine.wait_sealed(collection)
            yield collection
        finally:
            database.close()


def _random(n: int) -> Labelled:
    buckets = np.random.default_rng(SEED).integers(_BUCKETS, size=n).tolist()
    filters = {name: Filter(must=(Range(("bucket",), lt=b),)) for name, b in _RANDOM.items()}
    return Labelled([{"bucket": bucket} for bucket in buckets], {"bucket": "integer"}, filters)


def _stored(folder: Path) -> Labelled:
    with gzip.open(folder / "text" / "corpus.jsonl.gz") as lines:
        payloads = [json.loads(line) for line in lines]
    fields = {"source": "keyword", "group": "keyword", "n_words": "integer", "bucket": "integer"}
    stored = json.loads((folder / "text" / "filters.json").read_text())
    filters = {one["name"]: Filter(must=tuple(map(_condition, one["must"]))) for one in stored}
    return Labelled(payloads, fields, filters)


def _condition(stored: tuple[str, str, Any]) -> Condition:
    field, how, value = stored
    match how:
        case "in":
            return Match((field,), tuple(value))
        case ">=":
            return Range((field,), gte=value)
        case "<":
            return Range((field,), lt=value)
    raise ValueError(f"filters.json: no such comparison: {how}")
