"""Lines of files, packed or not."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest

from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.files import file_mark, lines_of, open_lines


def test_lines_come_without_their_ends(tmp_path: Path) -> None:
    text = "é\r\n\n{}\nlast".encode()
    (tmp_path / "a.jsonl").write_bytes(text)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text))
    for name in ("a.jsonl", "a.jsonl.gz"):
        with open_lines(str(tmp_path / name)) as file:
            assert [*lines_of(file, name)] == ["é".encode(), b"", b"{}", b"last"]


def test_a_mark_of_utf_8_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf{}\n\xef\xbb\xbf{}\n")
    with open_lines(str(tmp_path / "a.jsonl")) as file:
        assert [*lines_of(file, "a")] == [b"{}", b"\xef\xbb\xbf{}"]


def test_a_packed_file_that_is_cut_off_says_where(tmp_path: Path) -> None:
    packed = gzip.compress(os.urandom(50).hex().encode() + b"\n" + os.urandom(9_000))
    (tmp_path / "a.gz").write_bytes(packed[:-2_000])
    with open_lines(str(tmp_path / "a.gz")) as file:
        with pytest.raises(TransferError, match="a: cannot be read after line "):
            [*lines_of(file, "a")]


def test_a_file_that_is_written_again_is_another(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    before = file_mark(path)
    os.utime(path, ns=(0, 5))
    assert file_mark(path) != before
    for missing in (lambda: file_mark(tmp_path / "b"), lambda: open_lines(str(tmp_path / "b"))):
        with pytest.raises(WrongUse, match="No such file"):
            missing()


def test_standard_input_is_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"{}\n")))
    assert [*lines_of(open_lines("-"), "-")] == [b"{}"]
