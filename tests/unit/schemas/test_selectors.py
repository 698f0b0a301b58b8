"""What of payloads and vectors is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from qdrant_client import models
from qdrant_client.local.local_collection import LocalCollection

from palimpsest.app.schemas.selectors import FieldSelection, PayloadSelector, WithPayload
from palimpsest.index import (
    InvalidInput,
)

PAYLOAD: dict[str, Any] = {
    "a": {"b": 1, "c": 2},
    "aa": {"b": 3},
    "a.b": 4,
    "l": [{"b": 5, "c": 6}, 7, [{"b": 8}]],
    "n": None,
    "s": "text",
}
SELECTIONS: list[Any] = [
    [],
    ["a"],
    ["a.b"],
    ["a", "a.b"],
    ["a.b", "a"],
    ['"a.b"', "l[].c"],
    ["l[]"],
    ["l[0]"],
    ["l"],
    ["l[].b", "n"],
    ["l[][].b"],
    ["s.deeper"],
    ["missing"],
]


@pytest.mark.parametrize("keys", SELECTIONS)
@pytest.mark.parametrize("form", ["list", "include", "exclude"])
def test_payload_selectors_agree_with_the_reference(keys: list[str], form: str) -> None:
    asked: WithPayload = keys
    reference: Any = keys
    if form == "include":
        asked = FieldSelection(include=keys)
        reference = models.PayloadSelectorInclude(include=keys)
    if form == "exclude":
        asked = FieldSelection(exclude=keys)
        reference = models.PayloadSelectorExclude(exclude=keys)
    select = PayloadSelector(asked, default=False)
    expected = LocalCollection._process_payload(PAYLOAD, reference)
    assert json.loads(bytes(select(json.dumps(PAYLOAD).encode()))) == expected


@pytest.mark.parametrize(
    "key",
    ["", ".a", "a.", "a..b", "a[", "a[x]", 'a."b', "a b", f"a[{'1' * 5_000}]", "a" + "[]" * 128],
)
def test_a_broken_path_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid path"):
        PayloadSelector([key], default=False)


def test_a_selected_payload_keeps_the_digits_of_its_numbers() -> None:
    text = b'{"a":{"x":1.10,"y":123456789012345678901234567890},"b":1}'
    selected = PayloadSelector(["a"], default=True)(text)
    assert bytes(selected) == b'{"a":{"x":1.10,"y":123456789012345678901234567890}}'
