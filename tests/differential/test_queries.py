"""Generated query trees and groups give the same results in both."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from qdrant_client import QdrantClient, models

from tests.differential.compare import Different, same
from tests.differential.conftest import examples
from tests.differential.points import CONFIG, Points, seeds, tidy_points, vector_of
from tests.differential.queries import grouped, requests, strict
from tests.differential.twins import Call, Twins, twins

QUERIES = 25  # of each example

# What an order needs; the local mode orders without.
ORDERED: dict[str, Any] = {
    "n": "integer",
    "nested.m": "integer",
    "list": "integer",
    "p": "float",
    "day": "datetime",
}


def compare_ranking(pair: Twins, call: Call, ordered: bool = False) -> None:
    """Compare, unless the references themselves differ: the answer hangs on ties then."""
    found, expected = pair.both(call)
    try:
        for mirrored in pair.mirrored(call):
            same(mirrored, expected, ordered)
    except Different:
        event("decided by ties")
    else:
        same(found, expected, ordered)


def query(request: dict[str, Any]) -> Call:
    """Return the call of one request; in fused results, order values are left out.

    There the local mode passes on those of a prefetch by order, if it comes before the others.
    """

    def call(client: QdrantClient, name: str) -> Any:
        answer = client.query_points(name, **request)
        if isinstance(request["query"], models.FusionQuery | models.RrfQuery):
            for one in answer.points:
                one.order_value = None
        return answer

    return call


def groups(request: dict[str, Any]) -> Call:
    """Return the call of one request for groups, as above."""

    def call(client: QdrantClient, name: str) -> Any:
        answer = client.query_points_groups(name, **request)
        if isinstance(request["query"], models.FusionQuery | models.RrfQuery):
            for one in [hit for group in answer.groups for hit in group.hits]:
                one.order_value = None
        return answer

    return call


def filled(pair: Twins, drawn: st.DataObject) -> Points:
    points = drawn.draw(tidy_points)
    pair.fill(points.structs)
    pair.index(ORDERED)
    return points


def test_query_trees(ours: QdrantClient, theirs: QdrantClient) -> None:
    @examples(80)
    @given(st.data())
    def compare(drawn: st.DataObject) -> None:
        with twins(ours, theirs, **CONFIG) as pair:
            points = filled(pair, drawn)
            for _ in range(QUERIES):
                request = drawn.draw(requests(points))
                compare_ranking(pair, query(request), strict(request))

    compare()


def test_groups(ours: QdrantClient, theirs: QdrantClient) -> None:
    @examples(30)
    @given(st.data())
    def compare(drawn: st.DataObject) -> None:
        with twins(ours, theirs, **CONFIG) as pair:
            points = filled(pair, drawn)
            lookups = st.sampled_from(
                [
                    None,
                    pair.name,
                    models.WithLookup(
                        collection=pair.name, with_payload=["n"], with_vectors=["dot"]
                    ),
                ]
            )
            for _ in range(QUERIES):
                request = {**drawn.draw(grouped(points)), "with_lookup": drawn.draw(lookups)}
                compare_ranking(pair, groups(request))

    compare()


def test_batches(ours: QdrantClient, theirs: QdrantClient) -> None:
    @examples(10)
    @given(st.data())
    def compare(drawn: st.DataObject) -> None:
        with twins(ours, theirs, **CONFIG) as pair:
            points = filled(pair, drawn)
            drawn_requests = [drawn.draw(requests(points)) for _ in range(6)]
            fusions = models.FusionQuery | models.RrfQuery
            several = [one for one in drawn_requests if not isinstance(one["query"], fusions)]
            asked = [models.QueryRequest(**as_request(one)) for one in several]
            compare_ranking(pair, lambda client, name: client.query_batch_points(name, asked))

    compare()


def as_request(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `query_points` by the names they have in a request."""
    renamed = {"query_filter": "filter", "with_vectors": "with_vector"}
    return {renamed.get(key, key): value for key, value in arguments.items()}


def test_examples_from_another_collection(ours: QdrantClient, theirs: QdrantClient) -> None:
    @examples(15)
    @given(st.data())
    def compare(drawn: st.DataObject) -> None:
        with twins(ours, theirs, **CONFIG) as pair, twins(ours, theirs, **CONFIG) as other:
            points = filled(pair, drawn)
            other.fill(drawn.draw(tidy_points).structs)
            for _ in range(10):
                request = drawn.draw(requests(points))
                request |= {
                    "prefetch": None,
                    "query": drawn.draw(st.sampled_from([one.id for one in points.structs])),
                    "using": "dot",
                }
                request["lookup_from"] = models.LookupLocation(
                    collection=other.name,
                    vector=drawn.draw(st.sampled_from([None, "euclid", "sparse"])),
                )
                compare_ranking(pair, query(request))

    compare()


def test_inverse_document_frequencies_of_a_part_of_the_points(
    ours: QdrantClient, theirs: QdrantClient
) -> None:
    @examples(10)
    @given(tidy_points, seeds, st.integers(0, 4))
    def compare(points: Points, seed: int, least: int) -> None:
        part = models.Filter(must=models.FieldCondition(key="n", range=models.Range(gte=least)))
        scope = models.SearchParams(idf=models.IdfCorpusParams(corpus=part))
        with twins(ours, theirs, **CONFIG) as pair:
            pair.fill(points.structs)
            compare_ranking(
                pair,
                lambda client, name: client.query_points(
                    name, vector_of("idf", seed), using="idf", search_params=scope
                ),
            )

    compare()
