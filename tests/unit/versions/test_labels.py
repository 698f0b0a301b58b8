"""Points that ask by their own vectors, and the labels in payloads."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from palimpsest.index import Collection
from palimpsest.index.errors import InvalidPairs
from palimpsest.index.filters.paths import parse_path
from palimpsest.index.types import Numbers
from palimpsest.index.versions.labels import Asking, draw_asking, labels_of, read_labels
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

POINTS = 300
PATH = parse_path("über.art[]")


def fill(collection: Collection, payloads: list[Any]) -> None:
    rows = np.random.default_rng(1).standard_normal((len(payloads), 4)).astype(np.float32)
    stored = [None if one is None else json.dumps(one).encode() for one in payloads]
    collection.upsert(batch_of(range(len(payloads)), rows, stored)).result()


def asked(collection: Collection, path: str, count: int) -> Asking:
    view = collection.writer.view
    points = collection._points
    return draw_asking(points, view.vectors[0].held, {"v1": 0}, parse_path(path), count)


def test_which_values_are_labels() -> None:
    def read(value: Any) -> set[Any]:
        payload = json.dumps({"a": value}).encode()
        return {one for _, one in labels_of(payload, parse_path("a"))}  # type: ignore[misc]

    assert read("ö") == {"ö"}
    assert read(["x", "", 2**60 + 1]) == {"x", 2**60 + 1}
    assert read(True) == {True}
    nothing: list[Any] = [None, 1.5, "", [], {}, [[1]], {"b": 1}]
    assert [read(one) for one in nothing] == [set()] * len(nothing)
    assert labels_of(None, parse_path("a")) == labels_of(b"{}", parse_path("a")) == frozenset()
    kinds = [labels_of(json.dumps({"a": one}).encode(), parse_path("a")) for one in (1, True, "1")]
    assert len(set(kinds)) == 3


def test_points_with_labels_are_drawn_the_same_ones_every_time(
    collection_of: OpenCollection,
) -> None:
    collection = collection_of(config_of(4))
    fill(collection, [{"g": i % 3} if i % 2 else {"h": 1} for i in range(POINTS)])
    asking = asked(collection, "g", 40)
    assert len(asking.numbers) == len(set(asking.numbers)) == len(asking.vectors["v1"]) == 40
    again = asked(collection, "g", 40)
    assert asking.numbers == again.numbers
    ids = collection._points.ids_of(asking.numbers)
    for number, labels in zip(asking.numbers, asking.labels, strict=True):
        assert labels == {(int, int(ids[number]) % 3)}  # type: ignore[call-overload]
    assert len(asked(collection, "g", 1_000).numbers) == POINTS // 2
    numbers: Numbers = np.array(asking.numbers, dtype=np.uint32)
    read = read_labels(collection._points, numbers, parse_path("g"))
    assert [read[one] for one in asking.numbers] == asking.labels


@pytest.mark.parametrize(
    ("payloads", "text"),
    [
        ([{"g": i} for i in range(20)], "no two of the 20"),
        ([{"g": "one"}] * 20, "all 20 points"),
        ([{"h": 1}] * 20, "0 of 20 points"),
        ([None] * 20, "0 of 20 points"),
        ([{"g": 1}, *[{}] * 19], "1 of 20 points"),
    ],
)
def test_labels_that_tell_nothing_are_refused(
    payloads: list[Any], text: str, collection_of: OpenCollection
) -> None:
    collection = collection_of(config_of(4))
    fill(collection, payloads)
    with pytest.raises(InvalidPairs, match=text):
        asked(collection, "g", 20)
