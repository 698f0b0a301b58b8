from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index.errors import CollectionNotFound, Damaged, StorageFull, UnknownFormat
from palimpsest.index.storage.checked import Summed
from palimpsest.index.storage.entries import Position, SegmentEntry, StagedRows
from palimpsest.index.storage.ids import Key, pack_ids
from palimpsest.index.storage.reach import record_of
from palimpsest.index.storage.read_rows import is_ascending
from palimpsest.index.storage.reader import Reader
from palimpsest.index.storage.store import Store
from tests.damage import rewrite


def staged(first: int, n: int = 3, vector: int = 0) -> StagedRows:
    value = np.random.default_rng(first).standard_normal((n, 4), dtype=np.float32).tobytes()
    numbers = np.arange(n, dtype=np.uint32) + 7
    return StagedRows(vector, first, 1, pack_ids(list(range(n))), numbers, value)


def test_a_new_store_is_empty(store: Store) -> None:
    assert store.position() == Position(seq=0, slot=1, points=0)
    assert store.config() == {"vectors": {}}
    assert (store.segments(), list(store.staged.rows()), store.staged.sealed()) == ([], [], {})
    assert store.dead.slots().size == 0


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        store.points.insert([0], [1], 1, np.ones((1, 1), dtype=np.uint64), [None])
        store.dead.bury(np.array([4], dtype=np.uint64), 1)
        raise RuntimeError
    assert store.points.find([1], with_payload=False) == {}
    assert store.dead.slots().size == 0


def test_order_is_required_of_keys_of_any_kind(path: Path, store: Store) -> None:
    uuids = [bytes([n]) * 16 for n in range(4)]
    reader = Reader(path, "c", store.summed)
    ascending: list[tuple[list[Key], Key | None]] = [
        ([], 5), ([1, 2, 9], None), ([1, 2], 1), ([-5, 3, *uuids], -6), (uuids, uuids[0]),
        (uuids, 1 << 62), ([*uuids[1:]], uuids[0]),
    ]  # fmt: skip
    others: list[tuple[list[Any], Key | None]] = [
        ([1, 1], None), ([2, 1], None), ([1, 2], 2), ([uuids[0], 1], None), ([1, 2], uuids[0]),
        ([uuids[1], uuids[0]], None), (uuids, uuids[1]), ([b"short"], None), ([1, "2"], None),
        ([1, None], None), ([1, 2.0], None), ([b"a", b"b" * 16], None),
    ]  # fmt: skip
    for keys, start in ascending:
        reader.require_order(keys, start)
    for keys, start in others:
        assert not is_ascending(keys, start)
        with pytest.raises(Damaged):
            reader.require_order(keys, start)
    assert is_ascending([1, 2, 9], 1) and is_ascending(uuids, uuids[0])
    reader.close()


def test_the_manifest_keeps_its_order(store: Store) -> None:
    with store.transaction():
        for name in ("c", "a", "b"):
            store.add_segment(SegmentEntry(name, 0, 2**32 - 1))
        store.remove_segments(["a"])
    assert [entry.name for entry in store.segments()] == ["c", "b"]


def test_a_full_disk_is_told_and_passes(store: Store) -> None:
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StorageFull, match="No space left"), store.transaction():
        store.staged.add(staged(1, n=10_000))
    store._connection.execute("PRAGMA max_page_count = 1000000")
    with store.transaction():
        store.staged.add(staged(1, n=10_000))


def test_what_is_no_store_is_refused(tmp_path: Path, path: Path) -> None:
    with pytest.raises(Damaged, match="no file"):
        Store.open(tmp_path / "missing")
    (tmp_path / "text").write_bytes(b"not a database, but long enough to look at" * 50)
    with pytest.raises(Damaged, match="text"):
        Store.open(tmp_path / "text")
    assert rewrite(path, "UPDATE settings SET value = 99 WHERE name = 'format'")
    with pytest.raises(UnknownFormat, match="format 99"):
        Store.open(path)


def test_pages_that_nobody_reads_to_the_end_do_not_keep_a_store_open(
    store: Store, path: Path
) -> None:
    slots = np.zeros((1_200, 1), dtype=np.uint64)
    with store.transaction():
        store.points.insert(range(1_200), list(range(1_200)), 1, slots, [b"{}"] * 1_200)
    reader = Reader(path, "a", Summed(True))
    pages = reader.payloads_of(np.arange(1_200, dtype=np.uint32))
    wanted, found = next(pages)
    assert len(wanted) == len(found) == 512
    closing = threading.Thread(target=reader.close, daemon=True)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
    with pytest.raises(CollectionNotFound):
        next(pages)


def test_a_commit_that_a_killed_writer_did_not_share_is_passed_over(path: Path) -> None:
    """While a reader keeps the index of the log, SQLite does not look at the log itself."""
    store = Store.open(path)
    store.rewrite_position()
    reader = sqlite3.connect(path)
    reader.execute("SELECT seq FROM position").fetchone()
    shared, record = path.with_name(f"{path.name}-shm"), record_of(path)
    before, answered = shared.read_bytes(), record.read_bytes()
    reach = store.reach
    store.rewrite_position()
    store.abandon()
    with open(shared, "r+b") as file:  # as it stood when the writer was killed
        file.write(before)
    late = record.read_bytes()
    with pytest.raises(Damaged, match="commits up to"):  # all were told of the second one
        Store.open(path)
    assert record.read_bytes() == late
    record.write_bytes(answered)
    store = Store.open(path)
    assert store.reach == reach
    store.rewrite_position()
    newest = store.reach
    store.abandon()
    reader.close()
    store = Store.open(path)
    assert store.reach == newest and newest.before == reach.mark
    store.close()
