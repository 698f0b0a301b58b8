"""Turning live sparse rows into a segment: gather, invert, write. Runs in the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from palimpsest.index.config.vectors import SparseConfig
from palimpsest.index.kinds.sparse.growing import SparseGrowing
from palimpsest.index.kinds.sparse.postings import PostingLists
from palimpsest.index.kinds.sparse.rows import SparseRows, join_rows
from palimpsest.index.kinds.sparse.sealed import KIND, SparseSealed, postings_files
from palimpsest.index.segments.build import PIECE, Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.points import PointColumns, points_at
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import write_folder


@dataclass(frozen=True, slots=True, eq=False)
class LiveSparseRows(PointColumns):
    """Rows to write, in any order."""

    rows: SparseRows


def live_sparse_rows(
    parts: Sequence[tuple[SparseGrowing | SparseSealed, Dead]],
) -> LiveSparseRows:
    """Return the rows of the parts that are not dead."""
    chosen = [(part, dead.live_rows(part.n)) for part, dead in parts]
    pieces = [
        part.rows_of(rows[start : start + PIECE])
        for part, rows in chosen
        for start in range(0, len(rows), PIECE)
    ]
    points = points_at([(part.columns, rows) for part, rows in chosen])
    return LiveSparseRows(**points, rows=join_rows(pieces))


def write_sparse(folder: Directory, rows: LiveSparseRows, to: Build[SparseConfig]) -> int | None:
    """Write the rows as a segment; return the checksum to open it by, None when cancelled.

    Args:
        folder: a new one.
        rows: at least one.
        to: how to build.
    """
    postings = PostingLists.of(rows.rows, 0)
    if to.cancelled():
        return None
    arrays = {
        **rows.files(),
        "indptr": rows.rows.indptr,
        "indices": rows.rows.indices,
        "values": rows.rows.values,
        **postings_files(postings),
    }
    return write_folder(folder, arrays, {**to.said, "kind": KIND}, to.admitted)
