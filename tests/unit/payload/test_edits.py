from __future__ import annotations

import json
import time
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client.local.json_path_parser import parse_json_path
from qdrant_client.local.payload_value_setter import (
    delete_value_by_key,
    merge_payload,
    set_value_by_key,
)

from palimpsest.index.filters.expression import EACH, Path
from palimpsest.index.filters.paths import parse_path
from palimpsest.index.payload.edits import delete_keys, is_same, merge, merge_at
from tests.unit.filters import strategies as draw
from tests.unit.filters.models import path_text

CHECKS = settings(max_examples=500, deadline=None)


def text_of(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload).encode()


def read(payload: bytes | None) -> Any:
    """Return the items of a payload in order; None is an empty one, and nothing else is."""
    decoded = {} if payload is None else json.loads(payload)
    assert (payload is None) == (decoded == {})
    return json.dumps(decoded)


@CHECKS
@given(draw.payloads, draw.payloads)
def test_merging_is_that_of_the_reference(old: dict[str, Any], new: dict[str, Any]) -> None:
    expected = merge_payload(deepcopy(old), deepcopy(new))
    assert read(merge(text_of(old), text_of(new))) == json.dumps(expected)


@CHECKS
@given(draw.payloads, draw.paths, draw.payloads)
def test_merging_below_a_path_is_that_of_the_reference(
    old: dict[str, Any], path: Path, new: dict[str, Any]
) -> None:
    expected = deepcopy(old)
    set_value_by_key(expected, parse_json_path(path_text(path)), deepcopy(new))
    assert read(merge_at(text_of(old), path, text_of(new))) == json.dumps(expected)


@CHECKS
@given(draw.payloads, st.lists(draw.paths, max_size=3))
def test_deleting_is_that_of_the_reference(old: dict[str, Any], paths: list[Path]) -> None:
    expected = deepcopy(old)
    for path in paths:
        delete_value_by_key(expected, parse_json_path(path_text(path)))
    assert read(delete_keys(text_of(old), paths)) == json.dumps(expected)


def test_untouched_values_keep_their_text() -> None:
    old = b'{"a": 1.10, "b": {"c": [1e5, 0.1000] , "d": 123456789012345678901234}}'
    assert merge(old, b'{"x": 2.50}') == (
        b'{"a":1.10,"b":{"c": [1e5, 0.1000] , "d": 123456789012345678901234},"x":2.50}'
    )
    assert merge_at(old, ("b",), b'{"e": 1.0}') == (
        b'{"a":1.10,"b":{"c":[1e5, 0.1000],"d":123456789012345678901234,"e":1.0}}'
    )
    assert delete_keys(old, [("a",), ("b", "d")]) == b'{"b":{"c":[1e5, 0.1000]}}'


@pytest.mark.parametrize("old", [None, b"{}", b" {} "])
def test_a_payload_that_is_not_there_is_an_empty_one(old: bytes | None) -> None:
    assert merge(old, b'{"a":null}') is None
    assert merge(old, b'{"a":1}') == b'{"a":1}'
    assert merge_at(old, parse_path("a.b"), b'{"c":1}') == b'{"a":{"b":{"c":1}}}'
    assert merge_at(old, parse_path("a"), b"{}") == b'{"a":{}}'
    assert delete_keys(old, [("a",)]) is None


@pytest.mark.parametrize("above", [(), ("a",), ("a", EACH)])
def test_many_keys_are_deleted_in_one_pass(above: Path) -> None:
    value: Any = {f"k{number}": number for number in range(10_000)}
    for step in reversed(above):
        value = [value] if step is EACH else {step: value}
    paths = [(*above, f"k{number}") for number in range(9_999)]
    start = time.process_time()
    left = delete_keys(json.dumps(value).encode(), paths)
    assert time.process_time() - start < 1
    assert left is not None and b"9999" in left and len(left) < 40


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"a":1}', b'{ "a": 1.0 }', True),
        (b'{"a":1}', b'{"a":true}', False),
        (b'{"a":[0]}', b'{"a":[false]}', False),
        (b'{"a":true}', b'{"a":true}', True),
        (b'{"a":1,"b":2}', b'{"b":2,"a":1}', True),
        (b'{"a":9007199254740993}', b'{"a":9007199254740992.0}', False),
        ('{"ц":1}'.encode(), b'{"\\u0446":1}', True),
        ('{"é":1}'.encode(), '{"e\u0301":1}'.encode(), False),
        (b'{"a":{"b":[1,null]}}', b'{"a":{"b":[1]}}', False),
        (b"{}", b"{}", True),
        (None, None, False),
    ],
)
def test_payloads_are_the_same_to_json(one: bytes | None, other: bytes | None, same: bool) -> None:
    assert is_same(one, other) is same
