"""Roughly how long searches take, told before they run: short ones need no thread of their own."""

from __future__ import annotations

import math

from palimpsest.index.filters.expression import DatetimeRange, Match, Range
from palimpsest.index.filters.walk import conditions_of
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.payload.indexes import PayloadIndexes
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.types import KindVector, VersionedQuery
from palimpsest.index.view.view import AnyVectors, View

# Rough seconds on one core.
_PER_CONDITION = 20e-6
_PER_FLAG = 1e-9  # of a point, by one condition
_FILTERED = 3.0  # a filtered search, by one without a filter
_QUICK = (Match, Range, DatetimeRange)  # conditions that an index of their kind answers
_PER_HIT = 1e-6  # merged, named and written
_PER_PAYLOAD = 2.5e-6
_PER_VECTOR = 5e-6
_PER_NUMBER = 0.05e-6  # of a vector that is read and written


def estimate_seconds(view: View, request: SearchRequest, indexes: PayloadIndexes) -> float:
    """Return roughly how long a search takes, its hits read and written.

    Whatever it searches counts: rows of other versions that bridges lead to as those of its own.
    """
    vectors = view.find(request.vector_name)
    if vectors is None:
        return 0.0
    query = request.query
    if isinstance(query, VersionedQuery) and any(
        isinstance(one, KindVector) for one in query.vectors.values()
    ):
        return math.inf  # of which version it is, and what that takes, is told by searching
    kind = kind_of(vectors.config)
    hits = min(request.k + request.offset, vectors.live)
    seconds = kind.seconds(view, vectors, request) + hits * _hit_seconds(vectors, request)
    if request.filter is None:
        return seconds
    conditions = read = 0
    for base, condition in conditions_of(request.filter):
        if base or not isinstance(condition, _QUICK):
            return math.inf  # payloads may have to be read
        if (left_open := indexes.left_open(condition)) is None:
            return math.inf  # all of them
        conditions += 1
        read += left_open
    filtering = conditions * (_PER_CONDITION + vectors.live * _PER_FLAG)
    return filtering + read * _PER_PAYLOAD + _FILTERED * seconds


def _hit_seconds(vectors: AnyVectors, request: SearchRequest) -> float:
    seconds = _PER_HIT
    if request.with_payload:
        seconds += _PER_PAYLOAD
    if request.with_vectors:
        numbers = kind_of(vectors.config).numbers_in(vectors)
        seconds += _PER_VECTOR + numbers * _PER_NUMBER
    return seconds
