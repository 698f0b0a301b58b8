"""Roughly how long searches take, told before they run: short ones need no thread of their own."""

from __future__ import annotations

import math

import numpy as np

from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.filters.expression import DatetimeRange, Match, Range
from palimpsest.index.filters.walk import conditions_of
from palimpsest.index.payload.indexes import PayloadIndexes
from palimpsest.index.search.dense import is_walked
from palimpsest.index.search.mapped_query import BRIDGED, bridged_plan
from palimpsest.index.search.plan import SearchPlan, SearchRequest, resolve
from palimpsest.index.search.zero_query import is_alike
from palimpsest.index.segments.growing import Growing
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.view.view import VectorView, View

# Rough seconds on one core; per dimension where rows are read.
_BASE = 20e-6
_PER_VISIT = 0.15e-9
_PER_CODE = 0.03e-9
_PER_FLOAT = 0.15e-9
_SCORED_PER_EF = 20
_PER_SPARSE_ROW = 10e-9
_BRIDGE = 100e-6  # to map a query and to merge
_RESCORED = 1e-3  # of a bridge, by a network
_PER_HELD = 10e-9  # of a point, to tell which version it holds
_PER_SORTED = 100e-9
_SCAN_RESCORED = 4  # of a scan, per result
_PER_CONDITION = 20e-6
_PER_FLAG = 1e-9  # of a point, by one condition
_FILTERED = 3.0  # a filtered search, by one without a filter
_QUICK = (Match, Range, DatetimeRange)  # conditions that an index answers whole
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
    seconds = _search_seconds(vectors, request) + _bridged_seconds(view, vectors, request)
    if request.filter is None:
        return seconds
    conditions = 0
    for base, condition in conditions_of(request.filter):
        if base or not isinstance(condition, _QUICK) or not indexes.has(condition.path):
            return math.inf  # payloads may have to be read
        conditions += 1
    filtering = conditions * (_PER_CONDITION + vectors.live * _PER_FLAG)
    return filtering + _FILTERED * seconds


def _bridged_seconds(view: View, vectors: VectorView, request: SearchRequest) -> float:
    """Return roughly how long the rows of other versions take, and to find out which they are."""
    if request.bridge == "off":
        return 0.0
    seconds = 0.0
    for bridge in view.bridges_of(view.config.number(request.vector_name)):
        rows = view.vectors[bridge.column]
        if bridge.fitted is None or not rows.live:
            continue
        assert isinstance(rows.config, VectorConfig)
        count = max(resolve(request, rows.config).depth, BRIDGED)
        seconds += _BRIDGE + _PER_HELD * (vectors.live + rows.live)
        seconds += _plan_seconds(rows, rows.config, bridged_plan(request, rows.config, count))
        if bridge.fitted.adapter.rescores:
            seconds += _RESCORED
    return seconds


def _search_seconds(vectors: VectorView, request: SearchRequest) -> float:
    plan = resolve(request, vectors.config)
    hits = min(plan.fetch, vectors.live) * _hit_seconds(vectors, request)
    if isinstance(vectors.config, SparseConfig):
        return _BASE + vectors.live * _PER_SPARSE_ROW + hits
    if isinstance(request.query, np.ndarray) and is_alike(request.query, vectors.config):
        return _BASE + vectors.live * _PER_SORTED + hits
    return _BASE + _plan_seconds(vectors, vectors.config, plan) + hits


def _hit_seconds(vectors: VectorView, request: SearchRequest) -> float:
    seconds = _PER_HIT
    if request.with_payload:
        seconds += _PER_PAYLOAD
    if request.with_vectors:
        size = vectors.config.size if isinstance(vectors.config, VectorConfig) else 0
        seconds += _PER_VECTOR + size * _PER_NUMBER
    return seconds


def _plan_seconds(vectors: VectorView, config: VectorConfig, plan: SearchPlan) -> float:
    """Return roughly how long the parts of a dense vector take."""
    per_row = 0.0
    for part in vectors.sealed:
        assert isinstance(part.segment, Sealed)
        searcher, tried = part.segment.searcher, plan.at(part.segment.effort, part.segment.n)
        if is_walked(searcher, part.n, tried):
            per_row += min(part.n, tried.ef * _SCORED_PER_EF) * _PER_VISIT
            per_row += min(part.n, tried.ef if tried.surely else tried.rescored) * _PER_FLOAT
        else:
            by_codes = searcher.has_codes and not tried.exact
            per_row += _scan_seconds(tried, part.n, by_codes=by_codes)
    for growing in vectors.growing:
        assert isinstance(growing, Growing)
        by_codes = growing.encoder is not None and not plan.exact
        per_row += _scan_seconds(plan, growing.n, by_codes=by_codes)
    return per_row * config.size


def _scan_seconds(plan: SearchPlan, rows: int, *, by_codes: bool) -> float:
    """Return roughly how long a scan takes, per dimension."""
    if not by_codes:
        return rows * _PER_FLOAT
    rescored = max(plan.kept if plan.surely else plan.rescored, _SCAN_RESCORED * plan.fetch)
    return rows * _PER_CODE + min(rescored, rows) * _PER_FLOAT
