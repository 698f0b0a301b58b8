"""Roughly how long dense searches take, told before they run."""

from __future__ import annotations

import math
from operator import attrgetter

import numpy as np

from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.search.dense import is_walked
from palimpsest.index.search.mapped_query import BRIDGED, bridged_plan
from palimpsest.index.search.plan import SearchPlan, SearchRequest, resolve
from palimpsest.index.search.zero_query import is_alike
from palimpsest.index.view.dense import DenseView, dense_of
from palimpsest.index.view.view import AnyVectors, View

# Rough seconds on one core; per dimension where rows are read.
_BASE = 20e-6
_PER_VISIT = 0.15e-9
_PER_CODE = 0.03e-9
_PER_FLOAT = 0.15e-9
_SCORED_PER_EF = 20
_BRIDGE = 100e-6  # to map a query and to merge
_RESCORED = 1e-3  # of a bridge, by a network
_PER_HELD = 10e-9  # of a point, to tell which version it holds
_PER_SORTED = 100e-9
_SCAN_RESCORED = 4  # of a scan, per result


# What of a request decides how long it takes, but for its vector, its filter and its hits.
_means = attrgetter(
    *("vector_name", "k", "offset", "ef", "exact", "rescore", "oversampling", "ignore_codes"),
    *("bridge", "paged"),
)
_MOST_KNOWN = 256  # requests of a view


def seconds(view: View, vectors: DenseView, request: SearchRequest) -> float:
    """Return roughly how long a search takes, of its own rows and of those bridges lead to."""
    if isinstance(request.query, np.ndarray) and is_alike(request.query, vectors.config):
        bridged = _bridged_seconds(view, vectors, request)
        return _BASE + vectors.live * _PER_SORTED + bridged
    key = _means(request)
    known: float | None = view.memo.get(key)
    if known is None:
        bridged = _bridged_seconds(view, vectors, request)
        known = _BASE + _plan_seconds(vectors, resolve(request, vectors.config)) + bridged
        if len(view.memo) < _MOST_KNOWN:
            view.memo[key] = known
    return known


def _bridged_seconds(view: View, vectors: DenseView, request: SearchRequest) -> float:
    """Return roughly how long the rows of other versions take, and to find out which they are."""
    if request.bridge == "off":
        return 0.0
    found = 0.0
    for bridge in view.bridges_of(view.config.number(request.vector_name)):
        if bridge.fitted is None or not view.vectors[bridge.column].live:
            continue
        if bridge.fitted.over == "means of rows":
            found += _means_seconds(view.vectors[bridge.column], bridge.fitted)
            continue
        rows = dense_of(view.vectors[bridge.column])
        count = max(resolve(request, rows.config).depth, BRIDGED)
        found += _BRIDGE + _PER_HELD * (vectors.live + rows.live)
        found += _plan_seconds(rows, bridged_plan(request, rows.config, count))
        if bridge.fitted.adapter.rescores:
            found += _RESCORED
    return found


def _means_seconds(sets: AnyVectors, fitted: Fitted) -> float:
    """Return roughly how long the means of sets take, infinite where they are yet to be made."""
    if not all(fitted.means.has(part.key, part.n) for part in sets.parts if part.n):
        return math.inf
    return _BRIDGE + sets.live * fitted.adapter.rows_size * _PER_FLOAT


def _plan_seconds(vectors: DenseView, plan: SearchPlan) -> float:
    """Return roughly how long the parts take."""
    per_row = 0.0
    for part in vectors.sealed:
        searcher, tried = part.segment.searcher, plan.at(part.segment.effort, part.segment.n)
        if is_walked(searcher, part.n, tried):
            per_row += min(part.n, tried.ef * _SCORED_PER_EF) * _PER_VISIT
            per_row += min(part.n, tried.ef if tried.surely else tried.rescored) * _PER_FLOAT
        else:
            by_codes = searcher.has_codes and not tried.exact
            per_row += _scan_seconds(tried, part.n, by_codes=by_codes)
    for growing in vectors.growing:
        by_codes = growing.encoder is not None and not plan.exact
        per_row += _scan_seconds(plan, growing.n, by_codes=by_codes)
    return per_row * vectors.config.size


def _scan_seconds(plan: SearchPlan, rows: int, *, by_codes: bool) -> float:
    """Return roughly how long a scan takes, per dimension."""
    if not by_codes:
        return rows * _PER_FLOAT
    rescored = max(plan.kept if plan.surely else plan.rescored, _SCAN_RESCORED * plan.fetch)
    return rows * _PER_CODE + min(rescored, rows) * _PER_FLOAT
