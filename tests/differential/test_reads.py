"""Reads other than queries: scrolls, retrieval, facets, distance matrices, random samples."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client import QdrantClient, models

from tests.differential.compare import close, require, same
from tests.differential.conftest import examples
from tests.differential.filters import IDS, filters, wide_filters
from tests.differential.payloads import PATHS, drawn_path
from tests.differential.points import CONFIG, NAMES, SETS, SPACES, messy_points, tidy_points
from tests.differential.queries import SELECTORS
from tests.differential.test_queries import compare_ranking, filled
from tests.differential.twins import Refused, Twins, twins

KEYS = ["n", "p", "nested.m", "list", "list[]", "list[0]", "day", "big", "big"]
STARTS = [None, None, 0, 1, 2.5, -1, "2024-01-15T08:00:00Z", 2**53 + 1, 2.0**63, -(10**30)]

maybe = st.one_of(st.none(), wide_filters)


def test_scrolls_in_the_order_of_a_field(ours: QdrantClient, theirs: QdrantClient) -> None:
    @examples(25)
    @given(st.data())
    def compare(drawn: st.DataObject) -> None:
        with twins(ours, theirs, **CONFIG) as pair:
            filled(pair, drawn)
            key = drawn.draw(drawn_path)
            big = drawn.draw(st.sampled_from(["integer", "float"]))
            pair.index({"list[]": "integer", "list[0]": "integer", "big": big, key: "integer"})
            for _ in range(15):
                arguments = {
                    "scroll_filter": drawn.draw(maybe),
                    "limit": drawn.draw(st.sampled_from([1, 4, 100])),
                    "order_by": models.OrderBy(
                        key=drawn.draw(st.sampled_from([*KEYS, key])),
                        direction=drawn.draw(st.sampled_from([None, *models.Direction])),
                        start_from=drawn.draw(st.sampled_from(STARTS)),
                    ),
                }
                compare_ranking(
                    pair, lambda client, name, given=arguments: client.scroll(name, **given)
                )

    compare()


def test_scrolls_page_by_page(ours: QdrantClient, theirs: QdrantClient) -> None:
    @examples(25)
    @given(st.data())
    def compare(drawn: st.DataObject) -> None:
        with twins(ours, theirs, **CONFIG) as pair:
            filled(pair, drawn)
            for _ in range(6):
                arguments = {
                    "scroll_filter": drawn.draw(maybe),
                    "limit": drawn.draw(st.integers(1, 7)),
                    "with_payload": drawn.draw(st.sampled_from(SELECTORS)),
                    "with_vectors": drawn.draw(st.sampled_from([False, True, ["idf"]])),
                }
                compare_pages(pair, arguments, drawn.draw(st.sampled_from([None, *IDS])))

    compare()


def compare_pages(pair: Twins, arguments: dict[str, Any], start: Any) -> None:
    while True:
        found, expected = pair.both(
            lambda client, name, start=start: client.scroll(name, offset=start, **arguments)
        )
        same(found, expected, ordered=True)
        if isinstance(expected, Refused) or expected[1] is None:
            return
        start = expected[1]


def test_points_retrieved_in_part(ours: QdrantClient, theirs: QdrantClient) -> None:
    selectors = st.one_of(
        st.sampled_from(SELECTORS),
        st.lists(
            st.one_of(
                st.sampled_from([path for some in PATHS.values() for path in some]), drawn_path
            ),
            max_size=3,
        ),
        st.builds(
            models.PayloadSelectorExclude,
            exclude=st.lists(
                st.sampled_from(PATHS["integer"] + PATHS["word"]), min_size=1, max_size=3
            ),
        ),
    )

    @examples(40)
    @given(st.data())
    def compare(drawn: st.DataObject) -> None:
        with twins(ours, theirs, **CONFIG) as pair:
            pair.fill(drawn.draw(messy_points).structs)
            for _ in range(15):
                wanted = drawn.draw(st.lists(st.sampled_from(IDS), max_size=6, unique=True))
                payload = drawn.draw(selectors)
                vectors = drawn.draw(
                    st.one_of(
                        st.booleans(),
                        st.lists(st.sampled_from(NAMES), max_size=3, unique=True),
                    )
                )
                found, expected = pair.both(
                    lambda client, name: client.retrieve(name, wanted, payload, vectors)  # noqa: B023
                )
                order = {one.id: place for place, one in enumerate(expected)}
                found.sort(key=lambda one: order.get(one.id, -1))  # noqa: B023
                same((found, None), (expected, None), ordered=True)

    compare()


@pytest.mark.parametrize("indexed", [False, True], ids=["scanned", "indexed"])
def test_facets(ours: QdrantClient, theirs: QdrantClient, indexed: bool) -> None:
    keys = {
        "word": "keyword",
        "a[].c": "keyword",
        "n": "integer",
        "a[].b": "integer",
        "ok": "bool",
        "u": "uuid",
    }

    @examples(30)
    @given(st.data())
    def compare(drawn: st.DataObject) -> None:
        with twins(ours, theirs, **CONFIG) as pair:
            mine = {**keys, drawn.draw(drawn_path): "integer"}
            if indexed:
                pair.index(mine)
            pair.fill(drawn.draw(messy_points).structs)
            for _ in range(12):
                compare_facet(pair, drawn, drawn.draw(st.sampled_from(sorted(mine))))

    compare()


def compare_facet(pair: Twins, drawn: st.DataObject, key: str) -> None:
    chosen, limit = (
        drawn.draw(st.one_of(st.none(), filters)),
        drawn.draw(st.sampled_from([1, 3, 50])),
    )
    found, expected = pair.both(
        lambda client, name: client.facet(name, key, facet_filter=chosen, limit=limit, exact=True)
    )
    same(shown(found), shown(expected))


def shown(answer: Any) -> Any:
    """Return facet values with their types, in which 1 and true differ."""
    if isinstance(answer, Refused):
        return answer
    return [(type(hit.value).__name__, hit.value, hit.count) for hit in answer.hits]


def test_distance_matrices(ours: QdrantClient, theirs: QdrantClient) -> None:
    @examples(25)
    @given(tidy_points, st.lists(maybe, min_size=7, max_size=7), st.sampled_from([1, 3, 100]))
    def compare(points, chosen, limit) -> None:  # type: ignore[no-untyped-def]
        with twins(ours, theirs, **CONFIG) as pair:
            pair.fill(points.structs)
            for using, one in zip([*SPACES, *SETS], [*chosen, None], strict=True):
                compare_matrix(pair, query_filter=one, using=using, sample=1_000, limit=limit)

    compare()


def compare_matrix(pair: Twins, **arguments: Any) -> None:
    found, expected = pair.both(lambda client, name: client.search_matrix_pairs(name, **arguments))
    mine, theirs = ([(one.a, one.b, one.score) for one in each.pairs] for each in (found, expected))
    require(len(mine) == len(theirs), "numbers of pairs", mine, theirs)
    for one, other in zip(mine, theirs, strict=True):
        require(one[0] == other[0] and close(one[2], other[2]), "pairs", mine, theirs)
    offsets = pair.ours.search_matrix_offsets(pair.name, **arguments)
    ids, rows, columns = offsets.ids, offsets.offsets_row, offsets.offsets_col
    assert [(ids[row], ids[column]) for row, column in zip(rows, columns, strict=True)] == [
        one[:2] for one in mine
    ]
    assert offsets.scores == pytest.approx([one[2] for one in mine], abs=1e-6)


def test_random_samples(ours: QdrantClient, theirs: QdrantClient) -> None:
    @examples(15)
    @given(tidy_points, maybe, st.sampled_from([1, 5, 100]))
    def compare(points, chosen, limit) -> None:  # type: ignore[no-untyped-def]
        sample = models.SampleQuery(sample=models.Sample.RANDOM)
        with twins(ours, theirs, **CONFIG) as pair:
            pair.fill(points.structs)
            allowed = {one.id for one in theirs.scroll(pair.name, chosen, limit=100)[0]}
            found = ours.query_points(
                pair.name, query=sample, query_filter=chosen, limit=limit
            ).points
            ids = {one.id for one in found}
            assert len(ids) == len(found) == min(limit, len(allowed))
            assert ids <= allowed

    compare()


def test_samples_differ(ours: QdrantClient, theirs: QdrantClient) -> None:
    @examples(2)
    @given(tidy_points)
    def compare(points) -> None:  # type: ignore[no-untyped-def]
        sample = models.SampleQuery(sample=models.Sample.RANDOM)
        with twins(ours, theirs, **CONFIG) as pair:
            pair.fill(points.structs)
            drawn = {
                tuple(one.id for one in ours.query_points(pair.name, query=sample).points)
                for _ in range(8)
            }
            assert len(drawn) > 1

    compare()
