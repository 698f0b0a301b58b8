"""Queries in several versions: clauses that need others are refused, ids stand for points."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.versioned import DEFAULT_RESCORED, VersionsBody, to_versions
from palimpsest.index import InvalidVector, VersionedQuery

POINT = "936da01f-9abd-4d9d-80c7-02af85c822a8"
BOTH = {"v1": [1.0, 0.0], "é": [0.0, 0.0, 0.0]}


def read(**asked: Any) -> VersionedQuery:
    return to_versions(msgspec.convert(msgspec.to_builtins(asked), RawBody).read())


class RawBody(msgspec.Struct):
    """A body before its vectors are cut out."""

    versions: Any
    rescore_version: Any = None
    rescore_limit: Any = None
    vectors: Any = None

    def read(self) -> VersionsBody:
        return msgspec.json.decode(msgspec.json.encode(self), type=VersionsBody)


def test_a_query_of_each_version() -> None:
    found = read(versions=BOTH)
    assert {name: vector.tolist() for name, vector in found.vectors.items()} == BOTH
    assert found.rescore_version is None


def test_candidates_ranked_anew() -> None:
    given = {str(2**64 - 1): [1.0, 2.0, 3.0], POINT: [0.0, 0.0, 0.0]}
    found = read(versions=BOTH, rescore_version="é", vectors=given)
    assert found.rescore_limit == DEFAULT_RESCORED
    assert list(found.supplied) == [2**64 - 1, UUID(POINT)]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"versions": {}}, "at least one version"),
        ({"versions": BOTH, "rescore_limit": 5}, "needs query.rescore_version"),
        ({"versions": BOTH, "vectors": {}}, "needs query.rescore_version"),
        ({"versions": BOTH, "rescore_version": "v3"}, "needs a query of its own"),
        ({"versions": BOTH, "rescore_version": "é", "rescore_limit": 0}, "rescore_limit"),
        (
            {
                "versions": BOTH,
                "rescore_version": "é",
                "vectors": {POINT: [1.0], POINT.upper(): [1.0]},
            },
            "given twice",
        ),
        ({"versions": BOTH, "rescore_version": "é", "vectors": {"-1": [1.0]}}, "query.vectors"),
    ],
)
def test_clauses_that_mean_nothing(asked: dict[str, Any], text: str) -> None:
    with pytest.raises(Refusal, match=text):
        read(**asked)


def test_a_vector_that_cannot_be_read_is_named() -> None:
    with pytest.raises(InvalidVector, match=r"query\.versions\.é"):
        read(versions={"v1": [1.0], "é": "?"})
