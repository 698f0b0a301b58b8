"""``palimpsest restore`` says what it found, and ends with a status that scripts can use."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.app.cli import main
from palimpsest.index import Database
from tests.unit.snapshots.conftest import NAME, fill


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with Database.open(tmp_path / "first", threads=1) as database:
        fill(database)
        made = database.snapshots.create(NAME)
        return database.snapshots.shelf.find(NAME, made.name)


def test_a_whole_one(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", "--verify", str(file), "--aside", str(tmp_path)]) == 0
    assert "297 points" in capsys.readouterr().out
    assert main(["restore", str(file), "--data", str(tmp_path / "second")]) == 0
    assert capsys.readouterr().out == f"restored {NAME!r} in {tmp_path / 'second'}\n"
    again = ["restore", str(file), "--data", str(tmp_path / "second"), "--collection", "x"]
    assert main(again) == 0
    with Database.open(tmp_path / "second", threads=1) as database:
        assert database.names() == ["x", NAME]


def test_others(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = file.read_bytes()
    file.write_bytes(text[:-1])
    data = tmp_path / "second"
    assert main(["restore", "--verify", str(file)]) == 1
    assert main(["restore", str(file), "--data", str(data)]) == 1
    assert main(["restore", str(tmp_path / "none"), "--data", str(data)]) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("palimpsest: ") == 3
    with pytest.raises(SystemExit):
        main(["restore"])
