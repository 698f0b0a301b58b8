"""Searches that look at all codes find what those find that compare all originals."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import Distance, Filter, HasId, SearchRequest
from palimpsest.index.recall.answered import Answerable, share_found
from palimpsest.index.search.merge import Merged
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of
from tests.unit.recall.rows import ASKED, ROWS, SIZE, N, sealed


def merged(ids: list[int], distances: list[float]) -> Merged:
    numbers = np.array(ids, dtype=np.uint32)
    return Merged(ids, np.array(distances, dtype=np.float32), numbers, ids)


def test_a_hit_as_close_as_the_last_counts() -> None:
    exact = merged([1, 2, 3], [0.1, 0.2, 0.3])
    assert share_found(merged([1, 2, 3], [0.1, 0.2, 0.3]), exact) == 1
    assert share_found(merged([1, 2, 9], [0.1, 0.2, 0.3]), exact) == 1  # a copy of 3
    assert share_found(merged([1, 2, 9], [0.1, 0.2, 0.31]), exact) == pytest.approx(2 / 3)
    assert share_found(merged([2], [0.2]), exact) == pytest.approx(1 / 3)
    assert share_found(merged([], []), exact) == 0


def test_estimates_tell_nothing_of_ties() -> None:
    exact = merged([1, 2], [0.1, 0.2])
    assert share_found(merged([1, 9], [0.1, 0.15]), exact, estimated=True) == 0.5


def test_where_nothing_is_close_nothing_can_be_found() -> None:
    assert share_found(merged([], []), merged([], [])) is None


@pytest.mark.parametrize("distance", [Distance.COSINE, Distance.DOT, Distance.EUCLID])
@pytest.mark.parametrize("encoding", ["4", "1", "float32"])
def test_all_codes_and_few_originals_find_what_all_originals_do(
    collection_of: OpenCollection, distance: Distance, encoding: str
) -> None:
    config = config_of(SIZE, distance, encoding=encoding)
    collection = collection_of(config)
    collection.upsert(batch_of(range(N), ROWS)).result()
    collection.upkeep.seal()
    found, read = [], 0
    for query in ASKED[:30]:
        exact = collection.search(SearchRequest(query, exact=True))
        by_codes = Answerable(collection.view, SearchRequest(query, ef=8)).exact(10)
        found.append(len({*exact.ids} & {*by_codes.merged.ids}) / 10)
        read += by_codes.stats.rescored
    assert np.mean(found) >= 0.99
    assert read < 30 * N / 2


def test_nothing_of_it_is_kept_as_what_was_asked_of_late(collection_of: OpenCollection) -> None:
    collection = sealed(collection_of)
    one = Answerable(collection.view, SearchRequest(ASKED[0]))
    for _ in range(20):
        one.planned()
        one.exact(10)
    assert collection.view.vectors[0].recent.queries() == []


def test_filters_hold(collection_of: OpenCollection) -> None:
    collection = sealed(collection_of)
    few = Filter(must=(HasId(frozenset(range(0, N, 7))),))
    allowed = collection.reading().allowed(few)
    exact = Answerable(collection.view, SearchRequest(ASKED[0]), allowed).exact(10)
    plain = collection.search(SearchRequest(ASKED[0], filter=few, exact=True))
    assert list(exact.merged.ids) == list(plain.ids)
