"""Several examples at once: estimated by codes where sets are many, and exact in the end."""

from __future__ import annotations

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import (
    Collection,
    MultiVector,
    Prefetch,
    QueryRequest,
    SearchRequest,
    answer,
    queries,
)
from palimpsest.index.kinds.multi import search
from palimpsest.index.query import likeness
from tests.conftest import OpenCollection
from tests.unit.kinds.multi.corpus import texts
from tests.unit.kinds.multi.test_finding import CONFIG
from tests.unit.kinds.multi.test_kind import seal, write_sets
from tests.unit.kinds.multi.test_phases import declared
from tests.unit.kinds.multi.twin import distance_of

POINTS = texts(400)
EXAMPLES = [*texts(3, seed=8).values()]
TARGETS = tuple(MultiVector(one) for one in EXAMPLES)
PAIR = queries.Pair(TARGETS[1], TARGETS[2])


@pytest.fixture
def collection(collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch) -> Collection:
    monkeypatch.setattr(search, "_EXACTLY", 100)
    monkeypatch.setattr(likeness, "EXACT_POINTS", 50)
    made = collection_of(declared(CONFIG))
    write_sets(made, {n: one for n, one in POINTS.items() if n < 350})
    seal(made)
    write_sets(made, {n: one for n, one in POINTS.items() if n >= 350})  # which stay growing
    return made


@pytest.mark.parametrize(
    "query",
    [
        queries.Recommend(TARGETS[:2], TARGETS[2:], strategy="best_score"),
        queries.Recommend(TARGETS[:2], TARGETS[2:], strategy="sum_scores"),
        queries.Discover(TARGETS[0], (PAIR,)),
        queries.Context((PAIR,)),
        queries.Feedback(TARGETS[0], ((TARGETS[1], 1.0), (TARGETS[2], 0.2)), 1.0, 1.0, 1.0),
    ],
)
def test_answers_are_those_of_exact_comparisons(
    collection: Collection, query: queries.Query
) -> None:
    reading = collection.reading()

    def found(*, exact: bool) -> dict[object, float]:
        params = queries.SearchParams(exact=exact)
        root = Prefetch(query, using="tokens", limit=10, params=params)
        result = answer(reading, QueryRequest(root), lambda _: reading)
        ids = [record.id for record in result.records]
        return dict(zip(ids, result.scores, strict=True))

    exact, estimated = found(exact=True), found(exact=False)
    if isinstance(query, queries.Context):  # hundreds are equally good
        assert [*estimated.values()] == [*exact.values()]
        return
    assert len({*exact}.intersection(estimated)) >= 9
    assert all(estimated[one] == exact[one] for one in {*exact}.intersection(estimated))


def test_estimates_are_told_apart_and_compared_again(collection: Collection) -> None:
    reading = collection.reading()
    blocks = [*reading.score("tokens", TARGETS, None)]
    assert [is_exact for *_, is_exact in blocks] == [False, True]
    ids = reading.ids_of(np.concatenate([numbers for numbers, *_ in blocks]))
    for numbers, distances, is_exact in blocks:
        exact = reading.rescore("tokens", TARGETS, numbers[::-1])[:, ::-1]
        expected = [
            [distance_of(one, POINTS[int(ids[n])], CONFIG.distance) for n in numbers.tolist()]  # type: ignore[arg-type]
            for one in EXAMPLES
        ]
        np.testing.assert_allclose(exact, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(distances, exact, atol=1e-6 if is_exact else 0.5)
    allowed = BitMap(numbers.tolist())
    few = [*reading.score("tokens", TARGETS, allowed)]
    assert all(is_exact for *_, is_exact in few)


def test_a_search_compares_again_until_no_other_comes_first(collection: Collection) -> None:
    query = MultiVector(EXAMPLES[0])
    rescored = {}
    for oversampling in (None, 3.0):
        request = SearchRequest(query, "tokens", 10, oversampling=oversampling)
        rescored[oversampling] = collection.search(request)
    assert rescored[None].stats.rescored < rescored[3.0].stats.rescored
    assert [*rescored[None].ids] == [*rescored[3.0].ids]
