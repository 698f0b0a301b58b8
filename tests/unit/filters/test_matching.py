"""What the reference does not show; the rest is in ``test_against_reference``."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest
from qdrant_client.local.siphash import point_id_slice

from palimpsest.index.filters.decoding import key_decoder, payload_decoder
from palimpsest.index.filters.expression import (
    EACH,
    DatetimeRange,
    Filter,
    HasId,
    HasVector,
    Match,
    MatchText,
    MinShould,
    Nested,
    Range,
    Slice,
    ValuesCount,
)
from palimpsest.index.filters.matching import Facts, compile_condition, compile_filter
from palimpsest.index.filters.slices import slice_of
from palimpsest.index.filters.tokens import Tokenizer, TokenizerConfig
from palimpsest.index.filters.walk import keys_of, paths_of

STEMS = Tokenizer(TokenizerConfig(stemmer="english"))
BEGINNINGS = Tokenizer(TokenizerConfig("prefix", min_length=2, max_length=4))
DEEP = Filter(
    must=(
        Match(("a",), (1,)),
        HasId(frozenset((1,))),
        Nested(("items",), Filter(must_not=(Match(("colour", "name"), ("red",)),))),
    ),
    should=(Filter(must=(Range(("b", EACH), gt=1.0),)), HasVector("text"), Slice(2, 0)),
    min_should=MinShould((DatetimeRange(("at",), lt=0), Match(("a",), (2,))), 1),
)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [({}, True), ({"a": None}, True), ({"a": []}, True), ({"a": [1]}, False), ({"a": 1}, False)],
)
def test_what_is_not_there_has_a_count_of_zero(payload: dict[str, Any], expected: bool) -> None:
    check = compile_condition(ValuesCount(("a",), lt=1))
    assert check(Facts(1, payload)) is expected


def test_texts_are_read_by_the_tokenizer_of_their_field() -> None:
    here = MatchText(("title",), "running", "all")
    facts = Facts(1, {"title": "He runs", "parts": [{"title": "He runs"}]})
    assert not compile_condition(here)(facts)
    assert compile_condition(here, {("title",): STEMS})(facts)
    nested = Nested(("parts",), Filter(must=(here,)))
    assert not compile_condition(nested, {("title",): STEMS})(facts)
    assert compile_condition(nested, {("parts", EACH, "title"): STEMS})(facts)


def test_filters_know_the_paths_and_keys_they_read() -> None:
    assert paths_of(DEEP) == {
        ("a",),
        ("items", EACH, "colour", "name"),
        ("b", EACH),
        ("at",),
    }
    assert keys_of(DEEP) == {"a", "items", "b", "at"}


def test_only_the_keys_of_the_filter_are_decoded() -> None:
    payload = b'{"x":[1,{"a":2}],"a":1.0,"items":[{"y":null}],"big":123456789012345678901}'
    assert payload_decoder(DEEP)(payload) == {"a": 1.0, "items": [{"y": None}]}
    assert key_decoder(["big"])(payload) == {"big": 123456789012345678901}
    assert key_decoder([])(payload) == {}
    assert payload_decoder(DEEP)(None) == {}
    assert payload_decoder(Filter(must=(HasVector(""),)))(payload) == {}


def test_what_json_allows_and_double_precision_does_not_is_read() -> None:
    assert key_decoder(["a"])(b'{"a": 1e400}') == {"a": float("inf")}
    assert key_decoder(["a"])(b'{"a": -%s}' % (b"1" * 5_000)) == {"a": -float("inf")}
    assert key_decoder(["a"])(b'{"a": %s, "b": 1e400}' % (b"1" * 300)) == {"a": int("1" * 300)}
    assert key_decoder(["a"])(b'{"b": 1e400, "a": 1}') == {"a": 1}
    assert key_decoder(["a"])(b'{"a": "\xff"}') == {"a": "\ufffd"}


@pytest.mark.parametrize("point_id", [0, 1, 2**64 - 1, UUID(int=0), UUID(int=2**128 - 1)])
def test_slices_are_those_of_the_reference(point_id: int | UUID) -> None:
    model = point_id if isinstance(point_id, int) else str(point_id)
    for total in (1, 2, 3, 1000, 2**32 - 1):
        assert slice_of(point_id, total) == point_id_slice(model, total)


def test_inside_a_nested_filter_there_is_no_id_and_no_vector() -> None:
    for condition in (HasId(frozenset((1,))), HasVector(""), Slice(1, 0)):
        nested = Filter(must=(Nested(("a",), Filter(must=(condition,))),))
        assert not compile_filter(nested)(Facts(1, {"a": [{}]}, ("",)))


def test_an_empty_filter_passes_every_point() -> None:
    for filter in (Filter(), Filter((), (), ()), Filter(must=(Filter(),))):
        assert compile_filter(filter)(Facts(1, {}))


@pytest.mark.parametrize(
    ("how", "text", "expected"),
    [
        ("all", "rip red", True),
        ("all", "riper red", True),  # as long as tokens get
        ("all", "apple ripe green", False),
        ("all", "r", False),
        ("any", "green ap", True),
        ("any", "pple", False),
        ("phrase", "red app", True),
        ("phrase", "re apple", False),
        ("phrase", "apple red", False),
        ("phrase", "is ripe", True),
    ],
)
def test_beginnings_of_words(how: Any, text: str, expected: bool) -> None:
    check = compile_condition(MatchText(("a",), text, how), {("a",): BEGINNINGS})
    assert check(Facts(1, {"a": [None, "A red apple is a ripe one"]})) is expected


@pytest.mark.parametrize("how", ["all", "any", "phrase"])
@pytest.mark.parametrize("kind", ["word", "prefix"])
def test_the_longest_of_texts_takes_no_time_squared(how: Any, kind: Any) -> None:
    tokenizers = {("a",): Tokenizer(TokenizerConfig(kind))}
    check = compile_condition(MatchText(("a",), "a " * 50_000 + "c", how), tokenizers)
    start = time.process_time()
    check(Facts(1, {"a": ["a " * 100_000 + "b", "a" * 500_000]}))
    assert time.process_time() - start < 2
