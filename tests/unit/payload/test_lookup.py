"""Exact matches: every kind of value by its own, texts by their characters too."""

from __future__ import annotations

from uuid import UUID

import pytest
from pyroaring import BitMap

from palimpsest.index.filters.expression import Match, MatchText, Range
from palimpsest.index.payload.lookup import ExactMatches
from palimpsest.index.payload.presence import Presence
from palimpsest.index.payload.values import Read, read_bool, read_integer, read_text, read_uuid

KEY = ("色",)


def matches(read: Read, stored: dict[int, list[object]]) -> ExactMatches:
    made = ExactMatches(read)
    made.add(list(stored), list(stored.values()))
    return made


def test_normal_forms_are_different_texts() -> None:
    made = matches(read_text, {1: ["é"], 2: ["e\u0301"], 3: ["É", "é"], 4: [""]})
    for text, expected in (("é", [1, 3]), ("e\u0301", [2]), ("", [4]), ("e", [])):
        found = made.answer(Match(KEY, (text,)))
        assert found is not None and (sorted(found.sure), found.open) == (expected, "")


def test_integers_beyond_doubles_are_told_apart() -> None:
    made = matches(read_integer, {1: [2**53], 2: [2**53 + 1], 3: [2**63 - 1]})
    found = made.answer(Match(KEY, (2**53 + 1,)))
    assert found is not None and (set(found.sure), found.open) == ({2}, "")
    beyond = made.answer(Match(KEY, (2**53, 2**63)))
    assert beyond is not None and (set(beyond.sure), beyond.open) == ({1}, "others")
    booleans = matches(read_bool, {1: [True], 2: [False]}).answer(Match(KEY, (1,)))
    assert booleans is not None and (set(booleans.sure), booleans.open) == (set(), "others")


def test_uuids_in_another_form_have_to_be_looked_at() -> None:
    one = UUID(int=10**30)
    made = matches(read_uuid, {1: [one.bytes]})
    usual, other = (made.answer(Match(KEY, (text,))) for text in (str(one), str(one).upper()))
    assert usual is not None and (set(usual.sure), usual.open) == ({1}, "")
    assert other is not None and (set(other.sure), other.open) == (set(), "others")


@pytest.mark.parametrize(
    ("text", "how", "expected"),
    [("ап", "prefix", {1, 2}), ("к", "substring", {2, 3}), ("", "prefix", {1, 2, 3})],
)
def test_characters_of_every_distinct_text(text: str, how: str, expected: set[int]) -> None:
    made = matches(read_text, {1: ["ап"], 2: ["апк"], 3: ["к"]})
    found = made.answer(MatchText(KEY, text, how))  # type: ignore[arg-type]
    assert found is not None and (set(found.sure), found.open) == (expected, "others")
    assert matches(read_integer, {1: [1]}).answer(MatchText(KEY, text, how)) is None  # type: ignore[arg-type]


def test_it_says_nothing_of_bounds_and_tokens() -> None:
    made = matches(read_text, {1: ["a"]})
    assert made.answer(Range(KEY, gte=1)) is None
    assert made.answer(MatchText(KEY, "a", "all")) is None


def test_points_go_by_value_or_altogether_and_contents_come_back() -> None:
    made, presence = matches(read_text, {}), Presence()
    stored = {1: ["a"], 2: ["a", "ß"], 3: ["ß"]}
    found = presence.add(list(stored), list(stored.values()), read_text)
    made.add(found.numbers, found.values)
    back = ExactMatches(read_text)
    back.load(made.to_arrays(), presence)
    for each in (made, back):
        each.remove([1], [["a"]])
        each.discard(BitMap([3]))
        answered = [each.answer(Match(KEY, (text,))) for text in ("a", "ß")]
        assert [set(one.sure) for one in answered if one is not None] == [{2}, {2}]
        assert len(each) == 2 and each.nbytes > 0
