"""Tokens of texts: arrays are several texts, phrases have an order, prefixes are found by words."""

from __future__ import annotations

from typing import Literal

import pytest
from pyroaring import BitMap

from palimpsest.index.filters.expression import Match, MatchText
from palimpsest.index.filters.tokens import TokenizerConfig
from palimpsest.index.payload.presence import Presence
from palimpsest.index.payload.texts import Texts
from palimpsest.index.payload.values import read_text

KEY = ("текст",)
STORED = {
    1: ["красное яблоко"],
    2: ["яблоко красное"],
    3: ["красное", "яблоко"],
    4: ["Яблоко, красное яблоко!"],
    5: ["зелёная груша"],
}
How = Literal["all", "any", "phrase", "prefix", "substring"]


def texts(kind: str = "word", phrases: bool = True) -> Texts:
    made = Texts(TokenizerConfig(kind), phrases)  # type: ignore[arg-type]
    made.add(list(STORED), list(STORED.values()))
    return made


def sets(made: Texts, text: str, how: How) -> tuple[set[int], set[int]]:
    found = made.answer(MatchText(KEY, text, how))
    assert found is not None
    return set(found.sure), set(found.maybe)


def test_several_texts_of_a_point_are_looked_at() -> None:
    made = texts()
    assert sets(made, "красное яблоко", "all") == ({1, 2, 4}, {3})
    assert sets(made, "красное яблоко", "phrase") == ({1, 4}, {3})
    assert sets(made, "яблоко груша", "any") == ({1, 2, 3, 4, 5}, set())
    assert sets(made, "КРАСНОЕ", "phrase") == ({1, 2, 3, 4}, set())
    assert sets(made, "груша яблоко", "all") == (set(), set())


def test_without_their_order_phrases_are_looked_at() -> None:
    assert sets(texts(phrases=False), "красное яблоко", "phrase") == (set(), {1, 2, 3, 4})


def test_a_text_without_tokens_is_in_nothing() -> None:
    for text in ("", " ", "!?", "\u2028"):
        found = texts().answer(MatchText(KEY, text, "all"))
        assert found is not None and not found.sure and not found.maybe and not found.open


def test_characters_and_other_conditions_are_not_its_own() -> None:
    assert texts().answer(MatchText(KEY, "кра", "prefix")) is None
    assert texts().answer(Match(KEY, ("красное",))) is None


def test_beginnings_of_words() -> None:
    made = texts("prefix")
    assert sets(made, "крас", "all") == ({1, 2, 3, 4}, set())
    assert sets(made, "гр ябл", "any") == ({1, 2, 3, 4, 5}, set())
    assert sets(made, "зел гру", "all")[0] == {5}


@pytest.mark.parametrize(("kind", "phrases"), [("word", True), ("word", False), ("prefix", False)])
def test_points_go_and_contents_come_back(kind: str, phrases: bool) -> None:
    made, presence = texts(kind, phrases), Presence()
    presence.add(list(STORED), list(STORED.values()), read_text)
    back = Texts(TokenizerConfig(kind), phrases)  # type: ignore[arg-type]
    back.load(made.to_arrays(), presence)
    for each in (made, back):
        each.remove([1, 3], [STORED[1], STORED[3]])
        each.discard(BitMap([4]))
        assert sets(each, "красное", "all") == ({2}, set())
        assert sets(each, "красное яблоко", "all") == ({2}, set())


def test_contents_of_other_points_are_refused() -> None:
    presence = Presence()
    presence.add([1], [["красное яблоко"]], read_text)
    with pytest.raises(ValueError, match="do not fit"):
        texts().load(texts().to_arrays(), presence)
