"""Where rows are, by the files: segments and staged rows, found by number or by slot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.checks.parts import STRETCH, ColumnRows, Parts, Vanished
from palimpsest.index.checks.stored import opened
from palimpsest.index.errors import Damaged
from palimpsest.index.storage.ids import pack_ids
from tests.unit.doctor.making import make


def rows(slots: list[int], numbers: list[int] | None) -> ColumnRows:
    n = len(slots)
    return ColumnRows(
        "часть",
        np.array(slots, dtype=np.uint64),
        pack_ids(list(range(2**53, 2**53 + n))),
        None if numbers is None else np.array(numbers, dtype=np.uint32),
        np.ones(n, dtype=np.uint64),
    )


def test_rows_of_a_stretch_are_found_by_the_numbers_of_their_points() -> None:
    part = rows([5, 9, 7, 2], [0, STRETCH, STRETCH - 1, 2**32 - 1])
    nothing = np.zeros(STRETCH, dtype=np.uint64)
    assert part.rows_in(0, nothing).tolist() == [0, 2]
    assert part.rows_in(STRETCH, nothing).tolist() == [1]
    assert part.rows_in(2 * STRETCH, nothing).tolist() == []
    assert part.stretches == [0, 1, (2**32 - 1) // STRETCH]


def test_parts_that_say_no_numbers_are_looked_up_by_slot() -> None:
    part = rows([5, 9, 7], None)
    wanted = np.zeros(STRETCH, dtype=np.uint64)
    wanted[[3, 8, 9]] = 7, 5, 2**63
    assert sorted(part.rows_in(0, wanted).tolist()) == [0, 2] and part.stretches == []


def test_columns_of_other_lengths_are_damage() -> None:
    with pytest.raises(Damaged, match="часть"):
        rows([1, 2], [1])


def test_a_folder_that_went_is_told_and_one_that_cannot_be_read_noted(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", sealed=1_000, staged=4)
    with opened(folder / "store.sqlite3", in_use=False) as stored:
        with stored.snapshot():
            listing = stored.listing()
            whole = Parts(folder, ())
            whole.follow(stored, listing)
            assert {column: len(parts) for column, parts in whole.of.items()} == {0: 2, 1: 2}
            first = listing.segments[0]
            distrusting = Parts(folder, {first.name})
            distrusting.follow(stored, listing)
            assert distrusting.unreadable == {first.vector}
            (folder / "segments" / first.name / "slots.npy").write_bytes(b"x")
            broken = Parts(folder, ())
            broken.follow(stored, listing)
            assert broken.unreadable == {first.vector}
            (folder / "segments" / first.name).rename(tmp_path / "elsewhere")
            gone = Parts(folder, ())
            with pytest.raises(Vanished) as vanished:
                gone.follow(stored, listing)
            gone.forget(vanished.value.entry)
            gone.follow(stored, listing)
            assert gone.unreadable == {first.vector}
