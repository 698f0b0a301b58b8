"""Which segments to compact: several of one tier into one, or one that is mostly dead or outdated.

A segment's tier is the power of ``tier_factor`` closest to its number of live rows, so each row is
rewritten about once per tier it rises through. Segments of about ``seal_rows`` rows and more are
dear to rewrite: while rows come in ``FULL_SEGMENTS`` of a tier are left, as they save a search less
than they take from seals. Once none come those are merged as well (``to_merge``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from palimpsest.index.config.vectors import MaintenanceConfig
from palimpsest.index.view.view import AnySealed, AnyVectors

FULL_SEGMENTS = 12  # of a tier, that are left while rows come in
_FULL_SHARE = 0.5  # of ``seal_rows``, from which a segment is full
_MERGED_SHARE = 1.25  # up to which two are merged when no rows come in
_CROWDED = 2  # times the segments that a tier is left: dead rows wait for it then


def to_compact(vectors: AnyVectors, maintenance: MaintenanceConfig) -> list[AnySealed]:
    """Return the segments the next compaction takes, oldest first; empty when none is due.

    Many small ones are taken at once, up to the rows of ``tier_factor`` full ones.
    """
    parts = vectors.sealed
    tiers = _tiers(parts, maintenance)
    for tier in sorted(tiers):
        if len(tiers[tier]) >= _CROWDED * _left(tiers[tier], maintenance):
            return _budgeted(tiers[tier], maintenance)
    for part in parts:
        if part.dead.count > maintenance.dead_ratio * part.n or part.live == 0:
            return [part]
    for tier in sorted(tiers):
        if len(tiers[tier]) >= _left(tiers[tier], maintenance):
            return _budgeted(tiers[tier], maintenance)
    return [part for part in parts if part.segment.is_outdated(vectors.config)][:1]


def to_merge(parts: Sequence[AnySealed], maintenance: MaintenanceConfig) -> list[AnySealed]:
    """Return the two full segments that are merged when no rows come in; empty when none are.

    Only two of about ``seal_rows``: their rows stand in memory twice, beside a graph of all.
    """
    least, most = (share * maintenance.seal_rows for share in (_FULL_SHARE, _MERGED_SHARE))
    pair = [part for part in parts if least <= part.live <= most][:2]
    return pair if len(pair) == 2 else []


def excess(parts: Sequence[AnySealed], maintenance: MaintenanceConfig) -> int:
    """Return how many segments there are beyond those that tiers are left."""
    tiers = _tiers(parts, maintenance).values()
    return sum(max(0, len(tier) - _left(tier, maintenance)) for tier in tiers)


def _tiers(
    parts: Sequence[AnySealed], maintenance: MaintenanceConfig
) -> dict[int, list[AnySealed]]:
    tiers: dict[int, list[AnySealed]] = defaultdict(list)
    for part in parts:
        if part.live:
            tiers[_tier(part.live, maintenance.tier_factor)].append(part)
    return tiers


def _left(tier: Sequence[AnySealed], maintenance: MaintenanceConfig) -> int:
    """Return how many segments make a compaction of a tier due."""
    full = all(part.live >= _FULL_SHARE * maintenance.seal_rows for part in tier)
    return max(maintenance.tier_factor, FULL_SEGMENTS) if full else maintenance.tier_factor


def _budgeted(tier: Sequence[AnySealed], maintenance: MaintenanceConfig) -> list[AnySealed]:
    """Return the oldest of a tier, those that are left at least, up to a number of rows."""
    budget, taken, rows = maintenance.tier_factor * maintenance.seal_rows, list[AnySealed](), 0
    for part in tier:
        if len(taken) >= maintenance.tier_factor and rows + part.live > budget:
            break
        taken.append(part)
        rows += part.live
    return taken


def _tier(live: int, factor: int) -> int:
    return round(math.log(live, factor))
