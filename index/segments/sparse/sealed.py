"""A segment of sparse rows on disk that never change.

Files: ``slots`` (n,) u64, ``by_slot`` (n,) u32 (rows in ascending slot order), ``seqs`` (n,) u64,
``numbers`` (n,) u32, ``ids``; the rows as they were given: ``indptr`` (n + 1,) i64, ``indices`` u32
and ``values`` f32; and ``postings_*``, the same entries by dimension. Postings, ids and numbers are
read into memory; the rest stays mapped.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.errors import Damaged
from palimpsest.index.segments.columns import require_columns, require_rows
from palimpsest.index.segments.finding import find_sorted
from palimpsest.index.segments.sparse.postings import PostingLists
from palimpsest.index.segments.sparse.rows import SparseRows
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import Folder, open_folder
from palimpsest.index.storage.ids import Ids
from palimpsest.index.types import Numbers, Slots

KIND = "sparse"
_PREFIX = "postings_"
_SENSELESS = (LookupError, OverflowError, TypeError, ValueError)  # of contents that do not fit
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class SparseSealed:
    """An opened segment; ``rows`` are mapped."""

    name: str
    n: int
    slots: Slots
    by_slot: NDArray[np.uint32]
    seqs: NDArray[np.uint64]
    numbers: Numbers
    ids: Ids
    rows: SparseRows
    postings: PostingLists
    description: Mapping[str, Any]
    bytes_by_component: Mapping[str, int]
    disk_bytes: int
    lacking: tuple[str, ...]  # damaged files that are made anew when it is written again

    @classmethod
    def open(cls, folder: Directory, checksum: int) -> SparseSealed:
        """Open and check a segment. Raises Damaged or UnknownFormat."""
        files = open_folder(folder, checksum, spare)
        kind = files.description.get("kind")
        if kind != KIND:
            raise Damaged(folder.path, KIND, kind, "kind of rows")
        try:
            return cls._of(files)
        except _SENSELESS as error:
            _log.warning("%s: contents that make no sense are made anew: %r", folder.path, error)
            whole = files.without(spare(files.description["files"]), repr(error))
        try:
            return cls._of(whole)
        except _SENSELESS as error:
            raise Damaged(folder.path, "contents that fit", repr(error), "segment") from error

    @classmethod
    def _of(cls, files: Folder) -> SparseSealed:
        require_columns(files)
        ids, numbers = files.loaded("ids"), files.loaded("numbers")
        rows = SparseRows(*(files.mapped(name) for name in ("indptr", "indices", "values")))
        require_rows(rows.indptr, rows.indices, rows.values, len(ids))
        postings = (
            PostingLists.of(rows, 0)
            if any(name.startswith("postings_") for name in files.lacking)
            else PostingLists.from_arrays(_postings(files), len(ids))
        )
        slots = files.mapped("slots")
        by_slot = (
            files.mapped("by_slot") if files.has("by_slot") else np.argsort(slots).astype(np.uint32)
        )
        return cls(
            name=files.path.name,
            n=len(ids),
            slots=slots,
            by_slot=by_slot,
            seqs=files.mapped("seqs"),
            numbers=numbers,
            ids=ids,
            rows=rows,
            postings=postings,
            description=files.description,
            bytes_by_component={
                "postings": postings.nbytes,
                "ids": ids.nbytes + numbers.nbytes,
                "originals_mapped": rows.nbytes,
            },
            disk_bytes=files.nbytes,
            lacking=tuple(files.lacking),
        )

    def find(self, slots: Slots) -> NDArray[np.intp]:
        """Return the row of each slot, -1 where it is not here."""
        return find_sorted(self.slots, self.by_slot, slots)

    def rows_of(self, rows: NDArray[np.integer[Any]]) -> SparseRows:
        """Return some rows, in the order asked for."""
        return self.rows.take(rows)


def postings_files(postings: PostingLists) -> dict[str, NDArray[Any]]:
    """Return the arrays of posting lists under their names in a folder."""
    return {_PREFIX + name: array for name, array in postings.arrays().items()}


def spare(names: Collection[str]) -> set[str]:
    """Return the files of a segment that can be made anew from its rows."""
    return {name for name in names if name == "by_slot.npy" or name.startswith("postings_")}


def _postings(files: Folder) -> dict[str, NDArray[Any]]:
    names = [name.removesuffix(".npy") for name in files.buffers]
    return {
        name.removeprefix(_PREFIX): files.loaded(name) for name in names if name.startswith(_PREFIX)
    }
