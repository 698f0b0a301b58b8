"""A token's condition holds while one point has all its values, and only where it can be read."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.app.access.claims import Match, ValueExists
from palimpsest.app.access.holding import holds
from palimpsest.index import CollectionConfig, CreateAlias, Database, VectorConfig
from tests.points import batch_of

PAYLOADS = [
    b'{"n": 9007199254740993, "tag": "a", "on": true}',
    '{"n": 1, "tag": "\u00e9", "on": false, "list": ["x", "y"]}'.encode(),
]


@pytest.fixture
def filled(database: Database) -> Database:
    config = CollectionConfig({"": VectorConfig(2, "dot")})
    database.create("docs", config).upsert(
        batch_of([1, 2], np.eye(2, dtype=np.float32), PAYLOADS)
    ).result()
    database.change_aliases([CreateAlias("pages", "docs")])
    return database


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"n": 2**53 + 1}, True),
        ({"n": 2**53}, False),
        ({"tag": "\u00e9"}, True),
        ({"tag": "e\u0301"}, False),
        ({"on": True}, True),
        ({"on": 1}, False),
        ({"list[]": "y"}, True),
        ({"n": 1, "tag": "\u00e9"}, True),
        ({"n": 1, "tag": "a"}, False),  # two points have one each
        ({"a..b": 1}, False),  # no path
    ],
)
def test_all_values_of_one_point(
    filled: Database, values: dict[str, str | int | bool], expected: bool
) -> None:
    condition = ValueExists("docs", [Match(key, value) for key, value in values.items()])
    assert holds(filled, condition) is expected


def test_where_there_is_no_collection_it_does_not_hold(filled: Database) -> None:
    asked = [Match("n", 1)]
    assert holds(filled, ValueExists("pages", asked))
    assert not holds(filled, ValueExists("other", asked))
    filled.drop("docs")
    assert not holds(filled, ValueExists("docs", asked))
