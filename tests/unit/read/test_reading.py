"""One way into a search: plain searches, levels of trees and batches of one state agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    Filter,
    HasId,
    InvalidVector,
    NamedVectors,
    PointBatch,
    PointNotFound,
    Reading,
    SearchRequest,
    VectorConfig,
)

N, SIZE = 60, 8
ROWS = np.random.default_rng(3).standard_normal((N, SIZE)).astype(np.float32)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """Points 0 to N - 1 with payloads; the last one has no vector."""
    folder: Path = tmp_path_factory.mktemp("reading")
    with Database.open(folder, threads=1) as database:
        made = database.create("c", CollectionConfig({"": VectorConfig(SIZE, Distance.COSINE)}))
        named = {"": NamedVectors(np.arange(N - 1), ROWS[: N - 1])}
        payloads = [b'{"n":%d}' % n for n in range(N)]
        made.upsert(PointBatch(range(N), named, payloads)).result()
        yield made


@pytest.mark.parametrize("filter", [None, Filter(must=(HasId(frozenset(range(0, N, 3))),))])
def test_a_level_of_a_tree_finds_what_a_plain_search_does(
    collection: Collection, filter: Filter | None
) -> None:
    for query in ROWS[:5]:
        request = SearchRequest(query, k=7, filter=filter)
        plain = collection.search(request)
        (batched,) = collection.search_batch([request])
        reading = collection.reading()
        level = reading.nearest(request, reading.allowed(filter))
        assert list(plain.ids) == list(batched.ids) == list(level.ids)
        assert plain.distances.tolist() == batched.distances.tolist() == level.distances.tolist()
        assert reading.stats.scored == plain.stats.scored


def test_filters_and_payloads_of_trees_are_timed_as_those_of_searches(
    collection: Collection,
) -> None:
    filter = Filter(must=(HasId(frozenset(range(0, N, 3))),))
    reading = collection.reading()
    level = reading.nearest(SearchRequest(ROWS[0], k=7), reading.allowed(filter))
    spent = reading.stats.seconds["filter"]
    assert spent > 0
    reading.allowed(filter)  # known already
    assert reading.stats.seconds["filter"] == spent
    reading.records(level.numbers, with_payload=True, with_vectors=False)
    assert reading.stats.seconds["payload"] > 0


def test_what_hits_show_changes_no_hit(collection: Collection) -> None:
    bare = collection.search(SearchRequest(ROWS[1], k=9))
    full = collection.search(SearchRequest(ROWS[1], k=9, with_payload=True, with_vectors=True))
    assert list(bare.ids) == list(full.ids) and full.whole
    assert full.payloads == [b'{"n":%d}' % one for one in full.ids]  # type: ignore[str-bytes-safe]
    assert [int(one) for one in bare.seqs] == [int(one) for one in full.seqs]


def test_a_stored_point_is_searched_with_by_its_id(collection: Collection) -> None:
    by_id = collection.search(SearchRequest(4, k=5))
    by_vector = collection.search(SearchRequest(ROWS[4], k=6))
    assert list(by_id.ids) == [one for one in by_vector.ids if one != 4]
    with pytest.raises(PointNotFound):
        collection.search(SearchRequest(10**6))
    with pytest.raises(InvalidVector, match="has no vector"):
        collection.search(SearchRequest(N - 1))


def test_a_point_that_is_deleted_while_it_is_looked_up_is_not_found(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = collection.reading()
    looked_up = iter([[7], [None]])
    monkeypatch.setattr(Reading, "numbers_of", lambda *_: next(looked_up))
    monkeypatch.setattr(Reading, "examples", lambda *_: [None])
    with pytest.raises(PointNotFound):
        reading.search(SearchRequest(4))
