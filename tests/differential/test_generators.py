"""The generators make cases that mean something; only the local mode is asked here."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from qdrant_client import QdrantClient

from tests.differential.compare import Different, same
from tests.differential.conftest import examples
from tests.differential.filters import filters
from tests.differential.points import CONFIG, messy_points, tidy_points
from tests.differential.queries import requests, strict
from tests.differential.twins import Refused, twins
from tests.differential.updates import beginnings, steps


def test_filters_match_some_points_and_not_others() -> None:
    kinds: Counter[str] = Counter()

    @examples(15)
    @given(st.data())
    def count(drawn: st.DataObject) -> None:
        client = QdrantClient(":memory:")
        with twins(QdrantClient(":memory:"), client, **CONFIG) as pair:
            points = drawn.draw(messy_points).structs
            pair.fill(points)
            for _ in range(20):
                matching = client.count(pair.name, drawn.draw(filters)).count
                kinds["some" if 0 < matching < len(points) else "all or none"] += 1

    count()
    assert kinds["some"] > 0.4 * kinds.total()


def test_queries_find_points_and_are_seldom_decided_by_ties() -> None:
    kinds: Counter[str] = Counter()

    @examples(15)
    @given(st.data())
    def count(drawn: st.DataObject) -> None:
        client = QdrantClient(":memory:")
        with twins(QdrantClient(":memory:"), client, **CONFIG) as pair:
            points = drawn.draw(tidy_points)
            pair.fill(points.structs)
            for _ in range(20):
                request = drawn.draw(requests(points))
                found, _ = pair.both(lambda client, name: client.query_points(name, **request))  # noqa: B023
                mirrored = pair.mirrored(lambda client, name: client.query_points(name, **request))  # noqa: B023
                if isinstance(found, Refused):
                    kinds["refused"] += 1
                elif decided_by_ties(mirrored, found, strict(request)):
                    kinds["tied"] += 1
                else:
                    kinds["found" if found.points else "nothing"] += 1

    count()
    assert kinds["found"] > 0.4 * kinds.total()
    assert kinds["refused"] < 0.15 * kinds.total()
    assert kinds["tied"] < 0.15 * kinds.total()


def decided_by_ties(mirrored: list[object], found: object, ordered: bool) -> bool:
    try:
        for one in mirrored:
            same(one, found, ordered)
    except Different:
        return True
    return False


def test_updates_change_points() -> None:
    kinds: Counter[str] = Counter()

    @examples(20)
    @given(st.data())
    def count(drawn: st.DataObject) -> None:
        client = QdrantClient(":memory:")
        with twins(QdrantClient(":memory:"), client, **CONFIG) as pair:
            pair.fill(drawn.draw(beginnings).structs)
            before = client.scroll(pair.name, limit=100, with_vectors=True)
            for _ in range(12):
                outcome, _ = pair.both(drawn.draw(steps))
                after = client.scroll(pair.name, limit=100, with_vectors=True)
                kinds["refused"] += isinstance(outcome, Refused)
                kinds["changed"] += after != before
                kinds["all"] += 1
                before = after

    count()
    assert kinds["changed"] > 0.4 * kinds["all"]
    assert kinds["refused"] < 0.4 * kinds["all"]
