"""The file of rows that an import does without."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.app.transfer.errors import WrongUse
from palimpsest.app.transfer.rows import Fault
from palimpsest.app.transfer.skipping import SkipFile


def test_rows_of_a_resumed_import_stand_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    with closing(SkipFile(path, None)) as file:
        kept = file.add("a.jsonl", [Fault(3, "no id", b'{"x": \xff}')])
        file.add("a.jsonl", [Fault(4, "after the last note", b"")])
    with closing(SkipFile(path, kept)) as file:
        file.add("a.jsonl", [Fault(4, "again", "é".encode())])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [
        {"source": "a.jsonl", "place": 4, "why": "no id", "row": '{"x": \ufffd}'},
        {"source": "a.jsonl", "place": 5, "why": "again", "row": "é"},
    ]


def test_what_somebody_else_wrote_stays(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("mine")
    with pytest.raises(WrongUse, match="exists"):
        SkipFile(path, None)
    with pytest.raises(WrongUse, match="expected the 9 bytes of before, got 4"):
        SkipFile(path, 9)
    assert path.read_text() == "mine"
    with pytest.raises(WrongUse, match="No such file"):
        SkipFile(tmp_path / "no" / "folder", None)
    (tmp_path / "empty").write_text("")
    SkipFile(tmp_path / "empty", None).close()
