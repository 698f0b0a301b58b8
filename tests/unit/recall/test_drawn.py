"""What is asked: rows that pass, each without itself, what was asked of late, what is given."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from palimpsest.index import (
    Distance,
    Filter,
    HasId,
    InvalidInput,
    RecallRequest,
    SearchRequest,
    UnknownVectorName,
)
from palimpsest.index.recall.drawn import drawn
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of
from tests.unit.recall.rows import ASKED, SIZE, N, sealed


def test_rows_and_recent_queries(collection_of: OpenCollection) -> None:
    collection = sealed(collection_of)
    for query in ASKED:
        collection.search(SearchRequest(query))
    questions = drawn(collection.reading(), RecallRequest(num=40, seed=1))
    assert Counter(one.origin for one in questions) == {"rows": 40, "recent": 5}
    rows = [one.asked for one in questions if one.origin == "rows"]
    assert len({one.without for one in rows}) == 40  # none of them twice
    for one in rows[:5]:
        best = one.exact(1).merged
        assert best.numbers[0] != one.without  # its own row is no answer
    few = drawn(collection.reading(), RecallRequest(num=3, seed=1))
    assert Counter(one.origin for one in few) == {"rows": 3, "recent": 3}


def test_only_rows_that_pass_are_asked(collection_of: OpenCollection) -> None:
    collection = sealed(collection_of)
    some = Filter(must=(HasId(frozenset(range(0, N, 100))),))
    questions = drawn(collection.reading(), RecallRequest(filter=some, num=1_000))
    numbers = collection.reading().allowed(some)
    assert numbers is not None and {one.asked.without for one in questions} == {*numbers}


def test_given_queries_alone(collection_of: OpenCollection) -> None:
    collection = sealed(collection_of)
    questions = drawn(collection.reading(), RecallRequest(given=list(ASKED[:7])))
    assert [one.origin for one in questions] == ["given"] * 7


@pytest.mark.parametrize("seal", [True, False])
def test_given_queries_are_checked_though_no_search_is_made(
    seal: bool, collection_of: OpenCollection
) -> None:
    collection = (
        sealed(collection_of) if seal else collection_of(config_of(SIZE, Distance.MANHATTAN))
    )
    for query in (np.ones(SIZE + 1, np.float32), np.full(SIZE, np.inf, np.float32)):
        with pytest.raises(InvalidInput):
            collection.measure_recall(RecallRequest(given=[ASKED[0], query]))


def test_zero_rows_are_no_queries(collection_of: OpenCollection) -> None:
    collection = collection_of(config_of(SIZE))
    collection.upsert(batch_of(range(5), np.zeros((5, SIZE), np.float32))).result()
    assert drawn(collection.reading(), RecallRequest()) == []


def test_an_unknown_name_is_refused(collection_of: OpenCollection) -> None:
    collection = sealed(collection_of)
    with pytest.raises(UnknownVectorName):
        drawn(collection.reading(), RecallRequest(vector_name="other"))
