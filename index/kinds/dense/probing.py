"""Probes one segment that was written without a probe, or under an earlier rule.

What a probe finds is kept with the opened segment, in memory: a segment's files never change. One
that falls short is due for compaction by itself, which decides what its searches need and states
it; one that holds is probed again after a restart, until compaction writes its rows anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.search.one_segment import closest_rows
from palimpsest.index.segments.deciding import RULE, measured
from palimpsest.index.segments.probe import Cancelled, ProbeSource, draw, source_of
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.segments.trust import Walks, usual_distance
from palimpsest.index.types import Vector

_SEED = 0


def probe(
    segment: Sealed, config: VectorConfig, recent: Sequence[Vector], cancelled: Callable[[], bool]
) -> None:
    """Probe a segment; nothing is kept of one that is cancelled."""
    try:
        source = _source_of(segment, config, cancelled)
        sample = draw(source, recent, _SEED)
        if sample is None:
            return segment.note(None)
        find = partial(closest_rows, segment, config)
        probed = measured(sample, find, config.fixed_encoding)
        if segment.searcher.has_graph:
            plain = partial(closest_rows, segment.trusting(math.inf), config)
            usual = usual_distance(sample, Walks(plain, find), sample.recalls(plain))
            probed = probed._replace(usual=usual)
        segment.note(probed)
    except Cancelled:
        return


def _source_of(segment: Sealed, config: VectorConfig, cancelled: Callable[[], bool]) -> ProbeSource:
    """Return what exact search compares: originals, or codes where there is nothing else."""
    if segment.kept is not None:
        return source_of(segment.kept, config, cancelled)
    assert segment.encoder is not None and segment.codes is not None
    encoder, codes, searcher = segment.encoder, segment.codes, segment.searcher
    return ProbeSource(
        lambda places: encoder.decode(codes[places]),
        lambda queries, rows: searcher.score(queries, rows, by_codes=True),
        segment.n,
        config,
        cancelled,
    )


def is_unprobed(segment: Sealed) -> bool:
    """Tell whether nothing is known of a segment that could be probed, or by an earlier rule."""
    return not segment.is_noted and not segment.lacking and _is_open(segment)


def _is_open(segment: Sealed) -> bool:
    """Tell whether a segment's description leaves open what its searches need."""
    if segment.encoder is None and not segment.searcher.has_graph:
        return False  # compared one by one
    probed = segment.probed
    return probed is None or (probed.decision == "short" and probed.rule < RULE)


def falls_short(segment: Sealed) -> bool:
    """Tell whether a segment fell short when it was probed after it was written."""
    return segment.is_noted and segment.decision == "short"
