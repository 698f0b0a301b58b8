"""Failures of models say whose they are, and keep what helps to try again."""

from __future__ import annotations

from palimpsest.app.embedding.failures import REASONS, EmbeddingFailed


def test_the_embedder_is_named() -> None:
    failed = EmbeddingFailed("status", "it answered 429", 429, again=True, after=0.2)
    named = failed.of("größe")
    assert named.text == ("Service error: embedder 'größe': it answered 429; nothing was stored")
    assert (named.status, named.reason, named.after) == (429, "status", 0.2)
    assert named.headers == {"retry-after": "1"}
    assert named.reason in REASONS


def test_without_a_time_there_is_no_header() -> None:
    assert EmbeddingFailed("reply", "no").headers == {}
