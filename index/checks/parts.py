"""Where rows are, by the files: segments mapped into memory, and staged rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.checks.stored import Listing, Stored
from palimpsest.index.errors import Damaged
from palimpsest.index.segments.finding import find_sorted
from palimpsest.index.storage.entries import SegmentEntry
from palimpsest.index.storage.files import Folder, described
from palimpsest.index.storage.ids import Ids, ids_from_bytes, join_ids
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.tidying import SEGMENTS

STRETCH = 65_536  # numbers of points looked at together, as ``index.storage.seqs`` folds them
Positions = NDArray[np.intp]


class Vanished(Exception):
    """A folder that was listed is gone: the listing is old, or the folder is missing."""

    def __init__(self, entry: SegmentEntry) -> None:
        super().__init__(entry.name)
        self.entry = entry


class ColumnRows:
    """Rows of one column: slots, ids and seqs of each, numbers of their points if they say them."""

    def __init__(
        self, name: str, slots: NDArray[Any], ids: Ids, numbers: NDArray[Any] | None, seqs: Any
    ) -> None:
        lengths = [len(one) for one in (slots, ids, seqs, slots if numbers is None else numbers)]
        if len(set(lengths)) > 1:
            raise Damaged(Path(name), "as many slots, ids, seqs and numbers", lengths, "rows")
        self.name, self.slots, self.ids, self.numbers, self.seqs = name, slots, ids, numbers, seqs
        self._by_slot: NDArray[np.uint32] | None = None
        places = np.zeros(0, dtype=np.int64) if numbers is None else np.asarray(numbers) // STRETCH
        self.stretches: list[int] = np.unique(places).tolist()

    def rows_in(self, first: int, wanted: NDArray[np.uint64]) -> Positions:
        """Return the rows of points from number ``first`` on.

        Args:
            first: a multiple of ``STRETCH``.
            wanted: the slots their points say (STRETCH,), for parts that do not say numbers.
        """
        if self.numbers is None:
            if self._by_slot is None:
                self._by_slot = np.argsort(self.slots).astype(np.uint32)
            slots = wanted[wanted != 0]
            rows = find_sorted(self.slots, self._by_slot, slots)
            return rows[rows >= 0]
        if first // STRETCH not in self.stretches:
            return np.zeros(0, dtype=np.intp)
        return np.flatnonzero(np.asarray(self.numbers) // STRETCH == first // STRETCH)


class Parts:
    """The parts of all columns as of a listing; segments stay mapped while they are listed."""

    def __init__(self, folder: Path, distrusted: Collection[str]) -> None:
        self._segments, self._distrusted = Local(folder) / SEGMENTS, distrusted
        self._mapped: dict[SegmentEntry, ColumnRows | None] = {}
        self.of: dict[int, list[ColumnRows]] = {}
        self.unreadable: set[int] = set()  # columns with a segment that cannot be read

    def follow(self, stored: Stored, listing: Listing) -> None:
        """Map what is listed now; inside the snapshot of the listing. Raises Vanished."""
        self._mapped = {
            entry: self._mapped[entry] if entry in self._mapped else self._map(entry)
            for entry in listing.segments
        }
        self.of, self.unreadable = {}, set()
        for entry, part in self._mapped.items():
            if part is None:
                self.unreadable.add(entry.vector)
            else:
                self.of.setdefault(entry.vector, []).append(part)
        for column, part in _staged(stored, listing).items():
            self.of.setdefault(column, []).append(part)

    def forget(self, entry: SegmentEntry) -> None:
        """Take a segment that is not there for one that cannot be read."""
        self._mapped[entry] = None

    def _map(self, entry: SegmentEntry) -> ColumnRows | None:
        folder = self._segments / entry.name
        if entry.name in self._distrusted:
            return None
        if not folder.exists():
            raise Vanished(entry)
        try:
            files = Folder(
                folder.path,
                described(folder),
                {
                    name: folder.open(name)
                    for name in ("slots.npy", "ids.npy", "seqs.npy", "numbers.npy")
                    # Segments of the first releases have none: their points are found by slots.
                    if folder.has(name) or name != "numbers.npy"
                },
            )
            numbers = files.mapped("numbers") if files.has("numbers") else None
            slots, ids, seqs = (files.mapped(name) for name in ("slots", "ids", "seqs"))
            return ColumnRows(str(folder.path), slots, ids, numbers, seqs)
        except FileNotFoundError:
            if not folder.exists():
                raise Vanished(entry) from None
            return None
        except Exception:  # whatever is wrong with its bytes is said by their checksums
            return None


def _staged(stored: Stored, listing: Listing) -> dict[int, ColumnRows]:
    """Return the rows of each column that are in no segment yet."""
    columns = "vector, slot, seq, n, ids" + (", numbers" if listing.format > 1 else "")
    found: dict[int, list[Any]] = {}
    for row in stored.connection.execute(f"SELECT {columns} FROM staged ORDER BY slot"):
        if row[1] > listing.sealed.get(row[0], 0):
            found.setdefault(row[0], []).append(row)
    return {column: _joined(stored.path, rows) for column, rows in found.items()}


def _joined(path: Path, rows: Sequence[Any]) -> ColumnRows:
    ids = join_ids([ids_from_bytes(row[4], row[3]) for row in rows])  # first: n may be anything
    slots = [np.arange(slot, slot + n, dtype=np.uint64) for _, slot, _, n, *_ in rows]
    seqs = [np.full(n, seq, dtype=np.uint64) for _, _, seq, n, *_ in rows]
    numbers = None
    if len(rows[0]) > 5:
        numbers = np.concatenate([np.frombuffer(row[5], dtype=np.uint32) for row in rows])
    return ColumnRows(
        f"{path} (staged rows)", np.concatenate(slots), ids, numbers, np.concatenate(seqs)
    )
