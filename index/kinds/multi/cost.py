"""Roughly how long searches of sets take, told before they run."""

from __future__ import annotations

from typing import cast

import numpy as np

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.kinds.multi.growing import MultiGrowing
from palimpsest.index.kinds.multi.plan import MultiPlan, resolve_multi
from palimpsest.index.kinds.multi.sealed import MultiSealed
from palimpsest.index.kinds.multi.search import MultiView
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.types import MultiVector
from palimpsest.index.view.view import SealedPart, View

USUAL = 128  # vectors of a set, and of a query that is the id of a point

# Rough seconds on one core; of a product per dimension.
_BASE = 100e-6
_PER_CODED = 0.01e-9
_PER_EXACT = 0.06e-9
_PER_ROW = 0.15e-6  # of a candidate's row that is compared
_SCORED = 25  # rows of a walk, or sets that lists touch, per candidate
_BRIDGE = 300e-6  # to map a query, and to merge


def seconds(view: View, vectors: MultiView, request: SearchRequest) -> float:
    """Return roughly how long a search takes, of its own sets and of what bridges lead to."""
    found = _own_seconds(vectors, request)
    if request.bridge == "off":
        return found
    for bridge in view.bridges_of(view.config.number(request.vector_name)):
        if bridge.fitted is None:
            continue
        rows = view.vectors[bridge.column]
        found += _BRIDGE
        if isinstance(rows.config, MultiConfig):
            found += _own_seconds(cast(MultiView, rows), request)
        else:  # scanned, whatever they are coded with
            found += rows.live * cast(VectorConfig, rows.config).size * _PER_CODED
    return found


def _own_seconds(vectors: MultiView, request: SearchRequest) -> float:
    plan = resolve_multi(request, vectors.config)
    asked = _vectors_of(request)
    exact = coded = rows = 0.0
    for part in vectors.parts:
        if isinstance(part, MultiGrowing):
            by_originals, by_codes = _of_growing(part, plan)
            exact, coded = exact + by_originals, coded + by_codes
            continue
        own = _of_sealed(part, plan, asked)
        exact, coded, rows = exact + own[0], coded + own[1], rows + own[2]
    products = asked * vectors.config.size
    compared = (exact * _PER_EXACT + coded * _PER_CODED) * products
    return _BASE + compared + rows * _PER_ROW


def _vectors_of(request: SearchRequest) -> int:
    if isinstance(request.query, MultiVector):
        return len(request.query.values)
    return 1 if isinstance(request.query, np.ndarray) else USUAL


def _of_growing(part: MultiGrowing, plan: MultiPlan) -> tuple[float, float]:
    """Return how many vectors are compared exactly, and how many by codes."""
    vectors, rescored = float(part.columns.starts[part.n]), float(plan.rescored)
    if part.columns.codes is None or plan.exact or not 0 < rescored < part.n:
        return vectors, 0.0
    return rescored / part.n * vectors, vectors


def _of_sealed(
    part: SealedPart[MultiSealed], plan: MultiPlan, asked: int
) -> tuple[float, float, float]:
    """Return how many vectors are compared exactly and by codes, and rows of candidates."""
    segment = part.segment
    mean = float(segment.starts[-1]) / max(segment.n, 1)
    if plan.exact or segment.coded is None:
        return part.live * mean, 0.0, 0.0
    rescored = min(plan.rescored, part.live) * mean
    candidates = segment.candidates
    if candidates is None or plan.is_few(part.live, candidates.depth, asked):
        return rescored, part.live * mean, 0.0
    count = plan.candidates(candidates.depth, asked)
    return rescored, count * mean, float(min(part.live, _SCORED * count))
