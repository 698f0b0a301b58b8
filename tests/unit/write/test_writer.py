from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import Future

import numpy as np
import pytest

from palimpsest.index import Collection, Distance, Filter, HasId
from palimpsest.index.errors import PointNotFound, StorageFull, StoreFailed
from palimpsest.index.storage.dead_table import DeadTable
from palimpsest.index.types import Slots, Vectors
from palimpsest.index.write import writer as writer_module
from tests.conftest import OpenCollection, open_collection
from tests.points import batch_of, config_of


def rows(n: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((n, 4), dtype=np.float32)


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    return collection_of(config_of(4, Distance.EUCLID))


def hold(collection: Collection) -> threading.Event:
    """Keep the writer busy until the event is set, so that requests gather."""
    let_go, held = threading.Event(), threading.Event()

    def wait() -> None:
        held.set()
        let_go.wait(10)

    collection.writer.call(wait)
    held.wait(10)
    return let_go


def test_waiting_requests_share_a_transaction_and_get_their_own_seqs(
    collection: Collection,
) -> None:
    let_go = hold(collection)
    futures = [collection.upsert(batch_of([n % 7], rows(1, n))) for n in range(30)]
    futures.append(collection.delete([0]))
    transactions = 0
    connection = collection.writer.store._connection

    def count(statement: str) -> None:
        nonlocal transactions
        transactions += statement == "COMMIT"

    connection.set_trace_callback(count)
    let_go.set()
    assert [future.result() for future in futures] == list(range(1, 32))
    assert transactions == 1
    assert collection.count() == 6
    assert collection.view.vectors[0].live == 6


def test_writers_in_many_threads_are_all_served(collection: Collection) -> None:
    futures: list[Future[int]] = []

    def write(first: int) -> None:
        for n in range(first, first + 50):
            futures.append(collection.upsert(batch_of([n], rows(1, n))))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(0, 400, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(future.result() for future in futures) == list(range(1, 401))
    for n, record in enumerate(collection.retrieve(list(range(400)), with_vectors=True)):
        assert record.vectors is not None
        np.testing.assert_array_equal(record.vectors[""], rows(1, n)[0])


def test_a_failed_transaction_fails_every_request_in_it(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.upsert(batch_of([1], rows(1))).result()
    let_go = hold(collection)
    futures = [collection.upsert(batch_of([n], rows(1, n))) for n in (2, 3)]
    with monkeypatch.context() as patched:

        def fail(*_: object) -> None:
            raise StoreFailed("no")

        patched.setattr(collection.writer.store, "move_to", fail)
        let_go.set()
        for future in futures:
            with pytest.raises(StoreFailed, match="no"):
                future.result()
    assert collection.count() == 1
    assert collection.upsert(batch_of([2], rows(1))).result() == 2
    assert [record.id for record in collection.scroll(None, 9)[0]] == [1, 2]


def test_a_stored_write_that_cannot_be_applied_stops_writes_until_a_reopen(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(writer_module, "apply", fail)
        with pytest.raises(MemoryError):
            collection.upsert(batch_of([1], rows(1))).result()
    with pytest.raises(StoreFailed, match="restart"):
        collection.upsert(batch_of([2], rows(1)))
    collection.close()
    reopened = open_collection(collection.folder)
    assert reopened.count() == reopened.view.vectors[0].live == 1
    reopened.close()


def test_a_failing_job_tells_its_caller_only(collection: Collection) -> None:
    future = collection.writer.call(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        future.result()
    assert collection.writer.call(lambda: 5).result() == 5


def test_a_request_whose_waiter_gave_up_is_still_written(collection: Collection) -> None:
    let_go = hold(collection)
    future = collection.upsert(batch_of([1], rows(1)))
    assert not future.cancel()
    let_go.set()
    future.result()
    assert collection.count() == 1


def test_a_thread_that_cannot_be_started_fails_one_write_alone(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_IDLE_SECONDS", 0.01)
    collection.writer.call(lambda: None).result()
    thread = collection.writer._thread
    if thread is not None:
        thread.join()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            collection.upsert(batch_of([1], rows(1)))
    collection.upsert(batch_of([2], rows(1))).result(timeout=60)
    assert [record.id for record in collection.retrieve([1, 2])] == [2]


def test_a_job_that_fails_keeps_nothing_of_who_waited_for_it(collection: Collection) -> None:
    class View:
        """As a seal holds one, and folders by it, while it waits."""

    def wait() -> weakref.ref[View]:
        view = View()
        try:
            collection.writer.call(lambda: 1 // 0).result()
        except ZeroDivisionError:
            pass
        return weakref.ref(view)

    gc.disable()
    try:
        view = wait()
        collection.writer.call(lambda: None).result()  # the thread knows its last job
        assert view() is None
    finally:
        gc.enable()


def test_queued_writes_are_finished_on_close(collection: Collection) -> None:
    let_go = hold(collection)
    futures = [collection.upsert(batch_of([n], rows(1, n))) for n in range(20)]
    closing = threading.Thread(target=collection.close)
    closing.start()
    let_go.set()
    closing.join()
    assert [future.result() for future in futures] == list(range(1, 21))


def with_little_room(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, most: int
) -> list[int]:
    """Let transactions that take away more than ``most`` points find no room; count the others."""
    carried: list[int] = []
    whole = DeadTable.bury

    def bury(table: DeadTable, slots: Slots, seq: int) -> None:
        if len(slots) > most:
            raise StorageFull("No space left")
        carried.append(len(slots))
        whole(table, slots, seq)

    monkeypatch.setattr(DeadTable, "bury", bury)
    return carried


@pytest.mark.parametrize("by", ["ids", "filter"])
def test_a_delete_that_finds_no_room_is_carried_out_in_parts(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    ids = [*range(3_000)]
    collection.upsert(batch_of(ids, rows(3_000))).result()
    carried = with_little_room(collection, monkeypatch, 200)
    gone = frozenset(ids[:2_500])
    collection.delete(ids[:2_500] if by == "ids" else Filter(must=(HasId(gone),))).result()
    assert sum(carried) == 2_500 and max(carried) <= 200
    assert collection.count() == 500
    left = collection.scroll(None, 3_000)[0]
    assert [one.id for one in left] == ids[2_500:]


def test_the_first_missing_point_is_told_after_all_parts(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.upsert(batch_of(range(1_000), rows(1_000))).result()
    with_little_room(collection, monkeypatch, 100)
    with pytest.raises(PointNotFound, match="5000"):
        collection.delete_vectors([*range(500), 5_000, *range(500, 900)], [""]).result()
    assert collection.view.vectors[0].live == 100


def test_a_disk_without_room_for_a_small_part_is_full(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.upsert(batch_of(range(1_000), rows(1_000))).result()
    with_little_room(collection, monkeypatch, 10)
    with pytest.raises(StorageFull):
        collection.delete([*range(900)]).result()
    assert collection.count() == 1_000
