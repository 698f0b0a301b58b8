from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from palimpsest.index.config.vectors import SparseConfig
from palimpsest.index.kinds.sparse.growing import SparseGrowing
from palimpsest.index.storage.ids import pack_ids, unpack_ids
from palimpsest.index.types import PointId
from tests.unit.kinds.sparse.twin import Row, as_dict, rows_of


def extended(
    part: SparseGrowing, rows: list[Row], *, first: int, ids: list[PointId] | None = None
) -> SparseGrowing:
    """Append rows of slots ``first`` and up; points are numbered like slots, less one."""
    slots = np.arange(first, first + len(rows), dtype=np.uint64)
    packed = pack_ids([int(slot) for slot in slots] if ids is None else ids)
    return part.extended(slots, first, packed, (slots - 1).astype(np.uint32), rows_of(rows))


def contents(part: SparseGrowing) -> list[dict[int, float]]:
    rows = part.rows_of(np.arange(part.n))
    return [as_dict(rows.vector(row)) for row in range(part.n)]


def inverted(part: SparseGrowing) -> list[dict[int, float]]:
    """Return the rows as the posting lists have them."""
    rows: list[dict[int, float]] = [{} for _ in range(part.n)]
    covered = []
    for postings in part.columns.postings:
        covered += range(postings.first, postings.last)
        for place, term in enumerate(postings.terms.tolist()):
            for at in range(postings.starts[place], postings.starts[place + 1]):
                rows[postings.rows[at]][term] = float(postings.values[at])
    assert covered == list(range(part.n))
    return rows


@pytest.fixture
def empty() -> SparseGrowing:
    return SparseGrowing.empty(SparseConfig())


def test_an_empty_part_has_nothing(empty: SparseGrowing) -> None:
    assert (empty.n, empty.live, empty.last_slot) == (0, 0, 0)
    assert empty.find(np.array([1, 2], dtype=np.uint64)).tolist() == [-1, -1]
    assert empty.columns.postings == ()


def test_rows_come_back_and_older_values_keep_what_they_saw(empty: SparseGrowing) -> None:
    one = extended(empty, [{1: 2.0}, {}], first=1)
    two = extended(one, [{5: 1.0, 2: 3.0}], first=7)
    assert contents(one) == [{1: 2.0}, {}]
    assert contents(two) == inverted(two) == [{1: 2.0}, {}, {2: 3.0, 5: 1.0}]
    assert (empty.n, one.n, two.n, two.last_slot) == (0, 2, 3, 7)
    assert two.columns.seqs[:3].tolist() == [1, 1, 7]
    assert two.columns.numbers[:3].tolist() == [0, 1, 6]
    assert two.find(np.array([7, 3, 2, 8], dtype=np.uint64)).tolist() == [2, -1, 1, -1]


def test_rows_already_there_are_left_out(empty: SparseGrowing) -> None:
    rows: list[Row] = [{1: 1.0}, {2: 2.0}, {3: 3.0}]
    once = extended(empty, rows, first=4)
    assert extended(once, rows, first=4) is once
    more = extended(once, [*rows[1:], {4: 4.0}], first=5)
    assert contents(more) == inverted(more) == [*rows, {4: 4.0}]
    assert more.columns.slots[:4].tolist() == [4, 5, 6, 7]


def test_dead_rows_stay_and_are_counted_once(empty: SparseGrowing) -> None:
    part = extended(empty, [{1: 1.0}] * 5, first=1)
    less = part.without(np.array([2, 4, 4, 99], dtype=np.uint64))
    assert (less.n, less.live, part.live) == (5, 3, 5)
    assert less.without(np.array([2], dtype=np.uint64)).live == 3
    assert less.without(np.array([50], dtype=np.uint64)) is less
    assert less.columns is part.columns
    longer = extended(less, [{2: 1.0}] * 300, first=6)
    assert longer.live == 303
    assert longer.dead.dead_rows(longer.n).tolist() == [1, 3]


def test_ids_of_both_kinds(empty: SparseGrowing) -> None:
    ids: list[PointId] = [3, UUID(int=5)]
    part = extended(extended(empty, [{1: 1.0}], first=1), [{}, {2: 1.0}], first=2, ids=ids)
    assert unpack_ids(part.columns.ids[: part.n]) == [1, 3, UUID(int=5)]


def test_stretches_stay_few_whatever_the_size_of_writes(
    empty: SparseGrowing, rng: np.random.Generator
) -> None:
    part, rows, widest = empty, [], 0
    for size in [*[1] * 100, 900, *[1, 40] * 30, 5, 700, *[3] * 50]:
        new: list[Row] = [
            {int(i): float(i % 7) for i in rng.choice(30, rng.integers(0, 6))} for _ in range(size)
        ]
        part = extended(part, new, first=part.n + 1)
        rows += new
        widest = max(widest, len(part.columns.postings))
    assert contents(part) == inverted(part) == rows
    assert widest <= 7 * 4  # fewer than eight of each power of eight rows up to 3,000


def test_memory_is_counted(empty: SparseGrowing) -> None:
    part = extended(empty, [{i: 1.0 for i in range(100)}] * 300, first=1)
    entries = 300 * 100
    assert part.columns.nbytes >= 2 * entries * 8  # as rows, and as postings
    assert part.columns.nbytes <= 3 * entries * 8 + 300 * 60
