"""A value in two files: damage to one of them costs nothing, and is mended by the next read."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from palimpsest.index.errors import Damaged, UnknownFormat
from palimpsest.index.storage.doubled import Doubled, copy_of

VALUE = {"цвет": "色", "n": 2**60}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "aliases.json"
    Doubled(made, "aliases", "restore it").write(VALUE)
    return made


def own(path: Path) -> Doubled:
    return Doubled(path, "aliases", "restore it")


def test_both_files_say_the_same_and_none_is_nothing(path: Path, tmp_path: Path) -> None:
    assert own(path).read() == VALUE
    assert path.read_bytes() == copy_of(path).read_bytes() and copy_of(path) != path
    assert own(tmp_path / "none.json").look() == (None, [])
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("second", [False, True])
def test_what_one_file_says_is_enough(path: Path, content: bytes | None, second: bool) -> None:
    whole, damaged = (path, copy_of(path)) if second else (copy_of(path), path)
    damaged.unlink() if content is None else damaged.write_bytes(content)
    value, wrong = own(path).look()
    assert value == VALUE and len(wrong) == (content is not None)
    assert own(path).read() == VALUE
    assert whole.read_bytes() == damaged.read_bytes(), "it was mended"


def test_no_flipped_bit_is_read_as_another_value(path: Path) -> None:
    kept = path.read_bytes()
    for place in range(0, 8 * len(kept), 37):
        flipped = bytearray(kept)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        assert own(path).look()[0] == VALUE, place


def test_the_later_of_two_changes_counts(path: Path) -> None:
    older = copy_of(path).read_bytes()
    again = own(path)
    again.read()
    again.write({"x": 1})
    copy_of(path).write_bytes(older)  # as an end between the two writes leaves it
    assert own(path).read() == {"x": 1}
    assert copy_of(path).read_bytes() == path.read_bytes()


def test_where_neither_can_be_read_the_first_one_is_named(path: Path) -> None:
    for one in (path, copy_of(path)):
        one.write_bytes(b"{}")
    with pytest.raises(Damaged, match=r"aliases\.json is damaged.*restore it"):
        own(path).look()
    path.write_text(json.dumps({"format": 3, "crc32": 0, "number": 1, "aliases": {}}))
    with pytest.raises(UnknownFormat, match="has format 3"):
        own(path).look()


def test_the_first_format_had_no_number_and_no_second_file(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    checksum = zlib.crc32(json.dumps(VALUE, sort_keys=True).encode())
    path.write_text(json.dumps({"format": 1, "crc32": checksum, "aliases": VALUE}))
    assert own(path).read() == VALUE
    assert copy_of(path).exists() and json.loads(path.read_text())["format"] == 2
