"""An upgrade from single vectors to sets, on judged questions: nothing migrated, then more of it.

Abstracts hold vectors of one model; sets of tokens are written for more and more of them, at
random. At each step an adapter is fitted on those that hold both, and questions are asked by the
old model, as if nothing were done, by sets alone, and by both queries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import (
    Collection,
    Distance,
    FitRequest,
    MultiConfig,
    MultiVector,
    NamedMultiVectors,
    PointBatch,
    SearchRequest,
    VersionedQuery,
)
from tests.bench import versions_corpora
from tests.bench import versions_engine as engine
from tests.bench.corpora import SEED, K
from tests.bench.multivectors_corpora import Sets, TokenCorpus
from tests.bench.report import Result

NEW = "sets"
MODELS = ("v1", "v2")
SHARES = (0.0, 0.25, 0.5, 1.0)
_BATCH = 100


def measure(folder: Path, corpus: TokenCorpus) -> Iterator[Result]:
    """Yield a row for each old model and each share of the abstracts that hold sets."""
    texts = versions_corpora.abstracts(folder)
    sets = _joined(list(corpus.blocks()))
    for model in MODELS:
        yield from _upgrade(texts, model, sets, corpus.queries)


def _joined(blocks: list[Sets]) -> Sets:
    counts = np.concatenate([np.diff(one.starts) for one in blocks])
    starts = np.concatenate([[0], np.cumsum(counts)])
    return Sets(np.concatenate([one.values for one in blocks]), starts)


def _upgrade(
    texts: versions_corpora.Abstracts, model: str, sets: Sets, questions: Sets
) -> Iterator[Result]:
    rows, asked = texts.rows[model], texts.queries[model]
    order, done = np.random.default_rng(SEED).permutation(len(rows)), 0
    with engine.holding(rows) as collection:
        space = MultiConfig(sets.values.shape[1], Distance.COSINE)
        collection.versions.declare("", NEW, space, declared={})

        def ndcg(ask: Callable[[int], tuple[Any, str]]) -> float:
            return texts.ndcg(_found(collection, ask, len(asked)))

        old = ndcg(lambda place: (asked[place], ""))
        for share in SHARES:
            upto = round(share * len(rows))
            migrate(collection, sets, order[done:upto])
            done, expected = upto, "no adapter"
            if 0 < share < 1:
                info = collection.versions.fit(FitRequest(engine.OLD, NEW))
                expected = f"{info.kind}, {info.report['verdict']}"
            alone = ndcg(lambda place: (MultiVector(questions.one(place)), f"@{NEW}"))
            both = ndcg(lambda place: (_both(asked[place], questions.one(place)), ""))
            yield Result(
                f"{model} to sets, {share:.0%} migrated: nDCG@10 by sets, by both ({expected})",
                "",
                "",
                f"{alone:.4f}, {both:.4f}",
                reference=f"{old:.4f} old",
            )


def _both(old: Any, new: Any) -> VersionedQuery:
    return VersionedQuery({engine.OLD: old, NEW: MultiVector(new)})


def migrate(collection: Collection, sets: Sets, points: NDArray[np.intp]) -> None:
    """Give points their sets as well."""
    for start in range(0, len(points), _BATCH):
        some = points[start : start + _BATCH]
        own = [sets.one(place) for place in some.tolist()]
        starts = np.concatenate([[0], np.cumsum([len(one) for one in own])]).astype(np.int64)
        named = NamedMultiVectors(np.arange(len(some)), starts, np.concatenate(own))
        batch = PointBatch(some.tolist(), {f"@{NEW}": named}, [None] * len(some))
        collection.update_vectors(batch).result()


def _found(
    collection: Collection, ask: Callable[[int], tuple[Any, str]], queries: int
) -> NDArray[np.int64]:
    found = np.full((queries, K), -1, dtype=np.int64)
    for place in range(queries):
        query, name = ask(place)
        ids = collection.search(SearchRequest(query, name, k=K)).ids
        found[place, : len(ids)] = ids
    return found
