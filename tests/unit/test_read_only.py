"""A data directory where nothing can be written is read: reads are served, writes are refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Database, Match, ReadOnlyDisk, SearchRequest, check_directory
from palimpsest.index.config.vectors import MaintenanceConfig
from palimpsest.index.filters.expression import Filter
from palimpsest.index.storage import store as store_module
from palimpsest.index.storage.schema import is_read_only
from palimpsest.index.types import Distance
from tests.points import batch_of, config_of

N = 200


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory of one collection, closed in peace."""
    from palimpsest.index import CollectionConfig, FieldIndex, VectorConfig

    rng = np.random.default_rng(1)
    config = CollectionConfig(
        {"": VectorConfig(4, Distance.EUCLID)},
        MaintenanceConfig(seal_rows=128, quiet_rows=128, quiet_seconds=3_600),
    )
    with Database.open(tmp_path / "data", threads=1) as database:
        collection = database.create("kept", config)
        collection.create_index("n", FieldIndex.from_declared("keyword")).result()
        rows = rng.standard_normal((N, 4), dtype=np.float32)
        payloads = [b'{"n":"%d"}' % (one % 10) for one in range(N)]
        collection.upsert(batch_of(range(N), rows, payloads)).result()
        more = rng.standard_normal((10, 4), dtype=np.float32)
        collection.upsert(batch_of(range(N, N + 10), more)).result()
    return tmp_path / "data"


@pytest.fixture
def frozen(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, on a file system that is said to take no writes."""
    monkeypatch.setattr(store_module, "takes_no_writes", lambda _: True)
    return data


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(one.relative_to(folder)): (one.stat().st_mtime_ns, one.read_bytes())
        for one in (folder / "collections").rglob("*")
        if one.is_file()
    }


def test_reads_are_served_and_nothing_is_written(frozen: Path) -> None:
    before = files(frozen)
    with Database.open(frozen, threads=1) as database:
        assert database.damaged() == {}
        collection = database.get("kept")
        assert collection.count() == N + 10
        assert collection.count(Filter(must=(Match(("n",), ("3",)),))) == N // 10
        assert len(collection.scroll(None, 1_000, with_vectors=True)[0]) == N + 10
        query = np.ones(4, dtype=np.float32)
        assert len(collection.search(SearchRequest(query, k=5)).ids) == 5
        writes = (
            collection.upsert(batch_of([1], np.ones((1, 4), dtype=np.float32))),
            collection.delete([1]),
            collection.clear_payload([1]),
        )
        for write in writes:
            with pytest.raises(ReadOnlyDisk, match="takes no writes until"):
                write.result()
        assert "takes no writes" in (collection.refuses_writes or "")
        assert collection.count() == N + 10
    assert files(frozen) == before


def test_a_single_store_that_takes_no_writes_is_read(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder takes them: SQLite would begin to write, and fail."""
    store = data / "collections" / "kept" / "store.sqlite3"

    def access(path: Path, mode: int) -> bool:  # who runs the tests may have every right
        return not (path == store and mode == os.W_OK)

    monkeypatch.setattr("palimpsest.index.storage.schema.os.access", access)
    assert is_read_only(store) and not is_read_only(store.with_name("store.sqlite3-wal"))
    before = files(data)
    with Database.open(data, threads=1) as database:
        collection = database.get("kept")
        assert collection.count() == N + 10
        with pytest.raises(ReadOnlyDisk, match="takes no writes until"):
            collection.delete([1]).result()
    assert files(data) == before
    report = check_directory(data)
    assert {one.severity for one in report.findings} <= {"note"}


def test_a_log_that_has_to_be_applied_is_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory as a kill leaves it."""
    with Database.open(data, threads=1) as database:
        database.get("kept").delete([1]).result()
        killed = shutil.copytree(data, data.with_name("killed"))
    monkeypatch.setattr(store_module, "takes_no_writes", lambda _: True)
    before = files(killed)
    with Database.open(killed, threads=1) as database:
        assert "have to be applied" in database.damaged()["kept"]
    assert files(killed) == before


def test_an_earlier_format_is_said(frozen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = store_module.FORMAT + 1
    monkeypatch.setattr(store_module, "FORMAT", newer)
    with Database.open(frozen, threads=1) as database:
        assert f"brought to format {newer}" in database.damaged()["kept"]


def test_create_is_still_an_error_of_the_system(frozen: Path) -> None:
    with Database.open(frozen, threads=1) as database:
        database.create("another", config_of(4))  # where only the collection is frozen
        assert database.get("another").count() == 0
