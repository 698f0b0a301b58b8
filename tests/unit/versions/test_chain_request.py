"""What a comparison of a chain of versions may ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index.errors import InvalidConfig
from palimpsest.index.filters.paths import parse_path
from palimpsest.index.types import Vectors
from palimpsest.index.versions.chain_request import ChainRequest, check_chain, listed

GROUP = parse_path("group")


def rows(count: int) -> Vectors:
    return np.ones((count, 3), dtype=np.float32)


def test_what_fits_together() -> None:
    check_chain(ChainRequest("", ["a", "b"], relevant_by=GROUP))
    check_chain(ChainRequest("", ["a", "b"], queries={"a": rows(2), "b": rows(2)}))
    judged: list[list[Any]] = [[1], []]
    check_chain(ChainRequest("", ["b", "a"], 1, None, 0, {"a": rows(2), "b": rows(2)}, judged))


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (ChainRequest("", ["a"], relevant_by=GROUP), "got 'a'"),
        (ChainRequest("", [], relevant_by=GROUP), "got none"),
        (ChainRequest("", ["é", "é"], relevant_by=GROUP), "different ones, got 'é', 'é'"),
        (ChainRequest("", list("abcdefghi"), relevant_by=GROUP), "2 to 8"),
        (ChainRequest("", ["a", "b"], 0, GROUP), "k: expected 1 to 100, got 0"),
        (ChainRequest("", ["a", "b"], relevant_by=GROUP, sample=1), "sample: expected 2 to"),
        (ChainRequest("", ["a", "b"]), "queries: expected those of versions 'a', 'b'"),
        (ChainRequest("", ["a", "b"], queries={"a": rows(2), "b": rows(1)}), "as many of each"),
        (ChainRequest("", ["a", "b"], queries={"a": rows(0), "b": rows(0)}), "expected 1 to"),
        (
            ChainRequest("", ["a", "b"], queries={"a": rows(1), "b": rows(1)}, relevant=[]),
            "for each of 1 queries, got 0",
        ),
    ],
)
def test_what_does_not(asked: ChainRequest, text: str) -> None:
    with pytest.raises(InvalidConfig, match=text):
        check_chain(asked)


def test_names_as_text() -> None:
    assert (listed(["a", "b"]), listed([])) == ("'a', 'b'", "none")
