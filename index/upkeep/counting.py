"""Counts the rows that no walk over the graph of a segment meets: what searches cannot find.

One pass over the links, which are in memory, once for each segment after an opening or a seal.
"""

from __future__ import annotations

from collections.abc import Iterator

from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.write.writer import Writer


class Counting:
    """Of one collection; ``count`` belongs to one thread."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def is_due(self) -> bool:
        """Tell whether a graph was not counted yet."""
        return any(True for _ in self._uncounted())

    def count(self) -> None:
        """Count the next graph."""
        # One at a time: the thread is asked for by other collections too, and may be to end.
        searcher = next(self._uncounted(), None)
        if searcher is not None:
            searcher.unreached()

    def _uncounted(self) -> Iterator[Searcher]:
        for vectors in self._writer.view.vectors.values():
            for one in kind_of(vectors.config).walked(vectors):
                if one.known_unreached is None:
                    yield one
