"""Facets and distance matrices on the wire."""

from __future__ import annotations

from typing import Any

import msgspec

from palimpsest.app.schemas.documents import AnyFilter
from palimpsest.app.schemas.hits import shortest
from palimpsest.app.schemas.points import refuse_clauses
from palimpsest.app.schemas.searches import MAX_COUNT, between, to_filter
from palimpsest.index import Filter, MatrixRequest, Neighbours, Path, PointId, parse_path

DEFAULT_FACETS = 10


class FacetBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST facet``."""

    key: str
    limit: int | None = None
    filter: AnyFilter = msgspec.field(default_factory=msgspec.Raw)
    exact: bool | None = None  # counts are always exact
    shard_key: Any = None


class MatrixBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST points/search/matrix/pairs`` and ``.../offsets``."""

    filter: AnyFilter = msgspec.field(default_factory=msgspec.Raw)
    sample: int | None = None
    limit: int | None = None
    using: str | None = None
    shard_key: Any = None


class FacetHit(msgspec.Struct):
    """A value, and how many points have it."""

    value: bool | int | str
    count: int


class FacetReply(msgspec.Struct):
    """Values, the most frequent first."""

    hits: list[FacetHit]


class MatrixPair(msgspec.Struct):
    """Two sampled points and their score."""

    a: PointId
    b: PointId
    score: float


class PairsReply(msgspec.Struct):
    """A matrix as pairs."""

    pairs: list[MatrixPair]


class OffsetsReply(msgspec.Struct):
    """A matrix as coordinates into ``ids``."""

    offsets_row: list[int]
    offsets_col: list[int]
    scores: list[float]
    ids: list[PointId]


class Facet(msgspec.Struct, frozen=True):
    """Which values to count: of which points, how many."""

    path: Path
    limit: int
    filter: Filter | None
    exact: bool


def to_facet(body: FacetBody) -> Facet:
    """Return what a body asks to count. Raises Refusal or InvalidInput."""
    refuse_clauses(body, "shard_key")
    limit = between("limit", body.limit, 1, MAX_COUNT, DEFAULT_FACETS)
    return Facet(parse_path(body.key), limit, to_filter(body.filter), bool(body.exact))


def to_matrix(body: MatrixBody) -> MatrixRequest:
    """Return the matrix a body asks for. Raises Refusal."""
    refuse_clauses(body, "shard_key")
    default = MatrixRequest()
    sample = between("sample", body.sample, 2, MAX_COUNT, default.sample)
    limit = between("limit", body.limit, 1, MAX_COUNT, default.limit)
    return MatrixRequest(body.using or "", to_filter(body.filter), sample, limit)


def to_pairs(found: Neighbours) -> PairsReply:
    """Return a matrix as pairs."""
    ids = found.ids
    return PairsReply(
        [
            MatrixPair(one, ids[place], score)
            for one, places, scores in zip(ids, found.places, found.scores, strict=True)
            for place, score in zip(places, shortest(scores), strict=True)
        ]
    )


def to_offsets(found: Neighbours) -> OffsetsReply:
    """Return a matrix as coordinates."""
    rows = [row for row, places in enumerate(found.places) for _ in places]
    columns = [place for places in found.places for place in places]
    scores = [score for each in found.scores for score in shortest(each)]
    return OffsetsReply(rows, columns, scores, list(found.ids))
