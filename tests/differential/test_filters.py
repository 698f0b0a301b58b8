"""Generated filters choose the same points in both, with payload indexes and without."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client import QdrantClient

from tests.differential.compare import same
from tests.differential.conftest import examples
from tests.differential.filters import filters
from tests.differential.payloads import INDEXES, drawn_path
from tests.differential.points import CONFIG, messy_points
from tests.differential.twins import Refused, Twins, twins

# How many filters of each example, and examples: indexes take time to create.
SIZES = {False: (30, 60), True: (50, 20)}


@pytest.mark.parametrize("indexed", [False, True], ids=["scanned", "indexed"])
def test_filters_choose_the_same_points(
    ours: QdrantClient, theirs: QdrantClient, indexed: bool
) -> None:
    filters_each, times = SIZES[indexed]

    @examples(times)
    @given(st.data())
    def compare(drawn: st.DataObject) -> None:
        with twins(ours, theirs, **CONFIG) as pair:
            if indexed:
                pair.index(INDEXES | {drawn.draw(drawn_path): "integer"})
            pair.fill(drawn.draw(messy_points).structs)
            for _ in range(filters_each):
                compare_one(pair, drawn)

    compare()


def compare_one(pair: Twins, drawn: st.DataObject) -> None:
    chosen = drawn.draw(filters)
    found, expected = pair.both(lambda client, name: client.scroll(name, chosen, limit=100))
    same(found, expected, ordered=True)
    if not isinstance(expected, Refused):
        assert pair.ours.count(pair.name, chosen).count == len(expected[0])


def test_an_index_built_over_stored_points_answers_as_one_kept_from_the_start(
    ours: QdrantClient, theirs: QdrantClient
) -> None:
    @examples(10)
    @given(st.data())
    def compare(drawn: st.DataObject) -> None:
        with twins(ours, theirs, **CONFIG) as pair:
            pair.fill(drawn.draw(messy_points).structs)
            pair.index(INDEXES | {drawn.draw(drawn_path): "float"})
            for _ in range(30):
                compare_one(pair, drawn)
            for field in INDEXES:
                ours.delete_payload_index(pair.name, field)
            for _ in range(10):
                compare_one(pair, drawn)

    compare()
