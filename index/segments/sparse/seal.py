"""Turning live sparse rows into a segment: gather, invert, write. Runs in the background."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.sparse.growing import SparseColumns, SparseGrowing
from palimpsest.index.segments.sparse.postings import PostingLists
from palimpsest.index.segments.sparse.rows import SparseRows, join_rows
from palimpsest.index.segments.sparse.sealed import KIND, SparseSealed, postings_files
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import write_folder
from palimpsest.index.storage.ids import Ids, join_ids
from palimpsest.index.storage.reserve import Admitted, anything
from palimpsest.index.types import Numbers, Slots

_PIECE = 1_024  # rows copied by one numpy call, which keeps other threads waiting


@dataclass(frozen=True, slots=True, eq=False)
class LiveSparseRows:
    """Rows to write, in any order."""

    rows: SparseRows
    ids: Ids
    slots: Slots
    numbers: Numbers
    seqs: NDArray[np.uint64]

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.slots)


def live_sparse_rows(
    parts: Sequence[tuple[SparseGrowing | SparseSealed, Dead]],
) -> LiveSparseRows:
    """Return the rows of the parts that are not dead."""
    chosen = [(part, dead.live_rows(part.n)) for part, dead in parts]
    pieces = [
        part.rows_of(rows[start : start + _PIECE])
        for part, rows in chosen
        for start in range(0, len(rows), _PIECE)
    ]
    columns = [(_columns_of(part), rows) for part, rows in chosen]
    return LiveSparseRows(
        rows=join_rows(pieces),
        ids=join_ids([column.ids[rows] for column, rows in columns]),
        slots=np.concatenate([column.slots[rows] for column, rows in columns]),
        numbers=np.concatenate([column.numbers[rows] for column, rows in columns]),
        seqs=np.concatenate([column.seqs[rows] for column, rows in columns]),
    )


def _columns_of(part: SparseGrowing | SparseSealed) -> SparseColumns | SparseSealed:
    return part.columns if isinstance(part, SparseGrowing) else part


def write_sparse(
    folder: Directory,
    rows: LiveSparseRows,
    cancelled: Callable[[], bool] = lambda: False,
    said: Mapping[str, Any] = MappingProxyType({}),
    admitted: Admitted = anything,
) -> int | None:
    """Write the rows as a segment; return the checksum to open it by, None when cancelled.

    Args:
        folder: a new one.
        rows: at least one.
        cancelled: asked now and then, and ends the work early.
        said: put into the description of the segment.
        admitted: held while a piece of it is written.
    """
    postings = PostingLists.of(rows.rows, 0)
    if cancelled():
        return None
    arrays = {
        "slots": rows.slots,
        "by_slot": np.argsort(rows.slots).astype(np.uint32),
        "seqs": rows.seqs,
        "numbers": rows.numbers,
        "ids": rows.ids,
        "indptr": rows.rows.indptr,
        "indices": rows.rows.indices,
        "values": rows.rows.values,
        **postings_files(postings),
    }
    return write_folder(folder, arrays, {**said, "kind": KIND}, admitted)
