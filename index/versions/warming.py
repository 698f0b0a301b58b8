"""Keeps what adapters need of each row: computed before a search would wait for it, dropped after.

Used by any thread; takes no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.search.mapped_query import factors_of
from palimpsest.index.versions.drawn_pairs import Ends
from palimpsest.index.view.dense import DenseView, dense_of
from palimpsest.index.write.writer import Writer


class Warming:
    """The factors of one collection's rows."""

    def __init__(self, writer: Writer, is_stopped: Callable[[], bool]) -> None:
        self._writer = writer
        self._is_stopped = is_stopped

    def unwarmed(self) -> bool:
        """Tell whether sealed rows lack factors, which the next search would wait for."""
        return next(self._unwarmed(), None) is not None

    def warm(self) -> None:
        """Compute the factors of sealed rows that lack them; forget those of rows that are gone."""
        for work in self._unwarmed():
            if self._is_stopped():
                return
            work()
        for fitted, vectors in self._rows():
            keys = {part.segment.name for part in vectors.sealed}
            growing = {part.key for part in vectors.growing if part.n}
            for factors in fitted.of_rows:
                factors.keep(keys | growing)

    def prepare(self, fitted: Fitted, ends: Ends) -> None:
        """Compute the factors of all sealed rows that an adapter about to be stored leads to."""
        vectors = self._writer.view.vectors.get(ends[0])
        for part in () if vectors is None else dense_of(vectors).sealed:
            if fitted.adapter.scales_rows and not self._is_stopped():
                factors_of(fitted.factors, part)

    def _rows(self) -> Iterator[tuple[Fitted, DenseView]]:
        """Yield the adapters, and the vectors that each leads to."""
        fits, view = self._writer.fitted, self._writer.view
        for (rows, _), fitted in fits.items():
            vectors = view.vectors.get(rows)
            if vectors is not None:
                yield fitted, dense_of(vectors)

    def _unwarmed(self) -> Iterator[Callable[[], object]]:
        for fitted, vectors in self._rows():
            for part in vectors.sealed:
                for factors in fitted.of_rows:
                    if not factors.has(part.segment.name, part.n):
                        yield partial(factors_of, factors, part)
