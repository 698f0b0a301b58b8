"""Pages of one answer fit together: nothing stands on two of them, and nothing on none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    Distance,
    QueryRequest,
    SearchRequest,
    VectorConfig,
    VersionedQuery,
    answer,
    queries,
)
from palimpsest.index.adapters.comparable import Merge, Method
from palimpsest.index.filters.expression import Filter, Match
from palimpsest.index.filters.paths import parse_path
from palimpsest.index.storage.local import Local
from palimpsest.index.types import Vector, Vectors
from palimpsest.index.upkeep.recover import ADAPTERS
from palimpsest.index.versions.lifecycle import put_fitted
from tests.conftest import Corpus, OpenCollection
from tests.points import batch_of, config_of
from tests.unit.versions.mixed import SIZES, Account, texts_of
from tests.unit.versions.mixed import config_of as versioned

Ask = Callable[[int, int], Sequence[object]]  # limit and offset to the ids of a page

ENCODINGS = ["float32", "8", "4", "2", "1"]
SIZE, ROWS = 24, 2_000


def paged(ask: Ask, page: int, stop: int) -> list[object]:
    return [one for start in range(0, stop, page) for one in ask(page, start)]


def search(collection: Collection, query: Vector | VersionedQuery, **how: Any) -> Ask:
    def ask(limit: int, offset: int) -> Sequence[object]:
        return collection.search(SearchRequest(query, k=limit, offset=offset, **how)).ids

    return ask


def repeats_and_omissions(ask: Ask, page: int, stop: int) -> int:
    """Count the points that stand on two pages, and those of the one large answer on none."""
    pages = paged(ask, page, stop)
    return len(pages) - len(set(pages)) + len({*ask(stop, 0)} - {*pages})


def written(
    collection: Collection, vectors: Vectors, payloads: Sequence[bytes] | None = None
) -> None:
    """Store vectors under ids in no order, in several writes."""
    ids = np.random.default_rng(3).permutation(len(vectors)).tolist()
    for start in range(0, len(vectors), 700):
        some = slice(start, start + 700)
        own = None if payloads is None else payloads[some]
        collection.upsert(batch_of(ids[some], vectors[some], own)).result()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_pages_of_real_rows(collection_of: OpenCollection, corpus: Corpus, encoding: str) -> None:
    collection = collection_of(config_of(384, encoding=encoding))
    written(collection, corpus.base[:6_000])
    collection.upkeep.seal()
    lost = 0
    for query in corpus.queries[:4]:
        lost += repeats_and_omissions(search(collection, query), 50, 1_000)
        for how in ({"ef": 700}, {"exact": True}):
            ask = search(collection, query, **how)
            assert paged(ask, 70, 700) == list(ask(700, 0)), how
    assert lost <= 4  # of 4,000


def rows_of(shape: str, rng: np.random.Generator) -> Vectors:
    """Return rows that are hard to tell apart, or of which estimates tell little."""
    rows = rng.standard_normal((ROWS, SIZE), dtype=np.float32)
    if shape == "copies":
        rows = rows[rng.integers(0, 40, ROWS)]
    elif shape == "one":
        rows[:] = rows[0]
    elif shape == "grid":
        rows = np.rint(rows).astype(np.float32)
    elif shape == "lengths":
        rows *= (10.0 ** rng.uniform(-3, 3, (ROWS, 1))).astype(np.float32)
    elif shape == "plane":
        rows[:, 2:] = 0
    return rows


SHAPES = ["random", "copies", "one", "grid", "lengths", "plane"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("distance", "encoding"), [*((each, "4") for each in Distance), (Distance.EUCLID, "1")]
)
def test_pages_of_every_shape(
    collection_of: OpenCollection,
    rng: np.random.Generator,
    shape: str,
    distance: Distance,
    encoding: str,
) -> None:
    """One list whatever the page, at an ef that covers it: of growing rows, then of sealed ones."""
    collection = collection_of(config_of(SIZE, distance, encoding=encoding, seal_rows=1_400))
    rows = rows_of(shape, rng)
    written(collection, rows)
    for query in rng.standard_normal((1, SIZE), dtype=np.float32), rows[5:6]:
        for how in ({"ef": 150}, {"exact": True}, {"ef": 150, "rescore": False}):
            ask = search(collection, query[0], **how)
            assert paged(ask, 15, 150) == list(ask(150, 0)), how
        if encoding == "4" and shape not in ("lengths", "plane"):
            assert repeats_and_omissions(search(collection, query[0]), 25, 150) <= 1
        collection.upkeep.seal()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_pages_under_a_filter(
    collection_of: OpenCollection, corpus: Corpus, rng: np.random.Generator, share: float
) -> None:
    collection = collection_of(config_of(384))
    passing = rng.random(6_000) < share
    payloads = [b'{"a":1}' if one else b'{"a":2}' for one in passing]
    written(collection, corpus.base[:6_000], payloads)
    collection.upkeep.seal()
    only = Filter(must=(Match(parse_path("a"), (1,)),))
    for query in corpus.queries[:2]:
        for how in ({"ef": 150}, {"ef": 600}, {"exact": True}):
            ask = search(collection, query, filter=only, **how)
            assert paged(ask, 15, 150) == list(ask(150, 0)), how
        assert repeats_and_omissions(search(collection, query, filter=only), 10, 500) <= 1


def test_pages_of_trees_and_of_examples(
    collection_of: OpenCollection, corpus: Corpus, rng: np.random.Generator
) -> None:
    """Also where a level searches among what its prefetches found, or judges by examples."""
    collection = collection_of(config_of(384))
    written(collection, corpus.base[:4_000])
    collection.upkeep.seal()
    near = queries.Nearest(corpus.queries[0])
    params = queries.SearchParams(ef=200)
    wide = queries.Prefetch(query=near, limit=250)
    kinds = {
        "nearest": queries.Prefetch(query=near, params=params),
        "rescored": queries.Prefetch(
            query=queries.Nearest(corpus.queries[1]), params=params, prefetches=(wide,)
        ),
        "fused": queries.Prefetch(query=queries.Fusion(), prefetches=(wide, wide)),
        "average": queries.Prefetch(query=queries.Recommend(positive=(3, 4)), params=params),
        "best": queries.Prefetch(
            query=queries.Recommend(positive=(3, 4), strategy="best_score"), params=params
        ),
        "excluded": queries.Prefetch(query=queries.Nearest(7), params=params),
    }
    for name, root in kinds.items():

        def ask(limit: int, offset: int, root: queries.Prefetch = root) -> Sequence[object]:
            reading = collection.reading()
            request = QueryRequest(replace(root, limit=limit), offset)
            return [one.id for one in answer(reading, request, lambda _: reading).records]

        assert paged(ask, 20, 200) == list(ask(200, 0)), name


@pytest.mark.parametrize("merge", ["raw", "matched", "rank"])
def test_pages_of_two_versions(
    collection_of: OpenCollection, rng: np.random.Generator, merge: Method
) -> None:
    """Natively found points and bridged ones, and a query in both versions."""
    spaces = {version: VectorConfig(SIZES[version], Distance.COSINE) for version in ("v1", "v2")}
    account = Account(
        collection_of(versioned(spaces["v1"], seal_rows=1_100)), texts_of(ROWS, rng), spaces
    )
    account.declare("v2")
    account.put("v1", range(ROWS))
    account.put("v2", range(0, ROWS, 5))
    fitted = replace(account.fit("v1", "v2"), merge=Merge(merge))
    writer = account.collection.writer
    put_fitted(
        writer, Local(account.collection.folder) / ADAPTERS, next(iter(writer.fitted)), fitted
    )
    account.collection.upkeep.seal()
    both = VersionedQuery({version: account.query(version, 0) for version in spaces})
    for query in (account.query("v2", 0), both):
        for how in ({"ef": 200}, {"exact": True, "ef": 200}):
            ask = search(account.collection, query, vector_name="@v2", **how)
            assert paged(ask, 20, 200) == list(ask(200, 0)), how


def test_pages_of_copies_at_defaults(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    """A first page misses no set of copies that the pages after it leave to it."""
    collection = collection_of(config_of(64))
    rows = np.repeat(rng.standard_normal((900, 64), dtype=np.float32), 10, axis=0)
    written(collection, rows)
    collection.upkeep.seal()
    lost = 0
    for query in rng.standard_normal((10, 64), dtype=np.float32):
        ask = search(collection, query)
        lost += repeats_and_omissions(ask, 10, 100)
        assert ask(10, 0) == search(collection, query, exact=True)(10, 0)
    assert lost <= 1  # of 1,000
