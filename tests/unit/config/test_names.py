"""Names of collections, aliases and vectors: what no file or path could carry is refused."""

from __future__ import annotations

import pytest

from palimpsest.index.config.names import (
    MAX_COLLECTION_NAME,
    MAX_VECTOR_NAME,
    check_name,
    check_vector_name,
)
from palimpsest.index.errors import InvalidConfig


@pytest.mark.parametrize("name", ["ж", "色", "a b", "e\u0301", "...", " ", "\U0010ffff", "a" * 200])
def test_names_of_any_script(name: str) -> None:
    check_vector_name(name)
    check_name(name, "collection", MAX_COLLECTION_NAME)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "got ''"),
        (".", "got '.'"),
        ("..", "got '..'"),
        ("a/b", "'/' is not allowed"),
        ("a\0", r"'\x00' is not allowed"),
        ("имя@v2", "name of a version"),
        ("\ud800", "expected valid Unicode"),
        ("ж" * 101, "at most 200 bytes, got 202"),
    ],
)
def test_what_is_refused_says_why(name: str, said: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        check_vector_name(name)
    assert "vector name" in str(refused.value) and said in str(refused.value)


def test_lengths_are_bytes() -> None:
    check_name("ж" * (MAX_COLLECTION_NAME // 2), "alias", MAX_COLLECTION_NAME)
    for name, limit in (("ж" * 128, MAX_COLLECTION_NAME), ("😀" * 51, MAX_VECTOR_NAME)):
        with pytest.raises(InvalidConfig, match="bytes"):
            check_name(name, "alias", limit)
