"""Recall@10 under filters, each by itself: 48,000 passages, default settings, one segment.

The filters are those of ``text/filters.json`` and every AND of two. A source or a part of speech
goes together with the vectors, a bucket does not; filters made here lie far from the query.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index import Collection, SearchRequest
from palimpsest.index.filters.bitmaps import from_flags
from palimpsest.index.types import Vectors
from tests import evaluation, oracle
from tests.conftest import Corpus, open_collection
from tests.points import batch_of, config_of

K = 10
MUST = 0.98
QUERIES = 200
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Passages:
    """Vectors in a collection, ids being places; ``filters`` flag them; ``far`` lists clusters."""

    collection: Collection
    base: Vectors
    queries: Vectors
    filters: Mapping[str, Flags]
    clusters: NDArray[np.intp]
    nearness: NDArray[np.float32]  # of each query to each cluster

    def recall(self, allowed: Flags, queries: NDArray[np.intp]) -> float:
        """Return the recall of some queries; every answer must be full and allowed."""
        places = np.flatnonzero(allowed)
        k = min(K, len(places))
        reading, points = self.collection.reading(), from_flags(self.flags_by_number(allowed))
        truth = -(self.queries[queries] @ self.base[places].T)
        found = []
        for query in self.queries[queries]:
            request = SearchRequest(query, k=K)
            answer = reading.nearest(request, points)
            rows = np.searchsorted(places, np.array(answer.ids, dtype=np.intp))
            assert len(rows) == k and (places[rows] == answer.ids).all()
            found.append(rows.tolist())
        return oracle.recall(found, truth, k)

    def flags_by_number(self, allowed: Flags) -> Flags:
        """Return flags by the numbers of points."""
        ids, numbers = [], []
        for part in self.collection.view.vectors[0].sealed:
            ids.append(part.segment.ids)
            numbers.append(part.segment.numbers)
        flags = np.zeros(int(np.concatenate(numbers).max()) + 1, dtype=bool)
        flags[np.concatenate(numbers)] = allowed[np.concatenate(ids).astype(np.intp)]
        return flags


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Iterator[Passages]:
    found = evaluation.find("text/v2_base_f16.npy", "text/filters.json", "text/corpus.jsonl.gz")
    if found is not None:
        vectors, stored, texts = found
        base = oracle.normalise(np.load(vectors).astype(np.float32))
        filters = _stored_filters(stored, texts)
    else:
        base, filters = corpus.base, _made_up_filters(corpus.base)
    collection = open_collection(tmp_path_factory.mktemp("passages") / "c", config_of(384))
    for start in range(0, len(base), 4_000):
        ids = range(start, min(start + 4_000, len(base)))
        collection.upsert(batch_of(list(ids), base[start : start + 4_000])).result()
    collection.upkeep.seal()
    assert len(collection.view.vectors[0].sealed) == 1
    queries = corpus.queries[:QUERIES]
    centres = base[np.random.default_rng(1).permutation(len(base))[:8]]
    yield Passages(
        collection, base, queries, filters, np.argmax(base @ centres.T, axis=1), queries @ centres.T
    )
    collection.close()


def _stored_filters(stored_in: Path, texts: Path) -> dict[str, Flags]:
    with gzip.open(texts) as lines:
        rows = [json.loads(line) for line in lines]
    filters = {}
    for stored in json.loads(stored_in.read_text()):
        flags = np.ones(len(rows), dtype=bool)
        for field, how, value in stored["must"]:
            flags &= _compared(np.array([row[field] for row in rows]), how, value)
        assert np.count_nonzero(flags) == stored["count"]
        filters[stored["name"]] = flags
    return filters


def _compared(column: NDArray[Any], how: str, value: Any) -> Flags:
    match how:
        case "in":
            return np.isin(column, value)
        case ">=":
            return np.asarray(column >= value)
        case "<":
            return np.asarray(column < value)
    raise AssertionError(how)


def _made_up_filters(base: Vectors) -> dict[str, Flags]:
    rng = np.random.default_rng(2)
    filters: dict[str, Flags] = {
        f"random {share}": rng.random(len(base)) < share for share in (0.5, 0.3, 0.1, 0.01, 0.001)
    }
    for share in (0.5, 0.3, 0.1, 0.01):
        along = base @ base[rng.integers(len(base))]
        filters[f"cap {share}"] = along >= np.quantile(along, 1 - share)
    return filters


def test_each_filter_and_each_pair_of_filters(passages: Passages) -> None:
    queries = np.arange(len(passages.queries))
    named = dict(passages.filters)
    for (one, first), (other, second) in combinations(passages.filters.items(), 2):
        named[f"{one} and {other}"] = first & second
    recalls = {
        name: passages.recall(flags, queries) for name, flags in named.items() if flags.any()
    }
    assert len(recalls) > len(passages.filters)
    assert {name: recall for name, recall in recalls.items() if recall < MUST} == {}


@pytest.mark.parametrize("left", [1, 3, 5])
def test_filters_that_leave_out_what_is_close(passages: Passages, left: int) -> None:
    """Only the clusters farthest from each query are allowed: no graph walk leads there by itself.

    How many of the eight clusters are left decides between a scan and the walks.
    """
    recalls = []
    for query in range(0, len(passages.queries), 5):
        far = np.argsort(passages.nearness[query])[:left]
        allowed = np.isin(passages.clusters, far)
        recalls.append(passages.recall(allowed, np.array([query])))
    assert np.mean(recalls) >= MUST


def test_more_are_asked_for_than_there_are(passages: Passages) -> None:
    reading, query = passages.collection.reading(), passages.queries[0]
    for points in (BitMap(), BitMap([3]), BitMap(range(7)), BitMap([2**32 - 1])):
        request = SearchRequest(query, k=K)
        answer = reading.nearest(request, points)
        assert sorted(answer.numbers.tolist()) == [n for n in points if n < len(passages.base)]


@pytest.mark.parametrize("share", [0.9, 0.6, 0.4, 0.2, 0.05])
def test_nothing_is_missing_from_a_long_answer(passages: Passages, share: float) -> None:
    rng = np.random.default_rng(int(100 * share))
    allowed = rng.random(len(passages.base)) < share
    reading = passages.collection.reading()
    points = from_flags(passages.flags_by_number(allowed))
    for query in passages.queries[:5]:
        for k in (300, 2_000):
            request = SearchRequest(query, k=k)
            answer = reading.nearest(request, points)
            ids = np.array(answer.ids, dtype=np.intp)
            expected = min(k, len(points))  # without the data fewer than 2,000 may be allowed
            assert len(set(ids.tolist())) == len(ids) == expected and allowed[ids].all()
