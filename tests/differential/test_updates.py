"""Generated updates leave the same points behind in both."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from qdrant_client import QdrantClient

from tests.differential.compare import same
from tests.differential.conftest import examples
from tests.differential.filters import filters
from tests.differential.payloads import INDEXES
from tests.differential.points import CONFIG, messy_points, sparse_of
from tests.differential.twins import Refused, Twins, twins
from tests.differential.updates import beginnings, steps

STEPS = 14  # of each example


def compare_points(pair: Twins) -> None:
    found, expected = pair.both(
        lambda client, name: client.scroll(name, limit=100, with_vectors=True)
    )
    same(found, expected, ordered=True)


def test_updates_leave_the_same_points(ours: QdrantClient, theirs: QdrantClient) -> None:
    @examples(90)
    @given(st.data())
    def compare(drawn: st.DataObject) -> None:
        with twins(ours, theirs, **CONFIG) as pair:
            indexed = drawn.draw(st.sets(st.sampled_from(sorted(INDEXES)), max_size=4))
            pair.index({key: INDEXES[key] for key in indexed})
            pair.fill(drawn.draw(beginnings).structs)
            for _ in range(STEPS):
                found, expected = pair.both(drawn.draw(steps))
                assert isinstance(found, Refused) == isinstance(expected, Refused), (
                    found,
                    expected,
                )
                compare_points(pair)
            compare_filters(pair, drawn)
            compare_statistics(pair)

    compare()


def compare_filters(pair: Twins, drawn: st.DataObject) -> None:
    """The indexes followed the updates."""
    for _ in range(6):
        chosen = drawn.draw(filters)
        same(
            *pair.both(lambda client, name, one=chosen: client.scroll(name, one, limit=100)),
            ordered=True,
        )


def compare_statistics(pair: Twins) -> None:
    """The document frequencies followed the updates."""
    same(*pair.both(lambda client, name: client.query_points(name, sparse_of(3), using="idf")))


def test_points_deleted_by_generated_filters(ours: QdrantClient, theirs: QdrantClient) -> None:
    @examples(40)
    @given(messy_points, st.lists(filters, min_size=3, max_size=3))
    def compare(points, chosen) -> None:  # type: ignore[no-untyped-def]
        with twins(ours, theirs, **CONFIG) as pair:
            pair.fill(points.structs)
            for one in chosen:
                pair.both(lambda client, name, one=one: client.delete(name, one))
                compare_points(pair)

    compare()
