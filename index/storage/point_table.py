"""The store's table of points: found by id or number, written, deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.storage.checked import Spared, Summed, require_points
from palimpsest.index.storage.entries import Held
from palimpsest.index.storage.id_index import IdIndex
from palimpsest.index.storage.ids import Key
from palimpsest.index.storage.sums import PAYLOAD, PLACE
from palimpsest.index.types import Numbers, Slots

LOOKUP = 512  # ids asked for by one statement; below SQLite's smallest limit of 999
_PIECE = 4_096  # points read at once
_FIND = (
    f"SELECT {{columns}} FROM (VALUES {','.join(['(?)'] * LOOKUP)}) AS wanted"
    " CROSS JOIN points ON {by} = wanted.column1"
)


class PointTable:
    """Belongs to the writer's connection, as its store does; writes stand in a transaction."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, summed: Summed, ids: IdIndex
    ) -> None:
        self._path = path
        self._connection = connection
        self._summed = summed
        self._ids = ids

    def numbers(self) -> Numbers:
        """Return the numbers of all points (n,), in no order; reads an index, not the points."""
        return self._numbers("")

    def numbers_of_rows(self) -> Numbers:
        """Return the same without the index, which may be damaged."""
        return self._numbers("NOT INDEXED")

    def _numbers(self, how: str) -> Numbers:
        rows = self._connection.execute(f"SELECT number FROM points {how}")
        return np.fromiter((row[0] for row in rows), dtype=np.uint32)

    def count(self) -> int:
        """Return how many rows there are, without the index."""
        statement = "SELECT count(*) FROM points NOT INDEXED"
        found: int = self._connection.execute(statement).fetchone()[0]
        return found

    def meant(self, columns: Sequence[object]) -> tuple[Slots, Numbers]:
        """Return the slots that all points mean (m,), in no order, and whose each is (m,).

        Args:
            columns: of the collection, None for one whose rows are gone.

        Raises:
            DamagedPoint: one is not as it was written, or has no checksum to tell by.
        """
        living = [number for number, name in enumerate(columns) if name is not None]
        slots, whose = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
        cursor = self._connection.execute(
            "SELECT number, id, seq, slots, checksum FROM points NOT INDEXED ORDER BY number"
        )
        while rows := cursor.fetchmany(_PIECE):
            require_points(self._path, rows, with_payload=False, may_lack=False)
            width = 8 * len(columns)
            cells = b"".join(row[3][:width].ljust(width, b"\0") for row in rows)
            own = np.frombuffer(cells, dtype="<u8").reshape(len(rows), -1)[:, living]
            numbers = np.array([row[0] for row in rows], dtype=np.uint32)
            slots.append(own[own != 0])
            whose.append(np.broadcast_to(numbers[:, None], own.shape)[own != 0])
        return np.concatenate(slots), np.concatenate(whose)

    def find(
        self, keys: Sequence[Key], *, with_payload: bool, spared: Spared | None = None
    ) -> dict[Key, Held]:
        """Return the stored points among ``keys``.

        Args:
            keys: of points.
            with_payload: whether payloads are read.
            spared: takes the points that are damaged, which are left out.

        Raises:
            DamagedPoint: one is, and there is no ``spared``.
        """
        return self._find("id", keys, with_payload, spared)

    def find_numbers(self, numbers: Sequence[int], *, with_payload: bool) -> dict[Key, Held]:
        """Return the stored points of the numbers, by key."""
        return self._find("number", numbers, with_payload)

    def _find(
        self, by: str, wanted: Sequence[Key], with_payload: bool, spared: Spared | None = None
    ) -> dict[Key, Held]:
        columns = "number, id, seq, slots, checksum"
        columns += ", payload, payload_checksum" if with_payload else ""
        statement = _FIND.format(by=by, columns=columns)
        found: dict[Key, Held] = {}
        for start in range(0, len(wanted), LOOKUP):
            some = list(wanted[start : start + LOOKUP])
            some += [None] * (LOOKUP - len(some))  # type: ignore[list-item]
            may_lack = not self._summed.complete
            rows = self._connection.execute(statement, some).fetchall()
            rows = require_points(
                self._path, rows, with_payload=with_payload, may_lack=may_lack, spared=spared
            )
            for number, key, _, slots, _, *payload in rows:
                own = payload[0] if payload else None
                found[key] = Held(number, np.frombuffer(slots, dtype="<u8"), own)
        if by == "id" and len(found) < len(wanted):
            missing = (key for key in wanted if key not in found)
            self._ids.require_absent(self._connection, missing, spared)
        return found

    def key_of(self, number: int) -> Key | None:
        """Return the id that a damaged row still has, if the index of ids leads from it there."""
        by_row = "SELECT id FROM points NOT INDEXED WHERE number = ?"
        row = self._connection.execute(by_row, (number,)).fetchone()
        if row is None or row[0].__class__ not in (int, bytes):
            return None
        by_id = "SELECT number FROM points WHERE id = ?"
        led = self._connection.execute(by_id, row).fetchall()
        key: Key | None = row[0] if led == [(number,)] else None
        return key

    def insert(
        self,
        numbers: Sequence[int],
        keys: Sequence[Key],
        seq: int,
        slots: NDArray[np.uint64],
        payloads: Sequence[bytes | None],
    ) -> None:
        """Insert points, or replace those of the same number; ``slots`` is (n, vector names)."""
        seqs, cells = [seq] * len(keys), _cells(slots)
        places = PLACE.sums_of([*numbers], [*keys], seqs, cells)
        own = PAYLOAD.sums_of([*numbers], [*payloads])
        self._connection.executemany(
            "INSERT OR REPLACE INTO points"
            " (number, id, seq, slots, checksum, payload_checksum, payload)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            zip(numbers, keys, seqs, cells, places, own, payloads, strict=True),
        )

    def put_slots(self, held: Mapping[Key, Held], seq: int, slots: NDArray[np.uint64]) -> None:
        """Replace the slots of points as they were found; ``slots`` is (n, vector names)."""
        numbers, cells = [one.number for one in held.values()], _cells(slots)
        seqs = [seq] * len(numbers)
        places = PLACE.sums_of(numbers, [*held], seqs, cells)
        self._connection.executemany(
            "UPDATE points SET seq = ?, slots = ?, checksum = ? WHERE number = ?",
            zip(seqs, cells, places, numbers, strict=True),
        )

    def put_payloads(
        self, held: Mapping[Key, Held], seq: int, payloads: Sequence[bytes | None]
    ) -> None:
        """Replace the payloads of points as they were found."""
        numbers, seqs = [one.number for one in held.values()], [seq] * len(held)
        cells = [one.slots.tobytes() for one in held.values()]
        places = PLACE.sums_of(numbers, [*held], seqs, cells)
        own = PAYLOAD.sums_of(numbers, [*payloads])
        self._connection.executemany(
            "UPDATE points SET seq = ?, checksum = ?, payload = ?, payload_checksum = ?"
            " WHERE number = ?",
            zip(seqs, places, payloads, own, numbers, strict=True),
        )

    def delete(self, numbers: Sequence[int]) -> None:
        """Delete points."""
        self._connection.executemany(
            "DELETE FROM points WHERE number = ?", ((number,) for number in numbers)
        )

    def index_anew(self) -> None:
        """Make the index of the points' ids anew, from the points."""
        self._connection.execute("REINDEX points")


def _cells(slots: NDArray[np.uint64]) -> list[bytes]:
    width = slots.shape[1] * 8
    text = slots.astype("<u8").tobytes()
    return [text[place * width : (place + 1) * width] for place in range(len(slots))]
