"""The one thread that changes a collection: group commit, then apply, then publish.

Requests wait in a queue; the thread takes as many as are there, writes them in one transaction
(one sync), applies them to the view, publishes it and answers. It ends when nothing comes for a
while, and begins with the next request. A request that was answered is synced and searchable. A
write that cannot be carried out fails alone; if the transaction fails, nothing of it stays and
every request in it gets the error. Background work changes the collection the same way: as a job
in the queue, run between two transactions. So nothing here needs a lock.

A write that depends on a filter is a transaction of its own, so that its filter sees every write
before it. Payload indexes follow a commit before its view is published: a search in between finds
points by what they hold now, which is stored already.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

from pyroaring import BitMap

from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.errors import (
    CollectionNotFound,
    DamagedPoint,
    InvalidInput,
    PointNotFound,
    StorageFull,
    StoreFailed,
)
from palimpsest.index.filters.expression import Filter, HasId
from palimpsest.index.payload.indexes import PayloadIndexes
from palimpsest.index.storage.ids import id_of_key
from palimpsest.index.storage.leases import Leases
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reserve import Reserve
from palimpsest.index.storage.schema import store_errors
from palimpsest.index.storage.seqs import are_many
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.tidying import are_gone
from palimpsest.index.view.bridge import FittedByColumns, bridges_of
from palimpsest.index.view.evidence import true_slots
from palimpsest.index.view.view import View
from palimpsest.index.waiting import Applied
from palimpsest.index.write.batch import Upsert, VectorUpdate
from palimpsest.index.write.changes import apply
from palimpsest.index.write.numbering import Numbering
from palimpsest.index.write.payload_following import follow
from palimpsest.index.write.requests import Write, filter_of, frees, part_of, size_of, whose_of
from palimpsest.index.write.writes import CommitGroup

Answer = TypeVar("Answer")
# a write's seq, or why it failed alone
Outcome: TypeAlias = int | DamagedPoint | InvalidInput | PointNotFound

# A thread costs a stack, and there may be thousands of collections of which few are written to;
# while writes come every second it is not made anew for each.
_IDLE_SECONDS = 5.0  # without anything to do, before the thread ends
GROUP_POINTS = 8_192  # points in one transaction, so that a waiting request is not kept long
_PARTS = 4  # that a delete is cut into when a full disk has no room for it, and each of these again
_LEAST_PART = 64  # points that are not cut any further


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """The files of a collection, opened."""

    store: Store
    config: CollectionConfig
    view: View
    indexes: PayloadIndexes
    fitted: FittedByColumns
    damaged: Mapping[tuple[int, int], str]  # adapters that cannot be read, and why
    leases: Leases  # on the folders


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    write: Write
    future: Future[int]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    run: Callable[[], Any]
    future: Future[Any]


class Writer:
    """Owns the store's writing side, the payload indexes and the published view.

    ``view`` may be read by any thread, and says what its names mean; ``config`` may be ahead of it.
    ``publish``, ``declare``, ``take_adapter`` and ``count_touched`` may be called by jobs only.
    ``damaged`` are the adapters that could not be read when the files were opened, and why.
    ``touched`` counts the points whose payload changed since the oldest folder of a field.
    ``applied`` lets readers wait for a view.
    ``select`` gives the numbers a filter means; it is called by the writer's thread.
    """

    def __init__(
        self,
        collection: str,
        opened: Opened,
        select: Callable[[Filter], BitMap],
        changed: Callable[[], None],
        reserve: Reserve | None = None,
    ) -> None:
        self._collection = collection
        self.store, self.indexes, self.leases = opened.store, opened.indexes, opened.leases
        store = opened.store
        self.damaged = opened.damaged
        self.applied = Applied(store.path)
        self._numbering = Numbering(opened.view.live)
        self._select = select
        self._reserve = store.reserve = reserve
        self._changed = changed
        self.declare(opened.config, opened.fitted)
        # Before there is a thread: from here on only the writer's thread replaces the view, so that
        # readers need no lock. They take the attribute once and keep what they got.
        self.publish(opened.view)
        with store_errors(store.path):
            self.count_touched()
            self._position = store.position()
            self._edited = store.seqs.edited()
        self._queue: SimpleQueue[_Request | _Job | None] = SimpleQueue()
        self._closed = False
        self._refused: str | None = None  # why, as text: an error raised twice keeps its frames
        # Held for a few instructions only. It is never held while a transaction runs: a submission
        # would wait for the disk, and the event loop with it.
        self._lock = threading.Lock()  # orders submissions against close
        self._thread: threading.Thread | None = None  # none while there is nothing to do
        self.served = 0  # requests and jobs

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

    def write_now(self, write: Write) -> int:
        """Carry out a write inside a job; return its seq.

        Raises:
            InvalidInput: one of its subclasses, or PointNotFound: as by ``write``.
        """
        outcome = self._commit([write])[0]
        if not isinstance(outcome, int):
            raise outcome
        return outcome

    def plan_folder(self, *, frees: bool = False) -> str:
        """Return the name of a folder about to be written, which the store knows from now on.

        What a crash leaves of it is deleted, unless a table of the store names it by then.

        Args:
            frees: whether it takes the place of more than it holds.
        """
        return self.call(lambda: self._plan_folder(frees)).result()

    def _plan_folder(self, frees_room: bool) -> str:
        name, table = uuid.uuid4().hex, self.store.superseded
        with self.store.transaction(frees=frees_room):
            table.forget(are_gone(Local(self.store.path.parent), table.replaced()))
            table.plan(name)
        return name

    def declare(self, config: CollectionConfig, fitted: FittedByColumns) -> None:
        """Take over a stored config and the adapters between its versions."""
        self.config, self.fitted = config, fitted

    def take_adapter(self, ends: tuple[int, int], fitted: Fitted | None) -> None:
        """Take over the stored adapter between two columns, None for none, and publish it."""
        known = {**self.fitted}
        if fitted is None:
            known.pop(ends, None)  # a damaged one is not there
        else:
            known[ends] = fitted
        self.damaged = {pair: why for pair, why in self.damaged.items() if pair != ends}
        self.declare(self.config, known)
        self.publish(self.view)

    def count_touched(self) -> None:
        """Count the points whose payloads are in no folder yet, as the store has them."""
        self.touched = self.store.fields.count_touched()

    def publish(self, view: View) -> None:
        """Make a view the current one, with the bridges between the versions as they are now."""
        bridges = bridges_of(self.config, self.fitted, self.damaged)
        self._show(replace(view, config=self.config, bridges=bridges))

    def _show(self, view: View) -> None:
        self.view = view
        self.applied.reach(view.seq)

    @property
    def waiting(self) -> int:
        """How many requests and jobs wait; any thread may ask."""
        return self._queue.qsize()

    @property
    def refuses(self) -> str | None:
        """Why writes fail, None when the last one did not; any thread may ask."""
        return self._refused or self.store.trouble

    def try_store(self) -> None:
        """Raise StorageError when writes still fail; clears ``refuses`` when they do not."""
        self.call(self.store.rewrite_position).result()

    def close(self) -> None:
        """Finish what is queued, refuse what comes later, and wait for the thread."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
            thread = self._thread
        if thread is not None:
            thread.join()

    def _submit(self, item: _Request | _Job) -> None:
        # A future that was never set running could still be cancelled by an asyncio timeout, and
        # then `set_result` would raise in the writer's thread, after the write is on disk.
        item.future.set_running_or_notify_cancel()  # a waiter that gives up must not undo it
        with self._lock:
            if self._closed:
                raise CollectionNotFound(self._collection)
            if self._refused is not None:
                raise StoreFailed(self._refused)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="writer", daemon=True)
                thread.start()  # which may fail: then there is none, and nothing waits for it
                self._thread = thread
            self._queue.put(item)

    def _next(self) -> _Request | _Job | None:
        """Return what waits, or comes within a while; None for the end of the thread."""
        while True:
            try:
                return self._queue.get(timeout=_IDLE_SECONDS)
            except Empty:
                with self._lock:
                    if self._queue.empty():
                        self._thread = None
                        return None

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self.served += 1
            after: _Job | _Request | _End | None = None
            if isinstance(item, _Job):
                self._answer(item)
            else:
                group, after = self._gather(item)
                self._carry_out(group)
            if isinstance(after, _Job):
                self._answer(after)
            elif isinstance(after, _Request):
                self._carry_out([after])
            self._changed()
            if isinstance(after, _End):
                return

    def _answer(self, job: _Job) -> None:
        try:
            self.store.wake()
            with store_errors(self.store.path):
                answer = job.run()
        except BaseException as error:
            job.future.set_exception(error)
        else:
            job.future.set_result(answer)
        finally:
            del job  # an error leads here: it would keep itself, and the views of who waited

    def _gather(self, first: _Request) -> tuple[list[_Request], _Job | _Request | _End | None]:
        """Take the requests that wait; also return the item that ended them, if one did."""
        # Writes that wait are committed together, as one sync of the disk takes as long for many as
        # for one. Nobody waits for more to come: a lone write is committed at once.
        group, points = [first], size_of(first.write)
        # A filter means the points as they are once all writes before it are in the view. In one
        # transaction with those it would be asked of a view that lacks them, so that it goes alone.
        if filter_of(first.write) is not None:
            return group, None
        while points < GROUP_POINTS:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if item is None:
                return group, _End()
            # It was taken from the queue and cannot be put back at its head: whoever gathers
            # carries it out next, which keeps the order in which things were submitted.
            if isinstance(item, _Job) or filter_of(item.write) is not None:
                return group, item
            group.append(item)
            points += size_of(item.write)
        return group, None

    def _carry_out(self, requests: list[_Request]) -> None:
        try:
            outcomes = self._commit_with_room([request.write for request in requests])
        except StorageFull as error:
            # One upsert in the group may be what found no room. Each on its own, deletions still
            # get through, and may make room for the upserts after them.
            if len(requests) > 1 and any(frees(request.write) for request in requests):
                for request in requests:
                    self._carry_out([request])
            else:
                _fail(requests, error)
            return
        except Exception as error:
            _fail(requests, error)
            return
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, int):
                request.future.set_result(outcome)
            else:
                request.future.set_exception(outcome)

    def _commit_with_room(self, writes: Sequence[Write]) -> list[Outcome]:
        """Commit; where the disk is full and the writes free room, with the room kept for that."""
        # A deletion needs room too, for pages of the log, before it gives any back. The reserve is
        # for that alone: an upsert that were let into it would fill the disk for good.
        frees_room = all(frees(write) for write in writes)
        try:
            outcomes = self._commit(writes)
        except StorageFull:
            if not frees_room or self._refused is not None:
                raise
            if self._reserve is not None:
                self._reserve.release()
            self.store.make_room()
            return self._commit_or_split(writes)
        if self._reserve is not None:
            self._reserve.refill()
        return outcomes

    def _commit_or_split(self, writes: Sequence[Write]) -> list[Outcome]:
        """Commit writes that free room; one that is too large for what there is, in parts."""
        try:
            return self._commit(writes)
        except StorageFull:
            if len(writes) > 1 or self._refused is not None:
                raise
            return [self._commit_parts(writes[0])]

    def _commit_parts(self, write: Write) -> Outcome:
        """Commit a write that only takes away in as many transactions as the room asks for.

        Each part makes room for the next. What was carried out stays if a later one fails:
        asked for once more, the rest is carried out.

        Raises:
            StorageFull: not even a small part finds room.
        """
        numbers = self._meant_by(write)
        left: Sequence[Any] = whose_of(write) if numbers is None else list(numbers)
        size, outcomes = len(left) // _PARTS, list[Outcome]()
        while left:
            some = left[: max(size, _LEAST_PART)]
            try:
                if numbers is None:
                    outcomes += self._commit([part_of(write, some)])
                else:
                    outcomes += self._commit([write], [BitMap(some)])
            except StorageFull:
                if len(some) <= _LEAST_PART or self._refused is not None:
                    raise
                size = len(some) // _PARTS
            else:
                left = left[len(some) :]
            self.store.make_room()
        errors = [one for one in outcomes if not isinstance(one, int)]
        return errors[0] if errors else outcomes[-1]

    def _commit(
        self, writes: Sequence[Write], meant: Sequence[BitMap | None] | None = None
    ) -> list[Outcome]:
        """Carry out writes in one transaction; ``meant`` says whom their filters mean, if known."""
        if self._refused is not None:
            raise StoreFailed(self._refused)
        self.store.wake()
        if meant is None:
            meant = [self._meant_by(write) for write in writes]
        draft = self._numbering.begin()
        group = CommitGroup(
            self.store,
            self.config,
            bool(self.indexes),
            self.indexes.are_kept,
            self._position,
            draft,
            lambda number, key, width: true_slots(self.view, number, key, width),
        )
        with self.store.transaction(frees=all(frees(write) for write in writes)):
            # In the same transaction as the writes: numbers of writes as rows of a table and the
            # one array they are folded into never both count for a point.
            folds = are_many(self._edited, self.view.points)
            if folds:
                self.store.seqs.fold(self.view.seqs)
            outcomes = [_put(group, *each) for each in zip(writes, meant, strict=True)]
            changes = group.finish()
        # Only after the transaction: where it was rolled back, these must still be what the store
        # holds.
        self._edited = group.edited + (0 if folds else self._edited)
        self._position = group.position
        self._numbering.commit(draft)
        try:
            followed = follow(self.indexes, group.payloads)
            self.touched += followed if group.recorded else 0
            self._show(apply(self.view, changes))
        except BaseException as error:
            # Stored but not searchable: any answer now would be wrong. Reopening applies it.
            self._refuse(error)
            raise
        return outcomes

    def _meant_by(self, write: Write) -> BitMap | None:
        """Return the numbers a write's filter means; of a batch only those of its points."""
        condition = filter_of(write)
        if condition is None:
            return None
        if isinstance(write, (Upsert, VectorUpdate)):
            # The condition of an upsert is asked of the points that it names, not of the whole
            # collection: with their ids beside it the planner has few candidates to look at.
            ids = frozenset(map(id_of_key, write.keys))
            condition = Filter(must=(HasId(ids), condition))
        return self._select(condition)

    def _refuse(self, error: BaseException) -> None:
        with self._lock:
            self._refused = (
                f"A stored write to {self.store.path} could not be applied ({error!r}): "
                "restart the server, which applies it"
            )
        self.applied.give_up(self._refused)


def _put(group: CommitGroup, write: Write, meant: BitMap | None) -> Outcome:
    try:
        group.put(write, meant)
    except (DamagedPoint, InvalidInput, PointNotFound) as error:  # the others are carried out
        return error
    return group.seq


def _fail(requests: list[_Request], error: Exception) -> None:
    """Tell all who wait; the error leads to the list: it would keep itself, and what it met."""
    for request in requests:
        request.future.set_exception(error)
    requests.clear()


class _End:
    """Stands for the end of the queue, found while gathering."""
