"""Whose each row is: columns written behind one another, made longer, and gathered from parts."""

from __future__ import annotations

from uuid import UUID

import numpy as np

from palimpsest.index.segments.points import PointColumns, lengthened, longer, points_at, room_for
from palimpsest.index.storage.ids import pack_ids, unpack_ids
from palimpsest.index.types import PointId


def put(columns: PointColumns, n: int, ids: list[PointId], seq: int) -> PointColumns:
    slots = np.arange(2**53 + n, 2**53 + n + len(ids), dtype=np.uint64)
    numbers = np.arange(2**32 - 10 + n, 2**32 - 10 + n + len(ids)).astype(np.uint32)
    return columns.put(n, slots, seq, pack_ids(ids), numbers)


def test_rows_are_written_behind_those_there_are() -> None:
    columns = PointColumns(**room_for(5))
    assert columns.capacity == 5 and columns.nbytes == columns.points_nbytes == 5 * (8 * 3 + 4)
    one = put(columns, 0, [2**64 - 1, 0], 7)
    two = put(one, 2, [2**53 + 1], 2**63)
    assert two is columns
    assert unpack_ids(columns.ids[:3]) == [2**64 - 1, 0, 2**53 + 1]
    assert columns.slots[:3].tolist() == [2**53, 2**53 + 1, 2**53 + 2]
    assert columns.seqs[:3].tolist() == [7, 7, 2**63]


def test_uuids_and_integers_stand_in_one_column_of_the_wider_form() -> None:
    first = put(PointColumns(**room_for(4)), 0, [5], 1)
    wide = put(first, 1, [UUID(int=5)], 2)
    assert wide is not first and wide.ids.ndim == 2 and first.ids.ndim == 1
    back = put(wide, 2, [6], 3)
    assert np.shares_memory(back.ids, wide.ids) and unpack_ids(back.ids[:3]) == [5, UUID(int=5), 6]


def test_longer_columns_begin_with_the_same_rows() -> None:
    columns = put(PointColumns(**room_for(2)), 0, [1, UUID(int=2)], 9)
    more = PointColumns(**longer(columns, 2, 7))
    assert more.capacity == 7 and unpack_ids(more.ids[:2]) == [1, UUID(int=2)]
    assert more.seqs[:2].tolist() == [9, 9] and not np.shares_memory(more.slots, columns.slots)
    assert lengthened(np.ones((2, 3), np.float32), 1, 4).shape == (4, 3)


def test_rows_are_gathered_in_the_order_they_are_chosen() -> None:
    one = put(PointColumns(**room_for(2)), 0, [1, 2], 1)
    other = put(PointColumns(**room_for(2)), 0, [UUID(int=3), 4], 2)
    found = PointColumns(**points_at([(one, np.array([1])), (other, np.array([1, 0]))]))
    assert unpack_ids(found.ids) == [2, 4, UUID(int=3)] and found.seqs.tolist() == [1, 2, 2]
    files = found.files()
    assert set(files) == {"slots", "by_slot", "numbers", "seqs", "ids"}
    assert (np.diff(found.slots[files["by_slot"]].astype(np.float64)) >= 0).all()
