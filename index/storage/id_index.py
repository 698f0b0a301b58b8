"""Whether an id that the index of ids does not know is that of no point.

SQLite finds points by id through an index of its own, which carries no checksums. An entry that is
wrong shows as a row that is not what was written, one that is missing shows as nothing at all. So
the first miss since a store was opened has the whole index read and held against the rows. A row
whose own id was changed is known by its checksum, which is right with the id it had.

Of a large store that is left to the background, step by step (``read``): nobody waits for it, and
until it is done a miss is believed.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from palimpsest.index.errors import DamagedPoint
from palimpsest.index.stops import check_stop
from palimpsest.index.storage.checked import Spared, Summed, damaged_place
from palimpsest.index.storage.ids import Key, id_of_key, order_of
from palimpsest.index.storage.schema import connect, store_errors
from palimpsest.index.storage.sums import PLACE, Row
from palimpsest.index.waiting import NotYetApplied

_ROWS = 4_096  # of one look
AT_ONCE = 100_000  # points, whose index is read by the first who misses one: about .1 s
_WALK = "SELECT number, id, seq, slots, checksum FROM points ORDER BY id"
_COUNT = "SELECT count(*) FROM points NOT INDEXED"
_NOT_LED_TO = (
    "SELECT row.id, row.number FROM points AS row NOT INDEXED LEFT JOIN points AS led"
    " INDEXED BY sqlite_autoindex_points_1 ON led.id = row.id WHERE led.number IS NOT row.number"
)
_STEP = (
    "SELECT row.number, row.id, row.seq, row.slots, row.checksum, led.number"
    " FROM points AS row NOT INDEXED LEFT JOIN points AS led"
    " INDEXED BY sqlite_autoindex_points_1 ON led.id = row.id"
    f" WHERE row.number > ? ORDER BY row.number LIMIT {_ROWS}"
)
_ROWS_THEMSELVES = "SELECT number, id, seq, slots, checksum FROM points NOT INDEXED"
_MOST_DOUBTFUL = 256
_LOST = "is not found by the index of ids"


@dataclass(frozen=True, slots=True)
class _Known:
    """Ids that the index lacks, and their numbers; rows that may have had another id."""

    lost: Mapping[Key, int]
    doubtful: Sequence[Row]


_NOTHING = _Known({}, ())


class IdIndex:
    """That of one store; any thread, with a connection of its own.

    ``later``: it is read in the background, by ``read``.
    """

    def __init__(self, path: Path, summed: Summed, *, later: bool = False) -> None:
        self._path = path
        self._summed = summed
        self._later = later
        self._lock = threading.Lock()
        self._found: _Known | None = None

    @property
    def is_due(self) -> bool:
        """Whether it is to be read in the background."""
        return self._later and self._found is None

    def read(self, is_stopped: Callable[[], bool]) -> None:
        """Read the index in steps that hold up no checkpoint, until told to stop.

        Each row is looked up by the id that it has, on a connection of its own.

        Raises:
            StorageError: the store could not be read.
        """
        lost: dict[Key, int] = {}
        doubtful: list[Row] = []
        last = -1
        may_lack = not self._summed.complete
        with store_errors(self._path), closing(connect(self._path)) as own:
            own.execute("PRAGMA query_only = ON")
            while rows := own.execute(_STEP, (last,)).fetchall():
                if is_stopped():
                    return
                bad = PLACE.bad(rows, [0, 1, 2, 3], 4, may_lack=may_lack)
                doubtful += [rows[place][:5] for place in bad[: _MOST_DOUBTFUL - len(doubtful)]]
                lost.update((row[1], row[0]) for row in rows if row[5] != row[0])
                last = rows[-1][0]
        self._found = _Known(lost, doubtful)

    def require_absent(
        self,
        connection: sqlite3.Connection,
        keys: Iterable[Key],
        spared: Spared | None = None,
        *,
        wait: bool = True,
    ) -> None:
        """Raise DamagedPoint for the first key that was not found, though some row has it.

        Args:
            connection: of the calling thread.
            keys: that were not found.
            spared: takes such points instead.
            wait: for the index, where it has to be read first.

        Raises:
            NotYetApplied: it has to be, and the caller does not wait.
        """
        known = self._known(connection, wait)
        for key in keys if known.lost or known.doubtful else ():
            if key in known.lost:
                number, error = known.lost[key], DamagedPoint(self._path, id_of_key(key), _LOST)
            elif (had := _that_had(key, known.doubtful)) is not None:
                number, error = had, damaged_place(self._path, key, had)
            else:
                continue
            if spared is None:
                raise error
            spared.add(number, error)

    def lost(self, connection: sqlite3.Connection, *, wait: bool = True) -> dict[int, DamagedPoint]:
        """Return the points that the index does not lead to, by number; raises as above."""
        known = self._known(connection, wait).lost
        return {n: DamagedPoint(self._path, id_of_key(key), _LOST) for key, n in known.items()}

    def is_damaged(self, connection: sqlite3.Connection) -> bool:
        """Tell whether the index, or the rows it leads to, were seen to be damaged."""
        known = self._known(connection)
        return bool(known.lost or known.doubtful)

    def _known(self, connection: sqlite3.Connection, wait: bool = True) -> _Known:
        # What is read in the background counts as whole until then: a first miss would else wait
        # for all of it.
        if self._found is not None or self._later:
            return self._found or _NOTHING
        if not wait:
            raise NotYetApplied(f"{self._path}: the index of ids is being read, try again")
        # One thread reads it; the others, which missed an id too, wait for what it finds.
        with self._lock:
            if self._found is None:
                whole = self._is_whole(connection)
                self._found = _Known({}, ()) if whole else self._read_rows(connection)
            return self._found

    def _read_rows(self, connection: sqlite3.Connection) -> _Known:
        may_lack = not self._summed.complete
        lost = {key: number for key, number in connection.execute(_NOT_LED_TO)}
        doubtful: list[Row] = []
        rows = connection.execute(_ROWS_THEMSELVES)
        while (some := rows.fetchmany(_ROWS)) and len(doubtful) < _MOST_DOUBTFUL:
            check_stop()
            bad = PLACE.bad(some, [0, 1, 2, 3], 4, may_lack=may_lack)
            doubtful += [some[place] for place in bad]
        rows.close()
        return _Known(lost, doubtful)

    def _is_whole(self, connection: sqlite3.Connection) -> bool:
        """Tell whether the index leads to every row, by the id it has, in order."""
        may_lack = not self._summed.complete
        rows = connection.execute(_WALK)
        count, last = 0, None
        try:
            while some := rows.fetchmany(_ROWS):
                check_stop()
                orders = [*([] if last is None else [last]), *(order_of(row[1]) for row in some)]
                if PLACE.bad(some, [0, 1, 2, 3], 4, may_lack=may_lack) or any(
                    after <= before for before, after in pairwise(orders)
                ):
                    return False
                count, last = count + len(some), orders[-1]
            return bool(connection.execute(_COUNT).fetchone()[0] == count)
        except (sqlite3.DatabaseError, TypeError):
            check_stop()
            return False
        finally:
            rows.close()


def _that_had(key: Key, doubtful: Sequence[Row]) -> int | None:
    """Return the number of the row whose checksum is right with an id, None if there is none."""
    # The id of such a row is not what was written. Its checksum was made over the right one, and so
    # tells whether it was this.
    for number, _, seq, slots, stored in doubtful:
        with suppress(ValueError):
            if PLACE.sum((number, key, seq, slots)) == stored:
                return int(number)
    return None
