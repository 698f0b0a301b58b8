"""What segments of every kind have: columns of their points, and files that are done without."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest

from palimpsest.index.errors import Damaged, UnknownFormat
from palimpsest.index.segments import segment as module
from palimpsest.index.segments.segment import Segment, of_points, open_segment
from palimpsest.index.storage import files as format_of_files
from palimpsest.index.storage.files import Folder, write_folder
from palimpsest.index.storage.ids import pack_ids, unpack_ids
from palimpsest.index.storage.in_memory import InMemory

IDS = [2**64 - 1, UUID(int=3), 2**53 + 1]
ARRAYS: dict[str, Any] = {
    "ids": pack_ids(IDS),
    "slots": np.array([9, 2**63, 4], dtype=np.uint64),
    "by_slot": np.array([2, 0, 1], dtype=np.uint32),
    "seqs": np.array([1, 2, 2**53 + 1], dtype=np.uint64),
    "numbers": np.array([5, 2**32 - 1, 0], dtype=np.uint32),
}
SPARE = {"by_slot.npy"}


def opened(arrays: dict[str, Any], numbers_of: Any = None, fails: int = 0) -> Segment:
    folder = InMemory() / "имя"
    checksum = write_folder(folder, arrays, {"vector": 0})
    left = fails

    def of(files: Folder) -> Segment:
        nonlocal left
        left -= 1
        if left >= 0:
            raise ValueError("makes no sense")
        return Segment(**of_points(files, numbers_of), bytes_by_component={"ids": 1})

    return open_segment(folder, checksum, lambda names: SPARE & {*names}, of)


def test_rows_are_found_by_slot() -> None:
    segment = opened(ARRAYS)
    assert (segment.name, segment.n, segment.lacking) == ("имя", 3, ())
    wanted = np.array([2**63, 5, 4, 9], dtype=np.uint64)
    assert segment.find(wanted).tolist() == [1, -1, 2, 0]
    assert unpack_ids(segment.ids) == IDS and segment.columns is segment
    assert not segment.is_scanned and not segment.is_outdated(None)
    assert segment.resident == {"ids": 1} and segment.disk_bytes > 0


def test_the_order_of_slots_is_made_where_there_is_none() -> None:
    without = {name: one for name, one in ARRAYS.items() if name != "by_slot"}
    assert opened(without).by_slot.tolist() == [2, 0, 1]


def test_numbers_of_the_first_format_are_given_by_who_knows_them() -> None:
    without = {name: one for name, one in ARRAYS.items() if name != "numbers"}
    given = opened(without, lambda ids: np.arange(len(ids), dtype=np.uint32))
    assert given.numbers.tolist() == [0, 1, 2]
    with pytest.raises(Damaged, match="numbers of its points"):
        opened(without)


def test_contents_that_make_no_sense_are_tried_without_what_is_spare(
    caplog: pytest.LogCaptureFixture,
) -> None:
    segment = opened(ARRAYS, fails=1)
    assert segment.lacking == ("by_slot.npy",) and segment.by_slot.tolist() == [2, 0, 1]
    assert "made anew" in caplog.text
    with pytest.raises(Damaged, match="contents that fit.*makes no sense"):
        opened(ARRAYS, fails=2)


def test_a_segment_of_a_later_release_is_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = InMemory() / "later"
    with monkeypatch.context() as patch:
        patch.setattr(format_of_files, "FORMAT", 99)
        checksum = write_folder(folder, ARRAYS, {})
    with pytest.raises(UnknownFormat, match="99"):
        open_segment(folder, checksum, lambda names: set(), lambda files: module.Segment)  # type: ignore[arg-type, return-value]
