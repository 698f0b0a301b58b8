"""Recall after every phase of a segment's life, for every encoding, on real embeddings.

Thresholds are a point or two below what was measured, so that a broken encoder or graph fails them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from palimpsest.index import Collection, Distance, SearchRequest
from palimpsest.index.types import Vectors
from tests.conftest import Corpus, OpenCollection
from tests.oracle import distances, recall
from tests.points import batch_of, config_of

K = 10
SEALED = {"float32": 0.99, "8": 0.99, "4": 0.99, "2": 0.985, "1": 0.98}
GROWING = 0.99
WITHOUT_ORIGINALS = {"8": 0.98, "4": 0.93, "2": 0.83, "1": 0.68}


class Life:
    """A collection and the rows that must be in it; ids are places in ``rows``."""

    def __init__(self, collection: Collection, corpus: Corpus) -> None:
        self.collection = collection
        self.corpus = corpus
        self.live = np.zeros(len(corpus.base), dtype=bool)

    def insert(self, start: int, stop: int) -> None:
        for first in range(start, stop, 1_000):
            ids = range(first, min(first + 1_000, stop))
            self.collection.upsert(batch_of(list(ids), self.corpus.base[ids])).result()
        self.live[start:stop] = True

    def delete(self, ids: list[int]) -> None:
        self.collection.delete(ids).result()
        self.live[ids] = False

    def seal(self) -> None:
        self.collection.upkeep.seal()
        assert self.collection.upkeep.last_error is None

    def compact(self) -> None:
        self.collection.upkeep.compact()
        assert self.collection.upkeep.last_error is None
        assert not self.collection.upkeep.due.parts_to_compact()

    def recall(self, **parameters: object) -> float:
        truth = self.truth()
        requests = [SearchRequest(query, k=K, **parameters) for query in self.corpus.queries]  # type: ignore[arg-type]
        answers = self.collection.search_batch(requests)
        found = [[int(one) for one in answer.ids] for answer in answers]
        assert all(self.live[ids].all() and len(ids) == K for ids in found)
        return recall(found, truth, K)

    def truth(self) -> Vectors:
        if not hasattr(self, "_all"):
            self._all = distances(self.corpus.queries, self.corpus.base, Distance.COSINE)
        return np.where(self.live, self._all, np.float32(np.inf))


@pytest.fixture(params=list(SEALED))
def life(
    request: pytest.FixtureRequest, collection_of: OpenCollection, corpus: Corpus
) -> Iterator[Life]:
    yield Life(collection_of(config_of(384, encoding=request.param)), corpus)


def test_recall_lasts_a_whole_life(life: Life) -> None:
    encoding = life.collection.config.vectors[""].encoding
    life.insert(0, 6_000)
    assert life.recall() >= GROWING
    life.seal()
    assert life.recall() >= SEALED[encoding], "after seal"
    life.insert(6_000, 9_000)
    assert life.recall() >= SEALED[encoding], "after insert"
    life.delete(list(range(0, 9_000, 2)))
    assert life.recall() >= SEALED[encoding], "after delete"
    life.seal()
    life.compact()
    parts = life.collection.view.vectors[0].sealed
    assert all(part.dead.count == 0 for part in parts)
    assert life.recall() >= SEALED[encoding], "after compaction"
    assert life.recall(exact=True) == 1.0


def test_recall_rises_with_candidates_to_one(life: Life) -> None:
    life.insert(0, 3_000)
    life.seal()
    narrow = life.recall(ef=K, oversampling=1.0)
    wide = life.recall(ef=400, oversampling=4.0)
    everything = life.recall(ef=3_000, oversampling=300.0)
    assert narrow <= wide + 0.002
    assert wide <= everything + 0.002
    assert everything >= 0.995  # rescoring stops at an error bound that holds for nearly all rows


@pytest.mark.parametrize("originals", ["float16", "int8"])
def test_narrow_originals_keep_recall(
    collection_of: OpenCollection, corpus: Corpus, originals: str
) -> None:
    life = Life(collection_of(config_of(384, originals=originals)), corpus)
    life.insert(0, 4_000)
    life.seal()
    assert life.recall() >= 0.985


@pytest.mark.parametrize("encoding", list(WITHOUT_ORIGINALS))
def test_codes_alone_reach_what_their_bits_allow(
    collection_of: OpenCollection, corpus: Corpus, encoding: str
) -> None:
    life = Life(collection_of(config_of(384, encoding=encoding, originals="none")), corpus)
    life.insert(0, 4_000)
    life.seal()
    assert life.recall() >= WITHOUT_ORIGINALS[encoding]
