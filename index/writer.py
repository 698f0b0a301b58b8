"""The one thread that changes a collection: group commit, then apply, then publish.

Requests wait in a queue; the thread takes as many as are there, writes them in one transaction
(one sync), applies them to the view, publishes it and answers. A request that was answered is
synced and searchable. If the transaction fails, nothing of it stays and every request in it
gets the error. Background work changes the collection the same way: as a job in the queue, run
between two transactions. So nothing here needs a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

import numpy as np

from index.batch import Deletion, Upsert
from index.errors import CollectionNotFound, StoreFailed
from index.storage.store import Position, StagedRows, Store
from index.types import Slots
from index.view import Changes, NewRows, View, apply

Write: TypeAlias = Upsert | Deletion
Answer = TypeVar("Answer")

GROUP_POINTS = 8_192  # points in one transaction, so that a waiting request is not kept long


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    write: Write
    future: Future[int]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    run: Callable[[], Any]
    future: Future[Any]


@dataclass(slots=True)
class _Group:
    """What one transaction has written so far."""

    position: Position
    rows: list[NewRows] = field(default_factory=list)
    dead: list[Slots] = field(default_factory=list)

    def changes(self) -> Changes:
        dead = np.concatenate([np.empty(0, dtype=np.uint64), *self.dead])
        return Changes(self.position.seq, self.position.points, self.rows, dead)


class Writer:
    """Owns the store's writing side and the published view.

    ``view`` may be read by any thread. ``publish`` may be called by jobs only.
    """

    def __init__(
        self,
        collection: str,
        store: Store,
        view: View,
        names: Sequence[str],
        changed: Callable[[], None],
    ) -> None:
        self._collection = collection
        self.view = view
        self.store = store
        self._numbers = {name: number for number, name in enumerate(names)}
        self._changed = changed
        self._position = store.position()
        self._queue: SimpleQueue[_Request | _Job | None] = SimpleQueue()
        self._closed = False
        self._refused: str | None = None  # why, as text: an error raised twice keeps its frames
        self._lock = threading.Lock()  # orders submissions against close
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def write(self, write: Write) -> Future[int]:
        """Queue a write; its future gives the seq once it is synced and searchable."""
        future: Future[int] = Future()
        self._submit(_Request(write, future))
        return future

    def call(self, job: Callable[[], Answer]) -> Future[Answer]:
        """Queue a job to run alone between two transactions."""
        future: Future[Answer] = Future()
        self._submit(_Job(job, future))
        return future

    def publish(self, view: View) -> None:
        """Make a view the current one."""
        self.view = view

    def close(self) -> None:
        """Finish what is queued, refuse what comes later, and wait for the thread."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _submit(self, item: _Request | _Job) -> None:
        item.future.set_running_or_notify_cancel()  # a waiter that gives up must not undo it
        with self._lock:
            if self._closed:
                raise CollectionNotFound(self._collection)
            if self._refused is not None:
                raise StoreFailed(self._refused)
            self._queue.put(item)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            after: _Job | _End | None = None
            if isinstance(item, _Job):
                _answer(item.future, item.run)
            else:
                group, after = self._gather(item)
                self._carry_out(group)
            if isinstance(after, _Job):
                _answer(after.future, after.run)
            self._changed()
            if isinstance(after, _End):
                return

    def _gather(self, first: _Request) -> tuple[list[_Request], _Job | _End | None]:
        """Take the requests that wait; also return the item that ended them, if one did."""
        group, points = [first], len(first.write.keys)
        while points < GROUP_POINTS:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if item is None:
                return group, _End()
            if isinstance(item, _Job):
                return group, item
            group.append(item)
            points += len(item.write.keys)
        return group, None

    def _carry_out(self, requests: list[_Request]) -> None:
        try:
            seqs = self._commit([request.write for request in requests])
        except Exception as error:
            for request in requests:
                request.future.set_exception(error)
            return
        for request, seq in zip(requests, seqs, strict=True):
            request.future.set_result(seq)

    def _commit(self, writes: Sequence[Write]) -> list[int]:
        if self._refused is not None:
            raise StoreFailed(self._refused)
        group = _Group(self._position)
        seqs = []
        with self.store.transaction():
            for write in writes:
                self._put(group, write)
                seqs.append(group.position.seq)
            self.store.move_to(group.position)
        self._position = group.position
        try:
            self.view = apply(self.view, group.changes())
        except BaseException as error:
            # Stored but not searchable: any answer now would be wrong. Reopening applies it.
            self._refuse(error)
            raise
        return seqs

    def _refuse(self, error: BaseException) -> None:
        with self._lock:
            self._refused = (
                f"A stored write to {self.store.path} could not be applied ({error!r}): "
                "restart the server, which applies it"
            )

    def _put(self, group: _Group, write: Write) -> None:
        at = group.position
        exist, dead = self.store.slots_of(write.keys)
        if dead.size:
            self.store.bury(dead)
            group.dead.append(dead)
        if isinstance(write, Deletion):
            self.store.delete_points(write.keys)
            group.position = Position(at.seq + 1, at.slot, at.points - exist)
        else:
            slot = self._put_points(group, write)
            group.position = Position(at.seq + 1, slot, at.points + len(write.keys) - exist)

    def _put_points(self, group: _Group, write: Upsert) -> int:
        """Store points and stage their vectors; return the next free slot."""
        seq, slot = group.position.seq + 1, group.position.slot
        slots = np.zeros((len(write.keys), len(self._numbers)), dtype=np.uint64)
        for column in write.columns:
            n, number = len(column.positions), self._numbers[column.name]
            new = np.arange(slot, slot + n, dtype=np.uint64)
            slots[column.positions, number] = new
            ids = write.ids if n == len(write.keys) else write.ids[column.positions]
            self.store.stage(StagedRows(number, slot, seq, ids, column.values))
            group.rows.append(NewRows(column.name, new, seq, ids, column.values))
            slot += n
        self.store.put_points(write.keys, seq, slots, write.payloads)
        return slot


class _End:
    """Stands for the end of the queue, found while gathering."""


def _answer(future: Future[Any], run: Callable[[], Any]) -> None:
    try:
        answer = run()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(answer)
