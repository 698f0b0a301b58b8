"""Points of an export while they come."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Row
from palimpsest.app.transfer.spool import Spool

UUID = "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77"


def row(point_id: int | str, payload: str = "{}") -> Row:
    shown = json.dumps(point_id)
    return Row(0, point_id, f'{{"id":{shown},"vector":[1],"payload":{payload}}}'.encode())


def test_what_came_after_the_last_note_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "a.partial"
    with closing(Spool(path, "docs", False)) as spool:
        spool.add(row(2**64 - 1))
        spool.add(row(3))
        spool.note()
        spool.add(row(UUID))
    with closing(Spool(path, "docs", False)) as spool:
        assert (spool.start, spool.at.integers) == (Start(2, 3), True)
        spool.add(row(UUID, '{"é":\r\n 1.0}'))
        spool.note()
        assert [line.id for line in spool.lines()] == [2**64 - 1, 3, UUID]
        assert bytes([*spool.lines()][2].payload).decode() == '{"é":   1.0}'
        assert not spool.at.integers
        spool.remove()
    assert [*tmp_path.iterdir()] == []


def test_what_is_of_another_export_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "a.partial"
    with closing(Spool(path, "docs", False)) as spool:
        spool.add(row(1))
        spool.note()
        with pytest.raises(TransferError, match="another export to the same file is running"):
            Spool(path, "docs", False)
    with pytest.raises(TransferError, match="--restart"):
        Spool(path, "others", False)
    with closing(Spool(path, "others", True)) as spool:
        assert spool.start == Start()
        spool.note()
    assert path.read_bytes() == b""


def test_a_note_that_cannot_be_trusted(tmp_path: Path) -> None:
    path = tmp_path / "a.partial"
    with closing(Spool(path, "docs", False)) as spool:
        spool.add(row(1))
        spool.note()
    path.write_bytes(b"")
    with pytest.raises(TransferError, match="--restart"):
        Spool(path, "docs", False)
    (tmp_path / "a.partial.json").write_text("{")
    with pytest.raises(TransferError, match="--restart"):
        Spool(path, "docs", False)
    with pytest.raises(WrongUse, match="No such file"):
        Spool(tmp_path / "no" / "a", "docs", False)
