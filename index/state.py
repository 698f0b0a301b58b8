"""Numbers about a view, read off without looking at rows."""

from __future__ import annotations

from collections import Counter

from index.search.plan import DEFAULT_EF
from index.types import SearchRequest, VectorInfo
from index.view import VectorView

# Rough seconds on one core; per dimension where rows are read.
_BASE = 20e-6
_PER_VISIT = 0.15e-9
_PER_CODE = 0.03e-9
_PER_FLOAT = 0.15e-9
_SCORED_PER_EF = 20
_PER_HIT = 1e-6  # merged, named and written
_PER_PAYLOAD = 2.5e-6
_PER_VECTOR = 5e-6
_PER_NUMBER = 0.05e-6  # of a vector that is read and written


def vector_state(vectors: VectorView) -> VectorInfo:
    """Return counts and resident bytes of one vector name."""
    resident: Counter[str] = Counter()
    for part in vectors.sealed:
        resident.update(part.segment.bytes_by_component)
    resident["growing"] = sum(part.columns.nbytes for part in vectors.growing)
    indexed = sum(part.live for part in vectors.sealed)
    growing = sum(part.live for part in vectors.growing)
    return VectorInfo(
        points=indexed + growing,
        indexed=indexed,
        growing=growing,
        dead=sum(part.dead.count for part in vectors.sealed + vectors.growing),
        segments=len(vectors.sealed),
        bytes_by_component=dict(resident),
    )


def estimate_seconds(vectors: VectorView, request: SearchRequest) -> float:
    """Return roughly how long a search takes, its hits read and written."""
    size = vectors.config.size
    exact = request.exact or request.ignore_codes
    seconds = _BASE
    rows = 0
    for part in vectors.sealed:
        rows += part.n
        if part.segment.searcher.has_graph and not exact:
            ef = max(request.ef or DEFAULT_EF[vectors.config.encoding], request.k + request.offset)
            seconds += min(part.n, ef * _SCORED_PER_EF) * size * _PER_VISIT
        else:
            seconds += part.n * size * _PER_FLOAT
    for growing in vectors.growing:
        rows += growing.n
        exactly = exact or growing.encoder is None
        seconds += growing.n * size * (_PER_FLOAT if exactly else _PER_CODE)
    per_hit = _PER_HIT
    if request.with_payload:
        per_hit += _PER_PAYLOAD
    if request.with_vectors:
        per_hit += _PER_VECTOR + size * _PER_NUMBER
    return seconds + min(request.k + request.offset, rows) * per_hit
