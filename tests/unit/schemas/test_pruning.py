"""Pruning of bodies: what is unknown goes, what is known keeps its very text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.pruning import Pruner, Types
from palimpsest.app.warnings import Warnings


class Inner(msgspec.Struct):
    """A value."""

    n: int
    note: str | None = None


class Outer(msgspec.Struct):
    """Values, by name and in a row."""

    one: Inner
    row: list[Inner] = []
    named: dict[str, Inner] = {}
    payload: Any = None


TYPES = Types({}, {Outer: {"first": "one"}}, {Inner: frozenset(["model"])}, frozenset())


def prune(text: str, **choices: Any) -> tuple[str, list[str]]:
    warnings = Warnings()
    pruned = Pruner(TYPES, warnings, **choices).prune(text.encode(), Outer)
    return pruned.decode(), warnings.texts()


def test_nothing_to_do_is_the_very_same_object() -> None:
    text = b'{ "one": {"n": 9007199254740993},  "payload": {"x": [1.0, null]} }'
    assert Pruner(TYPES, Warnings()).prune(text, Outer) is text


def test_what_is_unknown_is_left_out_and_named() -> None:
    found, warned = prune('{"one": {"n": 1, "é": 2}, "row": [{"n": 1, "é": 2}, {"n": 2, "é": 3}]}')
    assert found == '{"one":{"n":1},"row":[{"n":1},{"n":2}]}'
    assert warned == ["unknown field `one.é` was left out", "unknown field `row[].é` was left out"]


def test_names_of_values_are_no_fields() -> None:
    text = '{"one": {"n": 1}, "named": {"é": {"n": 1}, "model": {"n": 2}}}'
    assert prune(text) == (text, [])


def test_numbers_keep_their_text_beside_what_is_left_out() -> None:
    found, _ = prune('{"one": {"n": 1}, "payload": [9007199254740993, 1.10], "colour": 1}')
    assert found == '{"one":{"n": 1},"payload":[9007199254740993, 1.10]}'


def test_a_further_name_is_the_same_field() -> None:
    assert prune('{"first": {"n": 1}}')[0] == '{"one":{"n": 1}}'
    assert prune('{"first": null, "one": {"n": 1}}')[0] == '{"one":{"n": 1}}'
    for text in ('{"first": {"n": 1}, "one": {"n": 2}}', '{"one": {"n": 2}, "first": {"n": 1}}'):
        with pytest.raises(Refusal, match="duplicate field `one`"):
            prune(text)


def test_what_is_known_and_not_carried_out_is_refused() -> None:
    with pytest.raises(Refusal, match="`row\\[\\].model`"):
        prune('{"one": {"n": 1}, "row": [{"n": 1, "model": "m"}]}')
    assert prune('{"one": {"n": 1, "model": null}}') == ('{"one":{"n":1}}', [])


def test_null_where_no_null_may_be_is_absence() -> None:
    assert prune('{"one": {"n": null, "note": null}}')[0] == '{"one":{"note":null}}'


def test_a_strict_server_leaves_it_to_the_decoder() -> None:
    text = '{"one": {"n": 1, "colour": 2}}'
    assert prune(text, strict=True) == (text, [])


def test_what_is_no_json() -> None:
    with pytest.raises(msgspec.DecodeError):
        prune('{"one": ')
