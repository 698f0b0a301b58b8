"""Claims of tokens: every level as it was meant, and what might restrict is never passed over."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.app.access.claims import (
    LEVELS,
    MAX_COLLECTIONS,
    MAX_MATCHES,
    UnreadableClaims,
    read_claims,
)
from palimpsest.app.access.rights import Level


def right(name: str, word: str = "r") -> dict[str, str]:
    return {"collection": name, "access": word}


def matches(count: int) -> dict[str, Any]:
    return {"collection": "docs", "matches": [{"key": "k", "value": i} for i in range(count)]}


def test_a_token_that_says_nothing_reads() -> None:
    assert read_claims({}).everywhere is Level.READ
    assert read_claims({"access": "m"}).everywhere is Level.MANAGE


def test_a_list_gives_nothing_beside_what_it_names() -> None:
    found = read_claims({"access": [right("écrits", "rw"), right("Écrits", "m")]})
    assert found.everywhere is Level.NONE
    assert found.collections == {"écrits": Level.WRITE, "Écrits": Level.MANAGE}
    assert read_claims({"access": []}).collections == {}
    many = [right(str(number)) for number in range(MAX_COLLECTIONS)]
    assert len(read_claims({"access": many}).collections) == MAX_COLLECTIONS
    with pytest.raises(UnreadableClaims, match="more than"):
        read_claims({"access": [*many, right("one more")]})


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"access": "R"}, "expected a level"),
        ({"access": None}, "expected a level"),
        ({"access": 3}, "expected a level"),
        ({"access": [right("a"), right("a", "rw")]}, "'a' twice"),
        ({"access": [{**right("a"), "payload": {"k": 1}}]}, "payload"),
        ({"access": [right("a", "w")]}, "Invalid enum value"),
        ({"colour": 1}, "colour"),
        ({"value_exists": matches(0)}, "1 to"),
        ({"value_exists": matches(MAX_MATCHES + 1)}, "1 to"),
        ({"exp": "soon"}, "out of range"),
        ({"exp": 10**400}, "out of range"),
        ({"exp": []}, "out of range"),
        ({"access": [right("\ud800")]}, "not Unicode"),
    ],
)
def test_what_is_not_understood_gives_nothing(said: dict[str, Any], text: str) -> None:
    with pytest.raises(UnreadableClaims, match=text):
        read_claims(said)


def test_values_of_a_condition_keep_their_kind() -> None:
    values = [True, 1, "1", 2**53 + 1]
    given = {"collection": "docs", "matches": [{"key": "k", "value": each} for each in values]}
    condition = read_claims({"value_exists": given}).condition
    assert condition is not None
    assert [(type(one.value), one.value) for one in condition.matches] == [
        (type(each), each) for each in values
    ]
    with pytest.raises(UnreadableClaims):
        read_claims({"value_exists": {**given, "matches": [{"key": "k", "value": 1.5}]}})


def test_every_word_is_a_level_of_its_own() -> None:
    assert sorted(LEVELS.values()) == [Level.READ, Level.WRITE, Level.MANAGE]
