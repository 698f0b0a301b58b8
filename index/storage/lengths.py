"""How long rows of points are on average, by a sample: what a store is made of, without reading it.

SQLite tells the length of a value by the head of its row, so that no payload is read.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from random import Random

_SAMPLE = 64  # rows, by their numbers
_OF_ROW = 26  # bytes beside id, slots and payload: number, seq, checksums, heads, place on the page
_OF_INDEX = 10  # bytes beside the id in the index of ids
_ROW = """
SELECT iif(typeof(id) = 'integer', 8, length(id)), length(slots), coalesce(length(payload), 0)
FROM points WHERE number >= ? ORDER BY number LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of a point, in bytes: its payload; and id, seq and slots, with what finds it by its id."""

    ids: float
    payload: float


def sampled_lengths(connection: sqlite3.Connection) -> Lengths | None:
    """Return how long the rows of points are; None where there are none, or they cannot be read.

    Damage is no error here: it is told by who reads the row, and by the scrub.
    """
    try:
        (last,) = connection.execute("SELECT max(number) FROM points").fetchone()
        if last is None:
            return None
        # Drawn: rows at even distances may all be of one sort.
        drawn = Random(last)
        starts = [drawn.randint(0, last) for _ in range(min(_SAMPLE, last + 1))]
        found = [connection.execute(_ROW, (start,)).fetchone() for start in starts]
    except sqlite3.Error:
        return None
    rows = [row for row in found if row is not None]
    if not rows:
        return None
    ids, slots, payloads = (sum(column) / len(rows) for column in zip(*rows, strict=True))
    return Lengths(2 * ids + slots + _OF_ROW + _OF_INDEX, payloads)
