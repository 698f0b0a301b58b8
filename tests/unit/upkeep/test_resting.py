from __future__ import annotations

import gc
import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    SearchRequest,
    VectorConfig,
)
from palimpsest.index.errors import Damaged, OutOfDescriptors, StorageFull
from palimpsest.index.storage import waking as waking_module
from palimpsest.index.storage.checkpoints import Checkpoints
from palimpsest.index.storage.reader import Reader
from palimpsest.index.types import Vectors
from palimpsest.index.upkeep import resting
from palimpsest.index.write import writer as writer_module
from tests.bench import collections as bench
from tests.points import batch_of

FILES = {"store.sqlite3", "store.reach", "segments", "fields", "adapters"}
MINUTE = 60.0
CONFIG = CollectionConfig({"": VectorConfig(4, Distance.COSINE)})  # nothing of it is sealed


def rows(n: int) -> Vectors:
    return np.random.default_rng(n).standard_normal((n, 4), dtype=np.float32)


def descriptors(folder: Path) -> list[str]:
    there = []
    for one in os.listdir("/proc/self/fd"):
        try:
            there.append(os.readlink(f"/proc/self/fd/{one}"))
        except FileNotFoundError:
            continue
    return [one for one in there if one.startswith(str(folder))]


def writers() -> int:
    return sum(thread.name == "writer" for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(resting, "_IDLE_SECONDS", 0.1)
    monkeypatch.setattr(resting, "_AGAIN_SECONDS", 0.1)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Collection]:
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("one", CONFIG)
        collection.upsert(batch_of([1, 2, 3], rows(3), [b'{"a":1}'] * 3)).result()
        yield collection


def wait_until_at_rest(collection: Collection) -> None:
    until = time.monotonic() + MINUTE
    while (descriptors(collection.folder) or writers()) and time.monotonic() < until:
        time.sleep(0.01)
    assert descriptors(collection.folder) == []
    assert writers() == 0
    assert {*os.listdir(collection.folder)} == FILES  # no log: nothing is left to be read back


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")


@needs_proc
def test_at_rest_it_holds_nothing_and_is_woken_by_reads_and_writes(one: Collection) -> None:
    wait_until_at_rest(one)
    assert len(one.search(SearchRequest(rows(1)[0], k=3)).ids) == 3
    assert descriptors(one.folder) == []  # a plain search reads no file
    assert one.retrieve([1])[0].payload == b'{"a":1}'
    assert descriptors(one.folder) and not writers()
    wait_until_at_rest(one)
    seq = one.upsert(batch_of([4], rows(1), [b'{"a":2}'])).result()
    assert one.retrieve([4])[0].payload == b'{"a":2}' and one.view.seq == seq
    assert one.count() == 4
    wait_until_at_rest(one)
    assert one.delete([1]).result() == seq + 1
    assert one.retrieve([1]) == []


@needs_proc
def test_what_was_opened_rests_at_once(one: Collection, tmp_path: Path) -> None:
    one.close()
    copied = tmp_path.parent / "copied"
    os.makedirs(copied / "collections")
    os.rename(one.folder, copied / "collections" / "one")
    with Database.open(copied, threads=1) as database:
        assert descriptors(database.get("one").folder) == []
        assert database.get("one").retrieve([2])[0].payload == b'{"a":1}'


def test_a_read_under_way_keeps_it_awake(one: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, inside = threading.Event(), threading.Event()
    plain = Reader._connection

    def slow(reader: Reader) -> object:
        connection = plain(reader)
        inside.set()
        go_on.wait(MINUTE)
        return connection

    monkeypatch.setattr(Reader, "_connection", slow)
    found: list[int] = []
    reading = threading.Thread(target=lambda: found.append(len(one.retrieve([1, 2]))))
    reading.start()
    assert inside.wait(MINUTE)
    one.upkeep.close_files()
    assert one.writer.store.is_awake
    go_on.set()
    reading.join(MINUTE)
    assert found == [2]


def test_writes_and_rests_in_turns_lose_nothing(one: Collection) -> None:
    for number in range(10, 60):
        one.upsert(batch_of([number], rows(1))).result()
        if number % 3:
            one.upkeep.close_files()
        assert len(one.retrieve([number])) == 1
    assert one.count() == 53


def test_a_log_that_cannot_be_moved_keeps_the_files_open(
    one: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Checkpoints) -> bool:
        raise StorageFull("No space left")

    one.upsert(batch_of([9], rows(1))).result()
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "trim", full)
        one.upkeep.close_files()
        assert one.writer.store.is_awake
        assert "No space left" in (one.state().last_error or "")
        assert len(one.retrieve([9])) == 1
    one.upkeep.close_files()
    assert one.state().last_error is None


def test_files_that_changed_meanwhile_are_refused(one: Collection) -> None:
    path = one.writer.store.path
    wait_until_at_rest(one)
    before = path.read_bytes()
    one.upsert(batch_of([9], rows(1))).result()
    wait_until_at_rest(one)
    now = path.read_bytes()
    path.write_bytes(before)
    with pytest.raises(Damaged, match="commits up to"):
        one.upsert(batch_of([10], rows(1))).result()
    path.write_bytes(now)
    one.upsert(batch_of([10], rows(1))).result()
    assert one.count() == 5


def test_a_wake_that_fails_fails_the_write_and_the_next_one_tries_again(
    one: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.upkeep.close_files()
    assert not one.writer.store.is_awake

    def none_left(_: Path) -> None:
        raise OSError(24, os.strerror(24))

    with monkeypatch.context() as patched:
        patched.setattr(waking_module, "connect", none_left)
        with pytest.raises(Exception, match="open files"):
            one.upsert(batch_of([9], rows(1))).result()
    one.upsert(batch_of([9], rows(1))).result()
    assert one.count() == 4


@needs_proc
def test_without_a_descriptor_left_it_rests_and_gives_its_own_back(
    one: Collection, tmp_path: Path
) -> None:
    one.upsert(batch_of([9], rows(1))).result()
    limits, free = resource.getrlimit(resource.RLIMIT_NOFILE), os.open(tmp_path, os.O_RDONLY)
    os.close(free)
    gc.disable()  # which gives some back too, some time
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        if one.writer.store.is_awake:
            one.upkeep.close_files()
        assert not one.writer.store.is_awake
        resource.setrlimit(resource.RLIMIT_NOFILE, (free - 3, limits[1]))
        with pytest.raises(OutOfDescriptors):
            one.upsert(batch_of([10], rows(1))).result()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert descriptors(one.folder) == []
    finally:
        gc.enable()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert one.upsert(batch_of([10], rows(1))).result() and one.count() == 5


@needs_proc
def test_many_collections_are_cheap(tmp_path: Path) -> None:
    """A short form of the bench of 2,000: what counts here is what stays open."""
    found = bench.measure_many(tmp_path, 200, wait_seconds=MINUTE)
    assert found.threads <= found.threads_without
    assert found.descriptors <= found.descriptors_without
    assert found.bytes_each < 1 << 20
