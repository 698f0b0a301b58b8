"""Texts are found where vectors may stand, and nowhere else; the rest of a body stays as it is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.inference import (
    OPERATIONS,
    POINTS,
    QUERIES,
    QUERY,
    Document,
    Place,
    texts_in,
    with_vectors,
)


def text(of: str) -> dict[str, Any]:
    return {"text": of, "model": "m"}


def filled(body: Any, where: Place) -> Any:
    raw = json.dumps(body).encode()
    found = texts_in(raw, where)
    return json.loads(with_vectors(raw, where, [b'["%b"]' % d.text.encode() for d in found]))


A, B, C = text("a"), text("b"), text("c")
PAIR = {"positive": A, "negative": [1]}


@pytest.mark.parametrize(
    ("where", "body", "expected"),
    [
        (POINTS, {"points": [{"id": 1, "vector": A}, {"id": 2, "vector": [1]}]}, ["a"]),
        (POINTS, {"points": [{"vector": {"x": A, "text": B}}]}, ["a", "b"]),
        (POINTS, {"points": [{"vector": {"text": B, "model": [1]}}]}, ["b"]),
        (POINTS, {"points": [{"vector": {"text": [1], "model": C}}]}, ["c"]),
        (POINTS, {"points": [{"payload": {"vector": A, "p": A}, "vectors": B}]}, ["b"]),
        (POINTS, {"batch": {"vectors": [A, [1], B], "payloads": [C]}}, ["a", "b"]),
        (POINTS, {"batch": {"vectors": {"x": [A], "y": [[1], B]}}}, ["a", "b"]),
        (
            OPERATIONS,
            {
                "operations": [
                    {"upsert": {"points": [{"vector": A}]}},
                    {"set_payload": {"payload": {"vector": B}}},
                    {"update_vectors": {"points": [{"vector": {"": C}}]}},
                ]
            },
            ["a", "c"],
        ),
        (QUERY, {"query": A, "filter": {"must": [{"key": "k", "match": B}]}}, ["a"]),
        (QUERY, {"query": {"nearest": A, "mmr": {"diversity": 1}}}, ["a"]),
        (QUERY, {"query": {"recommend": {"positive": [A, 3], "negative": [B]}}}, ["a", "b"]),
        (QUERY, {"query": {"discover": {"target": B, "context": [PAIR, PAIR]}}}, ["b", "a", "a"]),
        (QUERY, {"query": {"discover": {"target": B, "context": PAIR}}}, ["b", "a"]),
        (QUERY, {"query": {"context": PAIR}}, ["a"]),
        (
            QUERY,
            {"query": {"relevance_feedback": {"target": A, "feedback": [{"example": B}]}}},
            ["a", "b"],
        ),
        (QUERY, {"query": {"versions": {"v1": A, "größe": B}}}, ["a", "b"]),
        (QUERY, {"query": {"formula": {"sum": [A]}, "defaults": B}}, []),
        (
            QUERY,
            {"prefetch": [{"query": A, "prefetch": {"query": B}}], "query": {"fusion": "rrf"}},
            ["a", "b"],
        ),
        (QUERIES, {"searches": [{"query": A}, {"query": [1]}, {"query": {"nearest": B}}]}, "ab"),
        (QUERY, {"query": {"text": {"query": "words"}}, "using": "field"}, []),
    ],
)
def test_where_texts_stand(where: Place, body: Any, expected: list[str]) -> None:
    raw = json.dumps(body).encode()
    assert [each.text for each in texts_in(raw, where)] == list(expected)
    placed = json.dumps(filled(body, where))
    for each in set(expected):
        assert placed.count(json.dumps([each])) == list(expected).count(each)


def test_the_rest_of_a_body_keeps_its_text() -> None:
    body = (
        b' \n{"points": [{"id": 18446744073709551615, "vector": {"text": "a", "model": "m"}, '
        b'"payload": {"n": 123456789012345678901234567890, "f": 1.10, "s": "\\u00e4\xc3\xa4" }}]}'
    )
    found = with_vectors(body, POINTS, [b"[1.50]"])
    assert b'"vector":[1.50]' in found
    assert b'{"n": 123456789012345678901234567890, "f": 1.10, "s": "\\u00e4\xc3\xa4" }' in found
    assert b"18446744073709551615" in found


def test_a_body_without_texts_is_the_same() -> None:
    body = b'{"query": [1, 2], "prefetch": [{"query": {"nearest": 3}}]}'
    assert texts_in(body, QUERY) == []
    assert json.loads(with_vectors(body, QUERY, [])) == json.loads(body)


def test_what_a_text_says() -> None:
    body = {"query": {"text": "größe", "model": "a/b", "options": {"k": 1}, "image": None}}
    assert texts_in(json.dumps(body).encode(), QUERY) == [Document("größe", "a/b", {"k": 1})]


@pytest.mark.parametrize(
    ("query", "kind", "told"),
    [
        ({"image": "b64", "model": "m"}, Refusal, "inference of `image`"),
        ({"object": {}, "model": "m"}, Refusal, "inference of `object`"),
        ({"text": "a", "model": "m", "extra": 1}, msgspec.ValidationError, "unknown field"),
        ({"text": ["a"], "model": "m"}, msgspec.ValidationError, "Expected `str`"),
        ({"text": "a", "model": 3}, msgspec.ValidationError, "Expected `str`"),
        ({"text": "a", "model": "m", "options": []}, msgspec.ValidationError, "Expected `object"),
    ],
)
def test_other_objects(query: Any, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        texts_in(json.dumps({"query": query}).encode(), QUERY)
