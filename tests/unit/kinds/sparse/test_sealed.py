from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from palimpsest.index.config.vectors import SparseConfig
from palimpsest.index.errors import Damaged
from palimpsest.index.kinds.sparse.growing import SparseGrowing
from palimpsest.index.kinds.sparse.seal import live_sparse_rows, write_sparse
from palimpsest.index.kinds.sparse.sealed import SparseSealed
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.storage.directory import replace_file
from palimpsest.index.storage.files import DESCRIPTION, write_folder
from palimpsest.index.storage.ids import pack_ids, unpack_ids
from palimpsest.index.storage.in_memory import InMemory
from tests.unit.kinds.sparse.twin import Row, as_dict, rows_of

TO = Build(SparseConfig())
ROWS: list[Row] = [{3: 0.5, 7: -1.0}, {}, {0: 2.0, 2**32 - 1: 4.0}, {7: 8.0}, {3: 1.0}]


def growing(rows: list[Row], first: int) -> SparseGrowing:
    slots = np.arange(first, first + len(rows), dtype=np.uint64)
    ids = pack_ids([*range(first + 99, first + 98 + len(rows)), UUID(int=first)])
    numbers = np.arange(first, first + len(rows), dtype=np.uint32)[::-1].copy()
    return SparseGrowing.empty(SparseConfig()).extended(slots, 6, ids, numbers, rows_of(rows))


def sealed(
    folder: InMemory, parts: list[tuple[SparseGrowing | SparseSealed, Dead]]
) -> SparseSealed:
    checksum = write_sparse(folder, live_sparse_rows(parts), TO)
    assert checksum is not None
    return SparseSealed.open(folder, checksum)


def contents(part: SparseSealed) -> list[dict[int, float]]:
    rows = part.rows_of(np.arange(part.n))
    return [as_dict(rows.vector(row)) for row in range(part.n)]


def test_a_reopened_segment_has_the_live_rows() -> None:
    files = InMemory()
    part = growing(ROWS, first=10).without(np.array([11, 13], dtype=np.uint64))
    segment = sealed(files / "one", [(part, part.dead)])
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
    assert segment.disk_bytes == ((files / "one").size() - len((files / "one").read(DESCRIPTION)))
    assert segment.bytes_by_component["postings"] == segment.postings.nbytes


def test_segments_and_growing_rows_are_compacted_into_one() -> None:
    files = InMemory()
    first = sealed(files / "first", [(growing(ROWS, first=10), Dead())])
    dead = Dead().with_rows(np.array([0, 4]), first.n)
    later = growing(ROWS[::-1], first=2).without(np.array([2], dtype=np.uint64))
    both = sealed(files / "both", [(first, dead), (later, later.dead)])
    assert contents(both) == [*ROWS[1:4], *ROWS[3::-1]]
    assert both.slots.tolist() == [11, 12, 13, 3, 4, 5, 6]
    assert both.find(np.array([3, 13, 2], dtype=np.uint64)).tolist() == [3, 2, -1]


def test_rows_without_any_entry_are_kept() -> None:
    files = InMemory()
    segment = sealed(files / "empty", [(growing([{}, {}], first=1), Dead())])
    assert contents(segment) == [{}, {}]
    assert segment.postings.terms.size == 0


def test_a_cancelled_write_leaves_nothing() -> None:
    files = InMemory()
    rows = live_sparse_rows([(growing(ROWS, first=1), Dead())])
    assert write_sparse(files / "segment", rows, replace(TO, cancelled=lambda: True)) is None
    assert files.list() == []


def test_a_changed_byte_is_found() -> None:
    files = InMemory()
    rows = live_sparse_rows([(growing(ROWS, first=1), Dead())])
    checksum = write_sparse(files / "segment", rows, TO)
    assert checksum is not None
    folder = files / "segment"
    for name in sorted({*folder.list()} - {DESCRIPTION}):
        before = folder.read(name)
        replace_file(folder, name, before[:-1] + bytes([before[-1] ^ 1]))
        if name == "by_slot.npy" or name.startswith("postings_"):  # made anew from the rest
            assert SparseSealed.open(folder, checksum).lacking == (name,)
        else:
            with pytest.raises(Damaged, match=name):
                SparseSealed.open(folder, checksum)
        replace_file(folder, name, before)
    SparseSealed.open(files / "segment", checksum)


def test_a_segment_of_dense_rows_is_refused() -> None:
    files = InMemory()
    checksum = write_folder(files / "dense", {"ids": np.arange(3)}, {"size": 3})
    with pytest.raises(Damaged, match="kind of rows expected sparse, found None"):
        SparseSealed.open(files / "dense", checksum)
