"""Requests that both refuse, and the few answers in which we deviate from the local mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from tests.differential.compare import same
from tests.differential.points import CONFIG, build, dense_of, sparse_of
from tests.differential.twins import Call, Refused, Twins, twins

VECTOR = dense_of(1)
PAYLOADS = [{"n": n, "word": "red", "a": [{"b": n}]} for n in range(12)]


@pytest.fixture(scope="module")
def pair(ours: QdrantClient, theirs: QdrantClient) -> Iterator[Twins]:
    with twins(ours, theirs, **CONFIG) as made:
        made.fill(build(PAYLOADS, 0).structs)
        yield made


def query(*arguments: Any, **more: Any) -> Call:
    return lambda client, name: client.query_points(name, *arguments, **more)


def scroll(**arguments: Any) -> Call:
    return lambda client, name: client.scroll(name, **arguments)


def filtered(*conditions: Any, **clauses: Any) -> Call:
    return scroll(scroll_filter=models.Filter(must=list(conditions), **clauses))


def upsert(**point: Any) -> Call:
    return lambda client, name: client.upsert(
        name, [models.PointStruct(**{"id": 1, "vector": {}, **point})]
    )


def at(key: str) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchValue(value=1))


def slice_of(total: int, index: int) -> models.SliceCondition:
    return models.SliceCondition(slice=models.Slice(total=total, index=index))


def fused(by: Any, prefetches: int) -> Call:
    return query(query=by, prefetch=[models.Prefetch(query=VECTOR)] * prefetches)


def recommended(**examples: Any) -> Call:
    return query(query=models.RecommendQuery(recommend=models.RecommendInput(**examples)))


def formula(expression: Any, **defaults: Any) -> Call:
    return fused(models.FormulaQuery(formula=expression, defaults=defaults), 1)


RRF = models.FusionQuery(fusion=models.Fusion.RRF)
ORDER = models.OrderByQuery(order_by=models.OrderBy(key="n"))
NOBODY = 10**9
DECAY = models.DecayParamsExpression(x="n", scale=-1.0)

# What is refused, and with which status by us (api.md section 1).
REFUSED: dict[str, tuple[Call, int]] = {
    "a wrong size": (query(query=[1.0, 2.0]), 400),
    "an unknown vector name": (query(query=VECTOR, using="none"), 400),
    "a sparse query of dense vectors": (query(query=sparse_of(1), using="dot"), 400),
    "a dense query of sparse vectors": (query(query=VECTOR, using="sparse"), 400),
    "terms given twice": (
        query(query=models.SparseVector(indices=[1, 1], values=[1.0, 2.0]), using="sparse"),
        422,
    ),
    "fewer values than terms": (
        query(query=models.SparseVector(indices=[1, 2], values=[1.0]), using="sparse"),
        422,
    ),
    "a point that is not there": (query(query=NOBODY), 404),
    "a limit of 0": (query(query=VECTOR, limit=0), 422),
    "a scroll limit of 0": (scroll(limit=0), 422),
    "prefetches without a query": (query(prefetch=[models.Prefetch(query=VECTOR)]), 400),
    "a threshold without a query": (query(score_threshold=0.5), 400),
    "a threshold of an order": (query(query=ORDER, score_threshold=0.5), 400),
    "a fusion of nothing": (query(query=RRF), 400),
    "a formula over nothing": (query(query=models.FormulaQuery(formula=1.0)), 400),
    "a fusion that names vectors": (
        query(query=RRF, using="dot", prefetch=[models.Prefetch(query=VECTOR)]),
        400,
    ),
    "weights for other prefetches": (fused(models.RrfQuery(rrf=models.Rrf(weights=[1.0])), 2), 400),
    "a k of 0": (fused(models.RrfQuery(rrf=models.Rrf(k=0)), 1), 422),
    "a prefetch limit of 0": (
        query(query=RRF, prefetch=[models.Prefetch(query=VECTOR, limit=0)]),
        422,
    ),
    "no examples": (recommended(), 422),
    "an average of negative examples": (recommended(negative=[VECTOR]), 400),
    "no best score of nothing": (
        recommended(positive=[], strategy=models.RecommendStrategy.BEST_SCORE),
        422,
    ),
    "diversity out of range": (
        query(query=models.NearestQuery(nearest=VECTOR, mmr=models.Mmr(diversity=1.5))),
        422,
    ),
    "too many candidates": (
        query(query=models.NearestQuery(nearest=VECTOR, mmr=models.Mmr(candidates_limit=10**6))),
        422,
    ),
    "a division by zero": (
        formula(models.DivExpression(div=models.DivParams(left=1.0, right=0.0))),
        400,
    ),
    "a root of a negative number": (formula(models.SqrtExpression(sqrt=-1.0)), 400),
    "a variable without a value": (formula("nothing"), 400),
    "a variable that is no number": (formula("word"), 400),
    "a score of a bad number": (formula("$score[x]"), 400),
    "a decay of negative scale": (formula(models.ExpDecayExpression(exp_decay=DECAY)), 400),
    "no moment": (formula(models.DatetimeExpression(datetime="soon")), 400),
    "a maximum of nothing": (formula(models.MaxExpression(max=[])), 400),
    "a minimum count of 0": (
        filtered(min_should=models.MinShould(conditions=[at("n")], min_count=0)),
        422,
    ),
    "no slices": (filtered(slice_of(0, 0)), 400),
    "a slice out of range": (filtered(slice_of(3, 3)), 422),
    "a path cut short": (filtered(at("a.")), 400),
    "a path of nothing": (filtered(at("")), 400),
    "a path of a bad position": (filtered(at("a[x]")), 400),
    "a path never closed": (filtered(at("a[0")), 400),
    "a point named like a word": (upsert(id="not-a-uuid"), 400),
    "a point of an unknown vector": (upsert(vector={"none": VECTOR}), 400),
    "a point of a wrong size": (upsert(vector={"dot": [1.0]}), 400),
    "an empty vector": (upsert(vector={"dot": []}), 400),
    "a dense vector for a sparse name": (upsert(vector={"sparse": VECTOR}), 400),
    "a sparse vector for a dense name": (upsert(vector={"dot": sparse_of(1)}), 400),
    "no points": (lambda client, name: client.upsert(name, []), 400),
    "no ids": (lambda client, name: client.delete(name, []), 400),
    "no vector names": (lambda client, name: client.delete_vectors(name, [], [1]), 422),
    "unknown vector names": (lambda client, name: client.delete_vectors(name, ["none"], [1]), 400),
    "an offset of an order": (scroll(offset=1, order_by=models.OrderBy(key="n")), 400),
    "a facet limit of 0": (lambda client, name: client.facet(name, "word", limit=0), 422),
    "a sample of one": (lambda client, name: client.search_matrix_pairs(name, sample=1), 422),
    "groups of none": (
        lambda client, name: client.query_points_groups(name, "n", VECTOR, group_size=0),
        422,
    ),
    "an unknown collection": (lambda client, name: client.scroll(f"{name}-unknown"), 404),
    "a lookup in an unknown collection": (
        query(query=1, lookup_from=models.LookupLocation(collection="unknown")),
        404,
    ),
    "a collection twice": (lambda client, name: client.create_collection(name, **CONFIG), 409),
    "a vector made anew with another size": (
        lambda client, name: client.create_vector_name(
            name,
            "dot",
            models.DenseVectorNameConfig(dense=models.DenseVectorConfig(size=9, distance="Dot")),
        ),
        400,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_both_refuse(pair: Twins, case: str) -> None:
    call, status = REFUSED[case]
    before = pair.ours.scroll(pair.name, limit=100, with_vectors=True)
    found, expected = pair.both(call)
    assert isinstance(expected, Refused)
    assert isinstance(found, Refused), found
    assert found.status == status, found
    assert pair.ours.scroll(pair.name, limit=100, with_vectors=True) == before


# Where the local mode is no reference, and why.
DEVIATIONS: dict[str, tuple[Call, str]] = {
    "order by a field without an index": (
        query(query=models.OrderByQuery(order_by=models.OrderBy(key="p"))),
        "api.md 7: an order needs a range-capable payload index, so that it is never a full scan",
    ),
    "scroll in the order of a field without an index": (
        scroll(order_by=models.OrderBy(key="p")),
        "api.md 7, as above",
    ),
}


@pytest.mark.parametrize("case", DEVIATIONS)
def test_we_refuse_what_the_local_mode_answers(pair: Twins, case: str) -> None:
    call, reason = DEVIATIONS[case]
    found, expected = pair.both(call)
    assert isinstance(found, Refused) and found.status == 400, reason
    assert not isinstance(expected, Refused), reason


def test_fused_results_have_no_order_values(pair: Twins) -> None:
    """In the local mode those of a prefetch by order come through, if it is the first."""
    pair.index({"n": "integer"})
    found, expected = pair.both(query(query=RRF, prefetch=[models.Prefetch(query=ORDER)]))
    assert {one.order_value for one in found.points} == {None}
    assert None not in {one.order_value for one in expected.points}


def test_versions_count_writes_and_are_0_in_the_local_mode(pair: Twins) -> None:
    found, expected = pair.both(query(query=VECTOR))
    assert {one.version for one in expected.points} == {0}
    assert all(one.version >= 1 for one in found.points)
    same(found, expected)
