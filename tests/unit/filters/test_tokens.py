"""Tokens by kind of tokenizer and by step."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client.local.payload_filters import unindexed_text_tokens

from palimpsest.index.errors import InvalidConfig
from palimpsest.index.filters.tokens import DEFAULT, Tokenizer, TokenizerConfig


@given(st.text() | st.text("aB1_-é ß٣²"))
def test_the_default_tokens_are_those_of_the_reference(text: str) -> None:
    assert DEFAULT.words(text) == unindexed_text_tokens(text) == DEFAULT.query_tokens(text)


@pytest.mark.parametrize(
    ("choices", "text", "tokens"),
    [
        ({}, "Don't stop_me-now 2.5", ["don", "t", "stop", "me", "now", "2", "5"]),
        ({"lowercase": False}, "Red APPLE", ["Red", "APPLE"]),
        ({"kind": "whitespace"}, " Don't\tstop_me ", ["don't", "stop_me"]),
        ({"kind": "prefix", "max_length": 3}, "Apple a", ["apple", "a"]),
        ({"kind": "prefix", "min_length": 2}, "Apple a", ["apple"]),
        ({"kind": "multilingual"}, "北京大学生 likes สวัสดีชาวโลก!", None),
        ({"min_length": 2, "max_length": 3}, "a bb ccc dddd éé", ["bb", "ccc", "éé"]),
        ({"ascii_folding": True}, "Ação Ærø naïve Москва", ["acao", "aero", "naive", "москва"]),
        ({"languages": ("english",)}, "The state of THE art", ["state", "art"]),
        ({"stopwords": ("State",)}, "the state", ["the"]),
        ({"stopwords": ("State",), "lowercase": False}, "state State", ["state"]),
        ({"stemmer": "english"}, "Running runs", ["run", "run"]),
        ({"languages": ("german",), "stemmer": "german"}, "Die Häuser", ["haus"]),
    ],
)
def test_tokens(choices: dict[str, Any], text: str, tokens: list[str] | None) -> None:
    found = Tokenizer(TokenizerConfig(**choices)).words(text)
    if tokens is None:  # cut by a dictionary: more than one word, nothing lost but the rest
        assert "likes" in found and len(found) >= 5
        assert "".join(found) == text.replace(" ", "").replace("!", "")
    else:
        assert found == tokens


def test_a_query_stands_for_whole_words_of_prefixes() -> None:
    tokenizer = Tokenizer(TokenizerConfig("prefix", min_length=2, max_length=4))
    assert tokenizer.query_tokens("a Ap apples") == ["ap", "appl"]


@pytest.mark.parametrize("choices", [{"languages": ("klingon",)}, {"stemmer": "klingon"}])
def test_unknown_languages_are_refused(choices: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfig, match="klingon"):
        Tokenizer(TokenizerConfig(**choices))
