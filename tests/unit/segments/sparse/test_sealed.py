from __future__ import annotations

from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from palimpsest.index.config.vectors import SparseConfig
from palimpsest.index.errors import Damaged
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.sparse.growing import SparseGrowing
from palimpsest.index.segments.sparse.seal import live_sparse_rows, write_sparse
from palimpsest.index.segments.sparse.sealed import SparseSealed
from palimpsest.index.storage.files import write_folder
from palimpsest.index.storage.ids import pack_ids, unpack_ids
from tests.unit.segments.sparse.twin import Row, as_dict, rows_of

ROWS: list[Row] = [{3: 0.5, 7: -1.0}, {}, {0: 2.0, 2**32 - 1: 4.0}, {7: 8.0}, {3: 1.0}]


def growing(rows: list[Row], first: int) -> SparseGrowing:
    slots = np.arange(first, first + len(rows), dtype=np.uint64)
    ids = pack_ids([*range(first + 99, first + 98 + len(rows)), UUID(int=first)])
    numbers = np.arange(first, first + len(rows), dtype=np.uint32)[::-1].copy()
    return SparseGrowing.empty(SparseConfig()).extended(slots, 6, ids, numbers, rows_of(rows))


def sealed(folder: Path, parts: list[tuple[SparseGrowing | SparseSealed, Dead]]) -> SparseSealed:
    checksum = write_sparse(folder, live_sparse_rows(parts))
    assert checksum is not None
    return SparseSealed.open(folder, checksum)


def contents(part: SparseSealed) -> list[dict[int, float]]:
    rows = part.rows_of(np.arange(part.n))
    return [as_dict(rows.vector(row)) for row in range(part.n)]


def test_a_reopened_segment_has_the_live_rows(tmp_path: Path) -> None:
    part = growing(ROWS, first=10).without(np.array([11, 13], dtype=np.uint64))
    segment = sealed(tmp_path / "one", [(part, part.dead)])
    assert contents(segment) == [ROWS[0], ROWS[2], ROWS[4]]
    assert segment.n == 3
    assert segment.name == "one"
    assert segment.slots.tolist() == [10, 12, 14]
    assert segment.numbers.tolist() == [14, 12, 10]
    assert segment.seqs.tolist() == [6, 6, 6]
    assert unpack_ids(segment.ids) == [109, 111, UUID(int=10)]
    assert segment.find(np.array([14, 11, 10, 99], dtype=np.uint64)).tolist() == [2, -1, 0, -1]
    assert segment.postings.terms.tolist() == [0, 3, 7, 2**32 - 1]
    assert segment.postings.last == 3
    assert segment.disk_bytes == sum(
        file.stat().st_size for file in (tmp_path / "one").glob("*.npy")
    )
    assert segment.bytes_by_component["postings"] == segment.postings.nbytes


def test_segments_and_growing_rows_are_compacted_into_one(tmp_path: Path) -> None:
    first = sealed(tmp_path / "first", [(growing(ROWS, first=10), Dead())])
    dead = Dead().with_rows(np.array([0, 4]), first.n)
    later = growing(ROWS[::-1], first=2).without(np.array([2], dtype=np.uint64))
    both = sealed(tmp_path / "both", [(first, dead), (later, later.dead)])
    assert contents(both) == [*ROWS[1:4], *ROWS[3::-1]]
    assert both.slots.tolist() == [11, 12, 13, 3, 4, 5, 6]
    assert both.find(np.array([3, 13, 2], dtype=np.uint64)).tolist() == [3, 2, -1]


def test_rows_without_any_entry_are_kept(tmp_path: Path) -> None:
    segment = sealed(tmp_path / "empty", [(growing([{}, {}], first=1), Dead())])
    assert contents(segment) == [{}, {}]
    assert segment.postings.terms.size == 0


def test_a_cancelled_write_leaves_nothing(tmp_path: Path) -> None:
    rows = live_sparse_rows([(growing(ROWS, first=1), Dead())])
    assert write_sparse(tmp_path / "segment", rows, lambda: True) is None
    assert list(tmp_path.iterdir()) == []


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    rows = live_sparse_rows([(growing(ROWS, first=1), Dead())])
    checksum = write_sparse(tmp_path / "segment", rows)
    assert checksum is not None
    for path in sorted((tmp_path / "segment").glob("*.npy")):
        before = path.read_bytes()
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        if path.stem == "by_slot" or path.stem.startswith("postings_"):  # made anew from the rest
            assert SparseSealed.open(tmp_path / "segment", checksum).lacking == (path.name,)
        else:
            with pytest.raises(Damaged, match=path.name):
                SparseSealed.open(tmp_path / "segment", checksum)
        path.write_bytes(before)
    SparseSealed.open(tmp_path / "segment", checksum)


def test_a_segment_of_dense_rows_is_refused(tmp_path: Path) -> None:
    checksum = write_folder(tmp_path / "dense", {"ids": np.arange(3)}, {"size": 3})
    with pytest.raises(Damaged, match="kind of rows expected sparse, found None"):
        SparseSealed.open(tmp_path / "dense", checksum)
