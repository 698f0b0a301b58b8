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
    """Return roughly how long a search takes."""
    size = vectors.config.size
    exact = request.exact or request.ignore_codes
    seconds = _BASE
    for part in vectors.sealed:
        if part.segment.searcher.has_graph and not exact:
            ef = max(request.ef or DEFAULT_EF[vectors.config.encoding], request.k + request.offset)
            seconds += min(part.n, ef * _SCORED_PER_EF) * size * _PER_VISIT
        else:
            seconds += part.n * size * _PER_FLOAT
    for growing in vectors.growing:
        exactly = exact or growing.encoder is None
        seconds += growing.n * size * (_PER_FLOAT if exactly else _PER_CODE)
    return seconds
