"""Which segments to compact: several of one tier into one, or one that is mostly dead or outdated.

A segment's tier is the power of ``tier_factor`` closest to its number of live rows, so each row is
rewritten about once per tier it rises through.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from index.config import MaintenanceConfig, SparseConfig, VectorConfig
from index.segments.sealed import Sealed, is_outdated
from index.view import SealedPart


def to_compact(
    parts: Sequence[SealedPart],
    config: VectorConfig | SparseConfig,
    maintenance: MaintenanceConfig,
) -> list[SealedPart]:
    """Return the segments the next compaction takes, oldest first; empty when none is due."""
    tiers: dict[int, list[SealedPart]] = defaultdict(list)
    for part in parts:
        if part.dead.count > maintenance.dead_ratio * part.n or part.live == 0:
            return [part]
        tiers[_tier(part.live, maintenance.tier_factor)].append(part)
    for tier in sorted(tiers):
        if len(tiers[tier]) >= maintenance.tier_factor:
            return tiers[tier][: maintenance.tier_factor]
    return [part for part in parts if _is_outdated(part, config)][:1]


def _is_outdated(part: SealedPart, config: VectorConfig | SparseConfig) -> bool:
    """Tell whether a segment was written under other settings than are wanted now."""
    if isinstance(config, SparseConfig) or not isinstance(part.segment, Sealed):
        return bool(part.segment.lacking)  # a sparse segment is written one way only
    return is_outdated(part.segment, config)


def _tier(live: int, factor: int) -> int:
    return round(math.log(live, factor))
