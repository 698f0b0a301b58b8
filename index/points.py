"""Points read by id or in id order, with payloads from the store and vectors from the view."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from index.errors import StorageError, StoreFailed, UnknownVectorName
from index.storage.ids import Key, id_of_key
from index.storage.reader import Reader, StoredPoint
from index.types import Record, Vector
from index.view import VectorView, View

_LAG = (0.0005, 2_000)  # seconds between looks, and looks, while a stored write is being applied
_here = threading.local()


class NotYetApplied(StorageError):
    """A stored write is still being applied, and the caller asked not to wait: ``at_once``."""


@contextmanager
def at_once() -> Iterator[None]:
    """Let reads of this thread raise NotYetApplied where they would wait for a write."""
    _here.at_once = True
    try:
        yield
    finally:
        _here.at_once = False


def wait_for_write(store: Path, seconds: float) -> None:
    """Sleep while a stored write is being applied. Raises NotYetApplied within ``at_once``."""
    if getattr(_here, "at_once", False):
        raise NotYetApplied(f"{store}: a write is being applied, try again")
    time.sleep(seconds)


class PointReader:
    """Reads of one collection, from any thread."""

    def __init__(
        self, collection: str, store: Path, names: Sequence[str], view: Callable[[], View]
    ) -> None:
        self._store = store
        self._names = names
        self._view = view
        self._reader = Reader(store, collection)

    def close(self) -> None:
        """Close the connections of every thread."""
        self._reader.close()

    def payloads(self, keys: Sequence[Key]) -> dict[Key, tuple[int, bytes | None]]:
        """Return seq and payload of the points that exist, in the order of ``keys``."""
        return self._reader.payloads(keys)

    def wanted(self, with_vectors: bool | tuple[str, ...]) -> Sequence[str]:
        """Return the vector names asked for. Raises UnknownVectorName."""
        if isinstance(with_vectors, bool):
            return self._names if with_vectors else ()
        for name in with_vectors:
            if name not in self._names:
                raise UnknownVectorName(name, list(self._names))
        return with_vectors

    def records(
        self, keys: Sequence[Key], wanted: Sequence[str], *, with_payload: bool
    ) -> list[Record]:
        """Return the points that exist, in the order of ``keys``, with the wanted vectors."""

        def read() -> list[tuple[Key, StoredPoint]]:
            found = self._reader.points(keys, with_payload=with_payload)
            return [(key, found[key]) for key in keys if key in found]

        return self._with_vectors(read, wanted)

    def page(
        self, start: Key | None, limit: int, wanted: Sequence[str], *, with_payload: bool
    ) -> list[Record]:
        """Return up to ``limit`` points from ``start`` on, ascending, with the wanted vectors."""

        def read() -> list[tuple[Key, StoredPoint]]:
            return self._reader.page(start, limit, with_payload=with_payload)

        return self._with_vectors(read, wanted)

    def _with_vectors(
        self, read: Callable[[], list[tuple[Key, StoredPoint]]], wanted: Sequence[str]
    ) -> list[Record]:
        """Read points, then their vectors from a view that holds all of them.

        The store may be ahead of the view by writes being applied, or behind it by writes and
        compactions made since it was read; reading both again settles either.
        """
        pause, looks = _LAG
        for _ in range(looks):
            points = read()
            vectors = _vectors_of(points, self._view().vectors, self._names, wanted)
            if vectors is not None:
                return [
                    Record(id_of_key(key), seq, payload, vectors[place] if wanted else None)
                    for place, (key, (seq, _, payload)) in enumerate(points)
                ]
            wait_for_write(self._store, pause)
        raise StoreFailed(f"{self._store}: vectors of stored points are in no segment")


def _vectors_of(
    points: Sequence[tuple[Key, StoredPoint]],
    views: Mapping[str, VectorView],
    names: Sequence[str],
    wanted: Sequence[str],
) -> list[dict[str, Vector]] | None:
    """Return each point's vectors by name; None when a row is not in the view."""
    vectors: list[dict[str, Vector]] = [{} for _ in points]
    if not points or not wanted:
        return vectors
    slots = np.stack([stored[1] for _, stored in points])
    for name in wanted:
        column = slots[:, names.index(name)]
        having = np.flatnonzero(column)
        rows, complete = views[name].vectors_of(column[having])
        if not complete:
            return None
        for place, row in zip(having.tolist(), rows, strict=True):
            vectors[place][name] = row
    return vectors
