"""Scored points on the wire.

The engine knows distances, smaller is closer; the wire knows scores: under cosine and dot the
inner product (larger is better), under Euclid and Manhattan the distance itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from palimpsest.app.schemas.records import RecordReply, format_vectors
from palimpsest.app.schemas.selectors import PayloadSelector
from palimpsest.index import Answer, Distances, PointId, Record, SearchResult, format_vector


class ScoredPoint(msgspec.Struct, omit_defaults=True):
    """A hit as it is sent."""

    id: PointId
    version: int
    score: float
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    vector: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    order_value: int | float | msgspec.UnsetType = msgspec.UNSET


class ScoredPoints(msgspec.Struct):
    """The answer to one query as it is sent."""

    points: list[ScoredPoint]


class PointGroup(msgspec.Struct):
    """The best points of one group, and the point that its id names in another collection."""

    hits: list[ScoredPoint]
    id: int | str
    lookup: RecordReply | None = None


class GroupsReply(msgspec.Struct):
    """Groups as they are sent, best first."""

    groups: list[PointGroup]


_FLOATS = msgspec.json.Decoder(list[float])


def to_points(
    result: SearchResult,
    select: PayloadSelector,
    with_vectors: bool | tuple[str, ...],
    similarity: bool,
) -> ScoredPoints:
    """Return a search's result as it is sent, best first."""
    if not len(result.ids):
        return ScoredPoints([])
    distances = result.distances
    # From 0 and not by a minus sign: that of 0 would be -0.0, which prints.
    scores = _printed(0 - distances if similarity else distances)
    hits = [*map(ScoredPoint, result.ids, result.seqs, scores)]
    if select.wanted:
        for hit, payload in zip(hits, result.payloads or (), strict=True):
            hit.payload = select(payload)
    if with_vectors is not False:
        for hit, vectors in zip(hits, result.vectors or (), strict=True):
            hit.vector = format_vectors(vectors)
    return ScoredPoints(hits)


def to_hits(
    answer: Answer, select: PayloadSelector, with_vectors: bool | tuple[str, ...]
) -> list[ScoredPoint]:
    """Return a tree's answer as it is sent, best first."""
    scores = shortest(answer.scores)
    hits = [
        _hit(record, score, select, with_vectors)
        for record, score in zip(answer.records, scores, strict=True)
    ]
    if answer.order_values is not None:
        for hit, value in zip(hits, answer.order_values, strict=True):
            hit.order_value = value
    return hits


def _hit(
    record: Record, score: float, select: PayloadSelector, with_vectors: bool | tuple[str, ...]
) -> ScoredPoint:
    hit = ScoredPoint(record.id, record.seq, score)
    if select.wanted:
        hit.payload = select(record.payload)
    if with_vectors is not False:
        hit.vector = format_vectors(record.vectors)
    return hit


def shortest(given: Sequence[float]) -> list[float]:
    """Return scores that print with the fewest digits that tell a float32."""
    with np.errstate(over="ignore"):
        return _printed(np.asarray(given, dtype=np.float32))


def _printed(scores: Distances) -> list[float]:
    try:
        return _FLOATS.decode(format_vector(scores))
    except msgspec.DecodeError:  # overflow, which JSON cannot hold
        return _FLOATS.decode(format_vector(np.nan_to_num(scores)))
