"""Probes segments that were written without a probe, one at a time, in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.segments.recent import RECENT
from palimpsest.index.segments.segment import Segment
from palimpsest.index.view.view import AnySealed, AnyVectors
from palimpsest.index.write.writer import Writer


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
        for vectors, segment in self._unprobed():
            config, recent = vectors.config, vectors.recent.queries(RECENT)
            # One segment at a time: a probe takes seconds of a core, and its thread is wanted for
            # compactions.
            return kind_of(config).probe(segment, config, recent, self._cancelled)

    def _unprobed(self) -> Iterator[tuple[AnyVectors, Segment]]:
        for vectors in self._writer.view.vectors.values():
            kind = kind_of(vectors.config)
            for part in vectors.sealed:
                if kind.is_unprobed(part.segment):
                    yield vectors, part.segment


def to_write_anew(vectors: AnyVectors) -> Sequence[AnySealed]:
    """Return the first part whose segment fell short when it was probed after it was written."""
    kind = kind_of(vectors.config)
    return [part for part in vectors.sealed if kind.falls_short(part.segment)][:1]
