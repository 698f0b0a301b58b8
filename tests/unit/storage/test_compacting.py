"""Stores written anew: all rows of them, smaller, giving pages back; or as they were."""

from __future__ import annotations

import os
import shutil
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.errors import Damaged, StorageFull, StoreFailed
from palimpsest.index.storage import compacting
from palimpsest.index.storage.compacting import compact, remove_unfinished
from palimpsest.index.storage.schema import connect_reading
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.vacuum import Pages
from tests.conftest import OpenCollection, open_collection
from tests.points import batch_of, config_of

FORMATS = Path(__file__).parents[2] / "formats"
N = 3_000


@pytest.fixture
def path(collection_of: OpenCollection) -> Path:
    """A closed store that is mostly free pages."""
    made = collection_of(config_of(4))
    texts = [b'{"a": "%d %s"}' % (i, b"x" * 900) for i in range(N)]
    made.upsert(batch_of([*range(N)], np.ones((N, 4), np.float32), list(texts))).result()
    made.delete([*range(N - 50)]).result()
    made.close()
    return made.folder / "store.sqlite3"


def points_of(path: Path) -> list[object]:
    opened = open_collection(path.parent)
    try:
        assert opened.state().last_error is None
        records, _ = opened.scroll(None, 10_000, with_payload=True, with_vectors=True)
        return [repr((one.id, one.payload, one.vectors)) for one in records]
    finally:
        opened.close()


def test_a_store_becomes_smaller_and_holds_the_same(path: Path) -> None:
    before, size = points_of(path), path.stat().st_size
    done = compact(path)
    assert done is not None and done.before == size and done.after == path.stat().st_size
    assert done.after < size // 5
    assert points_of(path) == before and len(before) == 50
    assert compact(path) is None  # nothing is left to do
    assert sorted(os.listdir(path.parent)) == [
        *("adapters", "fields", "segments", "store.reach", "store.sqlite3")
    ]


@pytest.mark.parametrize("format", range(1, 8))
def test_a_store_of_any_format_gives_pages_back_from_then_on(format: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(FORMATS / f"collection_{format}.zip") as golden:
        golden.extractall(tmp_path)
    (path,) = tmp_path.rglob("store.sqlite3")
    kept = tmp_path / "kept"
    shutil.copytree(path.parent, kept)
    assert compact(path) is not None
    with closing(Store.open(path)) as store:
        assert store.gives_back
    assert points_of(path) == points_of(kept / "store.sqlite3")


@pytest.mark.parametrize("step", ["_write", "_require_same", "sync_file", "_require_no_log"])
def test_what_fails_on_the_way_leaves_the_store_as_it_was(
    path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    _require_no_log = compacting._require_no_log

    def fail(*arguments: object) -> None:
        if step != "_require_no_log" or path.with_name(path.name + compacting.SUFFIX).exists():
            raise OSError(5, "Input/output error")
        _require_no_log(path)

    monkeypatch.setattr(compacting, step, fail)
    with pytest.raises((StoreFailed, OSError)):
        compact(path)
    assert path.read_bytes() == before
    assert not [name for name in os.listdir(path.parent) if compacting.SUFFIX in name]
    monkeypatch.undo()
    assert compact(path) is not None


def test_what_a_kill_left_is_removed_by_the_next_and_by_an_opening(path: Path) -> None:
    left = path.with_name("store.sqlite3.compact")
    for remove in (lambda: remove_unfinished(path), lambda: open_collection(path.parent).close()):
        left.write_bytes(b"half of it")
        left.with_name(f"{left.name}-journal").write_bytes(b"")
        remove()
        assert not [name for name in os.listdir(path.parent) if compacting.SUFFIX in name]
    left.write_bytes(b"half of it")
    assert compact(path) is not None and not left.exists()


def test_rows_that_were_not_copied_are_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = compacting._write

    def lose(old: Path, new: Path) -> None:
        written(old, new)
        connection = compacting.sqlite3.connect(new)
        connection.create_function("row_sum", -1, lambda *values: 0, deterministic=True)
        connection.execute("DELETE FROM points WHERE number = (SELECT max(number) FROM points)")
        connection.commit()
        connection.close()

    monkeypatch.setattr(compacting, "_write", lose)
    with pytest.raises(Damaged, match="table points"):
        compact(path)
    assert len(points_of(path)) == 50


def test_without_room_nothing_is_begun(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    monkeypatch.setattr(compacting, "_MARGIN", 1 << 60)
    with pytest.raises(StorageFull, match="nothing was changed"):
        compact(path)
    assert path.read_bytes() == before


def test_a_store_that_is_read_meanwhile_is_left_alone(path: Path) -> None:
    opened = open_collection(path.parent)
    opened.delete([N - 1]).result()
    opened.close()
    before = path.read_bytes()
    with closing(connect_reading(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM points").fetchone()
        with pytest.raises(StoreFailed, match="read by something else"):
            compact(path)
    assert path.read_bytes() == before
    assert compact(path) is not None


def test_a_damaged_store_is_left_alone(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 * 30 :] = bytes(len(content) - 4096 * 30)
    path.write_bytes(content)
    with pytest.raises(Damaged):
        compact(path)
    assert path.read_bytes() == content


def test_bytes_of_pages() -> None:
    assert Pages(4096, 10, 4).used_bytes == 6 * 4096
