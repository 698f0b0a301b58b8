"""Probes segments that were written without a probe, one at a time, in the background.

What a probe finds is kept with the opened segment, in memory: a segment's files never change. One
that falls short is due for compaction by itself, which decides what its searches need and states
it; one that holds is probed again after a restart, until compaction writes its rows anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.search.one_segment import closest_rows
from palimpsest.index.segments.deciding import RULE, measured
from palimpsest.index.segments.probe import Cancelled, ProbeSource, draw, source_of
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.segments.trust import Walks, usual_distance
from palimpsest.index.types import Vector
from palimpsest.index.view.view import SealedPart
from palimpsest.index.write.writer import Writer

_SEED = 0


class Probing:
    """Of one collection; ``probe`` is called by one thread at a time."""

    def __init__(self, writer: Writer, cancelled: Callable[[], bool]) -> None:
        self._writer = writer
        self._cancelled = cancelled

    def is_due(self) -> bool:
        """Tell whether a segment waits to be probed."""
        return next(self._unprobed(), None) is not None

    def probe(self) -> None:
        """Probe the next segment; nothing is kept of one that is cancelled."""
        found = next(self._unprobed(), None)
        if found is None:
            return
        segment, config, recent = found
        try:
            source = _source_of(segment, config, self._cancelled)
            sample = draw(source, recent(), _SEED)
            if sample is None:
                return segment.note(None)
            find = partial(closest_rows, segment, config)
            probed = measured(sample, find, config.fixed_encoding)
            if segment.searcher.has_graph:
                plain = partial(closest_rows, segment.trusting(math.inf), config)
                walks = Walks(plain, find)
                usual = usual_distance(sample, walks, sample.recalls(plain))
                probed = probed._replace(usual=usual)
            segment.note(probed)
        except Cancelled:
            return

    def _unprobed(self) -> Iterator[tuple[Sealed, VectorConfig, Callable[[], list[Vector]]]]:
        for vectors in self._writer.view.vectors.values():
            if isinstance(vectors.config, VectorConfig):
                for part in vectors.sealed:
                    if isinstance(part.segment, Sealed) and is_unprobed(part.segment):
                        yield part.segment, vectors.config, vectors.recent.queries


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


def to_write_anew(parts: Sequence[SealedPart]) -> list[SealedPart]:
    """Return the first part whose segment fell short when it was probed after it was written."""
    return [
        part
        for part in parts
        if isinstance(part.segment, Sealed)
        and part.segment.is_noted
        and part.segment.decision == "short"
    ][:1]
