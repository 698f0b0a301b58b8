"""The collection that an import writes to."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from palimpsest.app.transfer.client import Client
from palimpsest.app.transfer.errors import BadRow, WrongUse
from palimpsest.app.transfer.from_lines import LinesReader
from palimpsest.app.transfer.mapping import Wished
from palimpsest.app.transfer.target import Target
from tests.api.moving import fill


def test_which_points_it_holds(mover: Client, http: httpx.Client, collection: str) -> None:
    uuid = "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77"
    target = Target(mover, collection)
    target.upsert(b'{"points":[{"id":18446744073709551615,"vector":[1,2,3]}]}')
    fill(http, collection, [f'{{"id":"{uuid}","vector":[1,2,3]}}'])
    assert target.holds(2**64 - 1, uuid) and target.holds(uuid, uuid)
    assert not target.holds(2**64 - 1, 3)


def test_it_is_made_once_and_checked_ever_after(
    mover: Client, http: httpx.Client, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id":1,"vector":[1,2]}\n')
    reader, target = LinesReader(str(path), Wished()), Target(mover, "made here")
    assert target.info() is None
    with pytest.raises(WrongUse, match="there is no collection 'made here': --create"):
        target.prepare(reader, False, None)
    try:
        for _ in range(2):
            target.prepare(reader, True, "Dot")
        info = target.info()
        assert info is not None
        assert info["config"]["params"]["vectors"] == {"size": 2, "distance": "Dot"}
        target.finish(reader)
    finally:
        http.delete("/collections/made%20here")
        reader.close()


def test_what_is_made_goes_by_a_first_row_that_is_a_point(
    mover: Client, collection: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text('{"id":"ключ","vector":[1]}\n{"id":1,"vector":[1,2,3]}\n')
    reader = LinesReader(str(tmp_path / "a.jsonl"), Wished())
    with pytest.raises(BadRow, match="line 1: .*ключ.*mend it, or create the collection first"):
        Target(mover, "nothing").prepare(reader, True, "Dot")
    Target(mover, collection).prepare(reader, False, None)  # the line is named, or skipped, later
    reader.close()


def test_an_empty_source_does_not_tell_what_to_make(mover: Client, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n")
    reader = LinesReader(str(tmp_path / "a.jsonl"), Wished())
    with pytest.raises(WrongUse, match="create the collection first"):
        Target(mover, "nothing").prepare(reader, True, "Dot")
    reader.close()
