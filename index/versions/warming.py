"""Keeps what adapters need of each row: computed before a search would wait for it, dropped after.

Used by any thread; takes no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.search.mapped_query import factors_of
from palimpsest.index.versions.drawn_pairs import Ends
from palimpsest.index.view.dense import DensePart
from palimpsest.index.view.means import one_a_point
from palimpsest.index.view.view import View
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
        view = self._writer.view
        for fitted, column in self._rows(view):
            keys = {part.key for part in view.vectors[column].parts if part.n}
            for factors in fitted.of_rows:
                factors.keep(keys)

    def prepare(self, fitted: Fitted, ends: Ends) -> None:
        """Compute the factors of all sealed rows that an adapter about to be stored leads to."""
        view = self._writer.view
        for part in () if ends[0] not in view.vectors else _parts(view, ends[0], fitted):
            if fitted.adapter.scales_rows and not self._is_stopped():
                factors_of(fitted.factors, part)

    def _rows(self, view: View) -> Iterator[tuple[Fitted, int]]:
        """Yield the adapters, and the column that each leads to."""
        for (rows, _), fitted in self._writer.fitted.items():
            if rows in view.vectors:
                yield fitted, rows

    def _unwarmed(self) -> Iterator[Callable[[], object]]:
        view = self._writer.view
        for fitted, column in self._rows(view):
            sealed = view.vectors[column].sealed
            for factors in fitted.of_rows:
                for part in sealed:
                    if not factors.has(part.key, part.n):
                        yield partial(self._warm, view, column, fitted, part.key)

    def _warm(self, view: View, column: int, fitted: Fitted, key: object) -> None:
        """Compute what an adapter keeps of the rows of one part."""
        for part in _parts(view, column, fitted):
            if part.key == key:
                for factors in fitted.of_rows:
                    if factors is not fitted.means:  # which ``_parts`` computed
                        factors_of(factors, part)


def _parts(view: View, column: int, fitted: Fitted) -> Sequence[DensePart]:
    """Return the sealed parts that an adapter leads to, of sets as their means."""
    if fitted.over == "tokens":  # which are mapped and nothing else
        return ()
    vectors = one_a_point(view, column, fitted)
    if fitted.over != "means of rows":
        return vectors.sealed
    sealed: set[object] = {part.key for part in view.vectors[column].sealed}
    return [part for part in vectors.growing if part.key in sealed]
