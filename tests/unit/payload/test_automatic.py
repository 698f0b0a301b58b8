"""Indexes that nobody declared: they answer as payloads would, follow writes, and stay small."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.index import Collection, FieldIndex, Filter, Match, Range, SearchRequest
from palimpsest.index.filters.expression import EACH, Condition, IsEmpty, MatchText, Nested
from palimpsest.index.filters.paths import format_path
from palimpsest.index.payload import automatic, evaluate
from palimpsest.index.payload.automatic import index_for
from tests.conftest import OpenCollection
from tests.keys import one_key
from tests.points import batch_of, config_of
from tests.unit.payload.points import PAYLOADS, Points, probes

KEY = "größe"
LARGE = 2**53 + 1  # no double holds it


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    one_key,
    st.lists(st.tuples(st.integers(0, 4), PAYLOADS | st.none(), st.booleans()), max_size=12),
    st.integers(0, 12),
)
def test_they_follow_writes_as_declared_ones(key: str, writes: list[Any], begun: int) -> None:
    """Begun after some writes, with one between its begin and the stored points."""
    source = Points()
    building = []
    for place, (number, payload, deleted) in enumerate(writes):
        if place == begun:
            for one in filter(None, map(index_for, probes(key))):
                building.append(source.indexes.begin(format_path((key,)), one, automatic=True))
        if deleted and number in source.stored:
            source.delete(number)
        else:
            source.put(number, payload)
    for each in building:
        each.add(list(source.stored), [payload for _, payload, _ in source.stored.values()])
        source.indexes.finish(each)
    for condition in probes(key):
        for asked in (Filter(must=(condition,)), Filter(must_not=(condition,))):
            assert set(evaluate.evaluate(asked, source)) == source.passing(asked)
    assert not source.indexes.fields and not source.indexes.declared
    assert source.indexes.order_column((key,), source.live) is None


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        (Match(("a",), ("x", "y")), "keyword"),
        (Match(("a",), (1, LARGE)), "integer"),
        (Match(("a",), (True,)), "bool"),
        (Match(("a",), (1, "x")), None),
        (Range(("a",), gte=1), "float"),
        (MatchText(("a",), "x", "all"), None),  # its texts would be cut by what nobody declared
        (Nested(("a",), Filter()), None),
        (Filter(), None),
    ],
)
def test_each_condition_has_its_kind(condition: Condition, kind: str | None) -> None:
    index = index_for(condition)
    assert (None if index is None else index.kind) == kind


@pytest.fixture
def collection(collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch) -> Collection:
    monkeypatch.setattr(evaluate, "LEAST_READ", 10)
    made = collection_of(config_of(2))
    write(made, range(200), [{KEY: LARGE + i % 3, "a": [{"b": f"é{i % 5}"}]} for i in range(200)])
    return made


def write(collection: Collection, ids: Sequence[int], payloads: Sequence[Any]) -> None:
    rows = np.ones((len(ids), 2), dtype=np.float32)
    texts = [None if one is None else msgspec.json.encode(one) for one in payloads]
    collection.upsert(batch_of([*ids], rows, texts)).result()


def wait_for(collection: Collection, condition: Match | Range) -> None:
    """Ask until an index answers."""
    deadline = time.monotonic() + 60
    while not collection.writer.indexes.has(condition.path):
        assert time.monotonic() < deadline
        collection.count(Filter(must=(condition,)))
        time.sleep(0.01)


@pytest.mark.parametrize(
    "condition",
    [
        Match((KEY,), (LARGE + 1,)),
        Range((KEY,), gte=float(2**53)),
        Match(("a", EACH, "b"), ("é1",)),
    ],
)
def test_a_field_that_was_read_is_indexed(
    collection: Collection, condition: Match | Range, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Filter(must=(condition,))
    before = collection.count(asked)
    wait_for(collection, condition)
    assert collection.count(asked) == before > 0
    key = format_path(condition.path)
    assert not collection.payload_indexes and collection.writer.indexes.automatic.nbytes > 0
    found = collection.search(SearchRequest(np.ones(2, np.float32), filter=asked))
    assert found.stats.automatic == [key]

    twin = {KEY: LARGE + 1, "a": [{"b": "é1"}]}
    write(collection, range(190, 210), [twin, None] * 10)
    collection.delete([1, 4]).result()
    assert (
        collection.writer.store.fields.count_touched() == 0
    )  # nothing is to be brought up to date
    followed = collection.count(asked)
    collection.create_index(key, FieldIndex.from_declared("keyword")).result()
    assert not collection.writer.indexes.automatic.at(condition.path)  # the declared one answers
    monkeypatch.setattr(evaluate, "LEAST_READ", 10**9)
    collection.drop_index(key).result()
    assert not collection.writer.indexes.has(condition.path)
    assert collection.count(asked) == followed  # by the payloads


def test_what_takes_too_much_memory_is_not_indexed(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    condition = Match((KEY,), (LARGE,))
    wait_for(collection, condition)
    indexes = collection.writer.indexes
    monkeypatch.setattr(automatic, "MOST_BYTES", 1)
    monkeypatch.setattr(automatic, "CHECKED_EACH", 1)
    write(collection, [500], [{KEY: LARGE}])
    assert not indexes.has(condition.path)
    refused: list[str] = []
    indexes.automatic.ask = lambda key, index: refused.append(key)
    assert collection.count(Filter(must=(condition,))) == 68
    assert not refused  # it is not asked for again


def test_small_reads_ask_for_nothing(collection: Collection) -> None:
    asked: list[str] = []
    collection.writer.indexes.automatic.ask = lambda key, index: asked.append(key)
    collection.delete([*range(5, 200)]).result()
    collection.count(Filter(must=(Match((KEY,), (1,)),)))
    assert not asked


def test_of_several_kinds_the_one_that_knows_answers() -> None:
    """An index of texts knows who has values, and not which numbers."""
    source, path = Points(), ("größe",)
    for number in range(50):
        source.put(number, {path[0]: number % 5 if number % 2 else [LARGE, "x"]})
    conditions = IsEmpty(path), Match(path, (LARGE,)), Range(path, gte=3), Match(path, (1, 3))
    for index in filter(None, map(index_for, conditions)):
        building = source.indexes.begin(format_path(path), index, automatic=True)
        building.add(list(source.stored), [payload for _, payload, _ in source.stored.values()])
        source.indexes.finish(building)
    for condition in conditions:
        asked = Filter(must=(condition,))
        known = source.indexes.candidates(condition, source.live)
        assert known is not None and not known.maybe
        assert set(evaluate.evaluate(asked, source)) == source.passing(asked)


def test_nothing_is_built_where_there_is_no_room(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(collection, Match((KEY,), (LARGE,)))
    monkeypatch.setattr(automatic, "MOST_FIELDS", 1)
    asked: list[str] = []
    collection.writer.indexes.automatic.ask = lambda key, index: asked.append(key)
    for key in ("one", "other"):
        collection.count(Filter(must=(Match((key,), (1,)),)))
    assert not asked
