"""Declarations of payload indexes: what is read, kept and refused."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from qdrant_client import models

from palimpsest.index.errors import InvalidConfig, InvalidInput, Unsupported
from palimpsest.index.filters.tokens import TokenizerConfig
from palimpsest.index.payload.config import FIELD_KINDS, FieldIndex

FULL = {
    "type": "text",
    "tokenizer": "multilingual",
    "min_token_len": 2,
    "max_token_len": 20,
    "lowercase": False,
    "ascii_folding": True,
    "phrase_matching": True,
    "stopwords": {"languages": ["english", "spanish"], "custom": ["foo"]},
    "stemmer": {"type": "snowball", "language": "english"},
    "on_disk": True,
}


def test_kinds_are_those_of_the_reference() -> None:
    assert set(FIELD_KINDS) == {each.value for each in models.PayloadSchemaType}


@pytest.mark.parametrize("params", get_args(models.PayloadSchemaParams))
def test_every_parameter_of_the_reference_is_known(params: Any) -> None:
    kind = params.__name__.removesuffix("IndexParams").lower()
    fields = params.model_fields
    hints = {"is_tenant": True, "is_principal": True, "on_disk": True, "prefix": True}
    known = {key: value for key, value in hints.items() if key in fields}
    declared = {**dict.fromkeys(fields), "type": kind, "enable_hnsw": False} | known
    index = FieldIndex.from_declared(declared)
    assert index.kind == kind and index.declared == declared


def test_texts_are_read_whole() -> None:
    index = FieldIndex.from_declared(FULL)
    languages = ("english", "spanish")
    tokenizer = TokenizerConfig("multilingual", 2, 20, False, True, languages, ("foo",), "english")
    assert index.tokenizer == tokenizer and index.phrases


@pytest.mark.parametrize(
    "declared", ["keyword", FULL, {"type": "integer", "lookup": False}, {"type": "geo"}]
)
def test_a_declaration_is_kept_as_it_was_given(declared: Any) -> None:
    index = FieldIndex.from_declared(declared)
    assert FieldIndex.from_json(index.to_json()) == index
    assert index.declared == ({"type": declared} if isinstance(declared, str) else declared)


@pytest.mark.parametrize(
    "languages", [{"stopwords": each.value} for each in models.Language], ids=str
)
def test_stop_words_of_every_language_are_known(languages: dict[str, str]) -> None:
    FieldIndex.from_declared({"type": "text", **languages})


@pytest.mark.parametrize(
    ("declared", "error", "text"),
    [
        ("nope", InvalidInput, "expected one of keyword"),
        ({}, InvalidInput, "expected one of keyword"),
        ({"type": "keyword", "lookup": True}, InvalidInput, "`lookup`"),
        ({"type": "keyword", "on_disk": "yes"}, InvalidInput, "`on_disk`"),
        ({"type": "keyword", "memory": "hot"}, InvalidInput, "pinned"),
        ({"type": "integer", "lookup": False, "range": False}, InvalidConfig, "both are false"),
        ({"type": "text", "min_token_len": 0}, InvalidConfig, "1 to"),
        ({"type": "text", "min_token_len": True}, InvalidInput, "`min_token_len`"),
        ({"type": "text", "min_token_len": 5, "max_token_len": 4}, InvalidConfig, "above"),
        ({"type": "text", "tokenizer": "code"}, Unsupported, "multilingual"),
        ({"type": "text", "stopwords": "klingon"}, InvalidConfig, "klingon"),
        ({"type": "text", "stopwords": {"words": []}}, InvalidInput, "`words`"),
        ({"type": "text", "stopwords": {"custom": "a"}}, InvalidConfig, "lists of texts"),
        ({"type": "text", "stopwords": {"custom": 5}}, InvalidConfig, "lists of texts"),
        ({"type": "text", "stemmer": {"type": "porter"}}, InvalidConfig, "snowball"),
        ({"type": "text", "stemmer": {"type": "snowball", "language": "x"}}, InvalidConfig, "'x'"),
        ({"type": "text", "scoring": True}, Unsupported, "sparse"),
        ({"type": "integer", "nested": "list"}, Unsupported, "nested condition"),
    ],
)
def test_refusals(declared: Any, error: type[InvalidInput], text: str) -> None:
    with pytest.raises(error, match=text):
        FieldIndex.from_declared(declared)
