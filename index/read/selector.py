"""What filters are evaluated over: the points of one view, with what the store holds of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyroaring import BitMap

from palimpsest.index.filters.bitmaps import to_numbers
from palimpsest.index.filters.expression import Filter
from palimpsest.index.payload.evaluate import evaluate
from palimpsest.index.payload.indexes import PayloadIndexes
from palimpsest.index.read.points import PointReader
from palimpsest.index.types import PointId
from palimpsest.index.view.view import View


class Selector:
    """What filters are evaluated over: the points of one view."""

    def __init__(self, view: View, indexes: PayloadIndexes, points: PointReader) -> None:
        self.view = view
        self.live = view.live
        self.indexes = indexes
        self._points = points

    def select(self, filter: Filter) -> BitMap:
        """Return the points that pass."""
        return evaluate(filter, self)

    def payloads(self, numbers: BitMap) -> Iterator[tuple[int, bytes | None]]:
        """Yield numbers and payloads, ascending."""
        for some in self._points.payloads(to_numbers(numbers)):
            yield from some

    def numbers_of(self, ids: Iterable[PointId]) -> BitMap:
        """Return the numbers of the ids that exist."""
        return BitMap([n for n in self._points.numbers_of(list(ids)) if n is not None])

    def having(self, vector: str | int) -> BitMap:
        """Return the points with a vector of the name or column; not to be changed."""
        column = vector if isinstance(vector, int) else self.view.config.numbers.get(vector)
        vectors = None if column is None else self.view.vectors.get(column)
        return BitMap() if vectors is None else vectors.held

    def ids(self, numbers: BitMap) -> Iterator[tuple[int, PointId]]:
        """Yield numbers and ids."""
        yield from self._points.ids_of(list(numbers)).items()
