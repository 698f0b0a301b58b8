"""Keys of every script are read, others are not taken for them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.index.filters.decoding import _skipping, decode_payload, key_decoder
from tests.keys import KNOWN, keys

_payloads = st.dictionaries(keys("a", ""), st.integers(0, 3) | st.lists(st.integers(0, 3)))


@settings(max_examples=500, deadline=None)
@given(_payloads, st.frozensets(keys("a", "missing"), max_size=4), st.booleans())
def test_the_keys_asked_for_are_read(
    payload: dict[str, Any], wanted: frozenset[str], escaped: bool
) -> None:
    text = json.dumps(payload, ensure_ascii=escaped).encode()
    found = key_decoder(wanted)(text)
    assert {key: found[key] for key in wanted if key in found} == {
        key: payload[key] for key in wanted if key in payload
    }
    assert decode_payload(text) == payload


@pytest.mark.parametrize("key", KNOWN)
def test_other_keys_are_skipped(key: str) -> None:
    fresh = key.encode().decode()  # a string that nobody has encoded yet
    read = _skipping(frozenset([fresh]))
    others = {"a": [1], "": 2, "\u0446": 3, key + "x": 4}
    others.pop(key, None)
    assert read is not None
    assert read(json.dumps(others).encode()) == {}
    assert read(json.dumps({**others, key: 5}).encode()) == {key: 5}


@pytest.mark.parametrize("key", ["k" * 65_536, "ж" * 32_768, "\ud800"])
def test_keys_that_are_not_worth_a_reader_are_read(key: str) -> None:
    text = json.dumps({key: 1, "a": 2}).encode()
    assert key_decoder([key])(text)[key] == 1


def test_keys_of_one_normal_form_are_distinct() -> None:
    text = json.dumps({"é": 1, "e\u0301": 2, "\u212b": 3, "Å": 4}).encode()
    for key, value in (("é", 1), ("e\u0301", 2), ("\u212b", 3), ("Å", 4)):
        assert key_decoder([key])(text) == {key: value}
