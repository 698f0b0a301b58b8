"""Watches whether the newest rows of a version are of the embedding model that made its first ones.

Clients that embed by themselves may change the model without a word; where its vectors are as long
as before, they are taken, and are found by nobody. So the newest rows are looked at against the
first ones, a few hundred of each, in the background and now and then: writes pay nothing. What is
said of a version follows from its rows alone, so it is the same after a restart, and ends once the
newest rows are of the model again. It also ends once a further version of the name is declared, for
then the new model has a place: only the newest version of each name is watched.

Used by one thread of the upkeep. ``index.adapters.drift`` has the mathematics.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

import numpy as np

from palimpsest.index.adapters.drift import (
    REFERENCE,
    WINDOW,
    Moments,
    is_foreign,
    known_by,
    moments_of,
)
from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.types import Drift, Slots, Vectors
from palimpsest.index.view.means import points_vectors
from palimpsest.index.view.view import AnyPart, AnyVectors
from palimpsest.index.write.writer import Writer

_WINDOWS = 2  # that agree before anything is said
_SECONDS = 0.5  # between looks at a version, which take some milliseconds
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Watched:
    """The first rows of one version, and how far it was looked at."""

    slots: Slots
    moments: Moments
    known: float
    seen: int = 0  # the highest slot looked at
    looked_at: float = 0.0  # by ``monotonic``


class Watching:
    """Watches the versions of one collection."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._watched: dict[int, _Watched] = {}

    def delay(self) -> float | None:
        """Return in how many seconds a look is due, 0 for now; None while no rows come."""
        delays = [self._delay_of(column, vectors) for column, vectors in self._newest()]
        return min((one for one in delays if one is not None), default=None)

    def look(self) -> None:
        """Look at the versions that have new rows, and note what is found with their columns."""
        for column, vectors in self._newest():
            if self._delay_of(column, vectors) == 0:
                self._look_at(column, vectors)

    def _newest(self) -> Iterator[tuple[int, AnyVectors]]:
        """Yield the columns that are watched; what was said of others is withdrawn."""
        view = self._writer.view
        newest = set(newest_columns(view.config))
        for column in self._watched.keys() - newest:
            del self._watched[column]
        for column, vectors in view.vectors.items():
            if column in newest:
                yield column, vectors
            elif vectors.recent.drift is not None:
                vectors.recent.drift = None

    def _delay_of(self, column: int, vectors: AnyVectors) -> float | None:
        known = self._watched.get(column)
        if known is None:
            return 0.0 if vectors.live >= REFERENCE + _WINDOWS * WINDOW else None
        if max(part.last_slot for part in vectors.growing) < known.seen + WINDOW:
            return None
        return max(0.0, known.looked_at + _SECONDS - monotonic())

    def _look_at(self, column: int, vectors: AnyVectors) -> None:
        known = self._watched.get(column)
        if known is None or not _still_held(vectors, known.slots):
            slots = first_slots(vectors, REFERENCE)
            rows = _rows(vectors, slots)
            known = self._watched[column] = _Watched(slots, moments_of(rows), known_by(rows))
        newest = last_slots(vectors, _WINDOWS * WINDOW)
        known.seen, known.looked_at = int(newest[-1]), monotonic()
        if newest[0] <= known.slots[-1]:  # rows died since: the newest are among the first
            vectors.recent.drift = None
            return
        rows = _rows(vectors, newest)
        told = [
            is_foreign(moments_of(some), known.moments, known.known)
            for some in np.array_split(rows, _WINDOWS)
        ]
        foreign = all(one for one, _ in told)
        before, alike = vectors.recent.drift, max(sigmas for _, sigmas in told)
        vectors.recent.drift = Drift(foreign, alike, known.known)
        if foreign != (before is not None and before.foreign):
            self._tell(column, foreign)

    def _tell(self, column: int, foreign: bool) -> None:
        config = self._writer.view.config
        where = f"{self._writer.store.path}: vector {config.name_of(column)!r}"
        if foreign:
            _log.warning("%s: the newest rows are not of the model that made the first ones", where)
        else:
            _log.info("%s: the newest rows are of the model that made the first ones again", where)


def newest_columns(config: CollectionConfig) -> list[int]:
    """Return the columns of the newest version of each name that an embedding model made."""
    return [
        config.column_of([one for one in config.versions_of(name) if one.mapped is None][-1])
        for name in config.names
        if name in config.embedded
    ]


def first_slots(vectors: AnyVectors, count: int) -> Slots:
    """Return the lowest slots (count,) of rows that live, ascending; fewer where there are."""
    own = [_lowest(_living(part), count) for part in vectors.sealed]
    for part in vectors.growing:
        if sum(map(len, own)) >= count:
            break
        own.append(_living(part)[:count])
    return np.sort(np.concatenate(own))[:count]


def last_slots(vectors: AnyVectors, count: int) -> Slots:
    """Return the highest slots (count,) of rows that live, ascending; fewer where there are."""
    own: list[Slots] = []
    for part in reversed(vectors.growing):
        own.append(_living(part)[-count:])
        if sum(map(len, own)) >= count:
            return np.sort(np.concatenate(own))[-count:]
    own += [_highest(_living(part), count) for part in vectors.sealed]
    return np.sort(np.concatenate(own))[-count:]


def _living(part: AnyPart) -> Slots:
    slots: Slots = part.columns.slots[: part.n]
    return np.delete(slots, part.dead.dead_rows(part.n)) if part.dead.count else slots


def _lowest(slots: Slots, count: int) -> Slots:
    return slots if len(slots) <= count else np.partition(slots, count - 1)[:count]


def _highest(slots: Slots, count: int) -> Slots:
    return slots if len(slots) <= count else np.partition(slots, len(slots) - count)[-count:]


def _still_held(vectors: AnyVectors, slots: Slots) -> bool:
    """Tell whether half of the first rows, or more, are there as they were."""
    living = 0
    for part in vectors.parts:
        rows = part.source.find(slots) if part.n else np.empty(0, dtype=np.intp)
        rows = rows[rows >= 0]
        living += len(rows)
        if part.dead.count and len(rows):
            living -= int(np.isin(rows, part.dead.dead_rows(part.n)).sum())
    return 2 * living >= len(slots)


def _rows(vectors: AnyVectors, slots: Slots) -> Vectors:
    return points_vectors(vectors, slots)[0]
