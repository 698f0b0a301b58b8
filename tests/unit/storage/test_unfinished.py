"""The note of a restore under way: the first one counts, and what cannot be read is no excuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from palimpsest.index.errors import Damaged, UnknownFormat
from palimpsest.index.storage.entries import Position
from palimpsest.index.storage.unfinished import (
    FILE,
    note_restore,
    note_restored,
    require_restored,
)

FIRST, LATER = Position(2**53 + 1, 7, 3), Position(2**60, 9, 5)


def test_a_restore_that_goes_on_begins_where_it_began(tmp_path: Path) -> None:
    require_restored(tmp_path)
    assert note_restore(tmp_path, FIRST) == FIRST
    assert note_restore(tmp_path, LATER) == FIRST
    with pytest.raises(Damaged, match="cut off.*doctor --repair"):
        require_restored(tmp_path)
    note_restored(tmp_path)
    require_restored(tmp_path)
    assert note_restore(tmp_path, LATER) == LATER


def test_no_flipped_bit_is_another_position(tmp_path: Path) -> None:
    note_restore(tmp_path, FIRST)
    kept = (tmp_path / FILE).read_bytes()
    for place in range(0, 8 * len(kept), 19):
        flipped = bytearray(kept)
        flipped[place // 8] ^= 1 << place % 8
        (tmp_path / FILE).write_bytes(flipped)
        try:
            assert note_restore(tmp_path, LATER) == FIRST, place
        except (Damaged, UnknownFormat):
            continue


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"format": 1}', "\x00"])
def test_a_note_that_is_none_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    for look in (require_restored, lambda folder: note_restore(folder, LATER)):
        with pytest.raises(Damaged, match="a note of a restore"):
            look(tmp_path)


def test_a_note_of_a_later_release_is_not_guessed_at(tmp_path: Path) -> None:
    said = {"format": 2, "crc32": 0, "position": [1, 2, 3, 4]}
    (tmp_path / FILE).write_text(json.dumps(said))
    with pytest.raises(UnknownFormat, match="has format 2"):
        require_restored(tmp_path)
