"""A segment of sparse rows on disk that never change.

Files beside those of every segment (``index.segments.segment``): the rows as they were given,
``indptr`` (n + 1,) i64, ``indices`` u32 and ``values`` f32; and ``postings_*``, the same entries by
dimension. Postings, ids and numbers are read into memory; the rest stays mapped.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.errors import Damaged
from palimpsest.index.kinds.sparse.postings import PostingLists
from palimpsest.index.kinds.sparse.rows import SparseRows
from palimpsest.index.segments.columns import require_rows
from palimpsest.index.segments.segment import NumbersOf, Segment, of_points, open_segment
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import Folder

KIND = "sparse"
_PREFIX = "postings_"


@dataclass(frozen=True, slots=True, eq=False)
class SparseSealed(Segment):
    """An opened segment; ``rows`` are mapped."""

    rows: SparseRows
    postings: PostingLists

    @classmethod
    def open(
        cls, folder: Directory, checksum: int, numbers_of: NumbersOf | None = None
    ) -> SparseSealed:
        """Open and check a segment; arguments and errors are those of ``open_segment``."""
        return open_segment(folder, checksum, spare, lambda files: cls._of(files, numbers_of))

    @classmethod
    def _of(cls, files: Folder, numbers_of: NumbersOf | None) -> SparseSealed:
        kind = files.description.get("kind")
        if kind != KIND:
            raise Damaged(files.path, KIND, kind, "kind of rows")
        points = of_points(files, numbers_of)
        rows = SparseRows(*(files.mapped(name) for name in ("indptr", "indices", "values")))
        require_rows(rows.indptr, rows.indices, rows.values, points["n"])
        postings = (
            PostingLists.of(rows, 0)
            if any(name.startswith("postings_") for name in files.lacking)
            else PostingLists.from_arrays(_postings(files), points["n"])
        )
        return cls(
            **points,
            rows=rows,
            postings=postings,
            bytes_by_component={
                "postings": postings.nbytes,
                "ids": points["ids"].nbytes + points["numbers"].nbytes,
                "originals_mapped": rows.nbytes,
            },
        )

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
