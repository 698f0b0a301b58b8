"""Columns of a segment that cannot be those of its rows are refused, whatever checksums say."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index.errors import Damaged
from palimpsest.index.kinds.sparse.postings import PostingLists
from palimpsest.index.kinds.sparse.sealed import SparseSealed
from palimpsest.index.segments.columns import require_columns, require_dense
from palimpsest.index.segments.dead import Dead
from palimpsest.index.storage.files import DESCRIPTION, open_folder, write_folder
from palimpsest.index.storage.ids import pack_ids
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.types import SparseVector
from tests.unit.kinds.sparse.test_sealed import ROWS, growing, sealed

Array = NDArray[Any]
N, SIZE = 6, 3
COLUMNS: Mapping[str, Array] = {
    "ids": pack_ids(list(range(N))),
    "slots": np.array([3, 0, 5, 1, 2, 9], dtype=np.uint64),
    "by_slot": np.array([1, 3, 4, 0, 2, 5], dtype=np.uint32),
    "seqs": np.ones(N, dtype=np.uint64),
    "numbers": np.arange(N, dtype=np.uint32),
    "lengths": np.ones(N, dtype=np.float32),
    "kept": np.ones((N, SIZE), dtype=np.float32),
    "codes": np.ones((N, 8), dtype=np.uint8),
}
WAYS: Mapping[str, Callable[[Array], Array]] = {
    "shorter": lambda column: column[:-1],
    "another shape": lambda column: column[:, None],
    "another dtype": lambda column: column.astype(np.float64),
}
POSTINGS: Mapping[str, Callable[[Array], Array]] = {
    "postings_rows": lambda rows: rows + np.uint32(len(ROWS)),
    "postings_starts": lambda starts: starts[::-1].copy(),
    "postings_terms": lambda terms: terms[::-1].copy(),
    "postings_values": lambda values: values[1:],
}


def require(folder: InMemory, columns: Mapping[str, Array]) -> None:
    files = open_folder(folder, write_folder(folder, columns, {"size": SIZE}))
    require_columns(files)
    require_dense(files, N)


@pytest.mark.parametrize("kept", ["float32", "float16", "uint8"])
def test_columns_that_fit_pass(kept: str) -> None:
    width = SIZE + 4 * (kept == "uint8")
    require(InMemory() / "a", {**COLUMNS, "kept": np.ones((N, width), dtype=kept)})
    require(InMemory() / "b", {**COLUMNS, "ids": pack_ids([1, 2, UUID(int=1), 4, 5, 6])})
    require(InMemory() / "c", {name: COLUMNS[name] for name in ("ids", "slots", "seqs")})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", COLUMNS)
def test_no_column_may_be_another(name: str, way: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        require(InMemory() / "a", {**COLUMNS, name: WAYS[way](COLUMNS[name])})


def test_rows_are_in_the_order_of_their_slots() -> None:
    with pytest.raises(ValueError, match="by_slot"):
        require(InMemory() / "a", {**COLUMNS, "by_slot": np.arange(N, dtype=np.uint32)})
    with pytest.raises(IndexError):
        require(InMemory() / "b", {**COLUMNS, "by_slot": COLUMNS["by_slot"] + np.uint32(1)})


def rewritten(
    folder: InMemory, name: str, change: Callable[[Array], Array]
) -> tuple[InMemory, int]:
    """Write a segment of sparse rows a second time, one array changed, its checksums right."""
    first = sealed(folder / "first", [(growing(ROWS, 0), Dead())])
    checksum = zlib.crc32((folder / "first").read(DESCRIPTION))
    whole = open_folder(folder / "first", checksum)
    arrays = {one.removesuffix(".npy"): whole.loaded(one[:-4]) for one in whole.buffers}
    described = {key: one for key, one in first.description.items() if key != "files"}
    arrays[name] = np.ascontiguousarray(change(arrays[name]))
    return folder / "again", write_folder(folder / "again", arrays, described)


@pytest.mark.parametrize("name", POSTINGS)
def test_posting_lists_that_make_no_sense_are_made_anew(name: str) -> None:
    """Followed without a look, they would be read and written beyond the rows."""
    segment = SparseSealed.open(*rewritten(InMemory(), name, POSTINGS[name]))
    assert f"{name}.npy" in segment.lacking
    query = SparseVector(np.array([3, 7], np.uint32), np.ones(2, np.float32))
    sums = segment.postings.sums(query)
    assert sums.any() and sums.tolist() == PostingLists.of(segment.rows, 0).sums(query).tolist()


@pytest.mark.parametrize("name", ["indptr", "indices", "values"])
def test_sparse_rows_that_make_no_sense_are_damage(name: str) -> None:
    with pytest.raises(Damaged, match="contents that fit"):
        SparseSealed.open(*rewritten(InMemory(), name, lambda array: array[:-1]))
