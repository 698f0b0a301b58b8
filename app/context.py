"""What the routes of one server share: settings, metrics, the database, threads for slow work."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from time import monotonic, perf_counter
from typing import Any, TypeVar

import msgspec

from palimpsest.app.access.gate import Gate
from palimpsest.app.access.rights import NOTHING, Access
from palimpsest.app.embedding.embedders import Embedders
from palimpsest.app.health.life import Life, Stage
from palimpsest.app.knobs import PLAIN, Knobs
from palimpsest.app.metrics import Metrics, Unmeasured
from palimpsest.app.rates import Rates
from palimpsest.app.release import RELEASE
from palimpsest.app.reloading import Reloading
from palimpsest.app.schemas.query import Early
from palimpsest.app.schemas.tolerance import read
from palimpsest.app.settings import Settings
from palimpsest.app.shares import Shares, ThreadLoad
from palimpsest.app.snapshots.at_start import restore_at_start
from palimpsest.app.strict import Strict, strict_of
from palimpsest.app.tracing.slow import SlowLog
from palimpsest.app.tracing.spans import Tracing
from palimpsest.app.tracing.trace import PARSE, Trace
from palimpsest.app.warnings import Warnings
from palimpsest.app.wire.connections import Connections
from palimpsest.app.work.backlog import SHARE, Waiting
from palimpsest.app.work.client import Client
from palimpsest.app.work.depth import check_depth
from palimpsest.app.work.jobs import read_in, write_in
from palimpsest.app.work.lists import LEAST, check_lists
from palimpsest.app.work.load import Load
from palimpsest.app.work.memory import Memory
from palimpsest.app.work.replies import Wanted, room_for
from palimpsest.index import (
    Collection,
    CollectionNotFound,
    Database,
    Durations,
    NotYetApplied,
    PalimpsestError,
    RecallBudget,
    SnapshotPlan,
)

T = TypeVar("T")

OWN = ""  # whose share of the threads work is of that is no collection's
INLINE_BODY = 64 * 1024  # bytes; larger bodies are decoded beside the event loop


class Context:
    """Opened before the first request and closed after the last. Raises Misconfigured."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.life = Life()
        measured = Metrics if settings.metrics else Unmeasured
        self.metrics = measured(settings.metrics_collections)
        self.slow = SlowLog(settings.slow_seconds)
        self.tracing = Tracing(settings.trace_ratio) if settings.trace_ratio else None
        self.rates = Rates()
        self.reloading = Reloading()
        self.gate = Gate(settings, self.reloading)
        self.connections = Connections(settings, self.reloading)
        self.embedders = Embedders(settings)
        self.declaring = threading.Lock()  # orders changes of what collections were declared as
        self.has_finished = False  # the work of requests, for good
        self.short_body = LEAST * settings.batch_limit  # bytes; such bodies list little enough
        self.memory = Memory(settings.memory_limit, self._needed)
        self.load = Load(settings, self.memory)
        self.waiting = Waiting(settings.request_limit // SHARE, self.load.most_bodies // SHARE)
        self.database: Database
        self.threads: Shares
        self.long: ThreadPoolExecutor  # of one thread, for what takes seconds
        # Of one thread too: who asks what searches find is not to wait for a fit of minutes.
        self.measuring: ThreadPoolExecutor
        self.measures_recall = False  # one at a time
        self.copies: ThreadPoolExecutor  # of one thread, for snapshots

    def open(self) -> None:
        """Open the data directory, once.

        Raises:
            DirectoryLocked: another server holds it.
            Misconfigured, InvalidSnapshot: the snapshot that is to be restored before cannot be.
        """
        if hasattr(self, "database"):
            return
        restore_at_start(self.settings)
        self.database = Database.open(
            self.settings.data,
            threads=self.settings.threads,
            progress=self.life.opens,
            has_room=self.memory.has_room,
            scrub_days=self.settings.scrub_days,
            sampling=RecallBudget(self.settings.recall_share, self.settings.recall_bytes),
            snapshots=SnapshotPlan(self.settings.snapshot_hours, self.settings.snapshot_keep),
            release=RELEASE,
        )
        self.threads = Shares(self.settings.threads or os.cpu_count() or 1)
        self.long = ThreadPoolExecutor(1, thread_name_prefix="long")
        self.measuring = ThreadPoolExecutor(1, thread_name_prefix="recall")
        self.copies = ThreadPoolExecutor(1, thread_name_prefix="snapshots")
        self.life.enter(Stage.SERVING)

    def close(self) -> None:
        """Finish running requests' work, then close the database, which ends long work."""
        if hasattr(self, "threads"):
            # First, while the database is open: requests under way are answered before what they
            # read is gone.
            self.threads.close()
        self.has_finished = True
        self.gate.close()
        if not hasattr(self, "long"):
            return  # it was never opened
        # Not waited for yet: it may be in a fit of minutes, which closing the database ends.
        self.long.shutdown(wait=False, cancel_futures=True)
        self.measuring.shutdown(cancel_futures=True)  # given up with its request
        self.database.snapshots.stop()
        self.copies.shutdown(cancel_futures=True)
        self.database.close()
        self.long.shutdown()

    def _needed(self) -> int:
        return self.database.needed() if hasattr(self, "database") else 0

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run brief work of the server's own beside the event loop, whoever waits for it."""
        return await asyncio.wrap_future(self.threads.of(OWN).submit(work))

    async def at_length(self, work: Callable[[], T], timeout: float | None = None) -> T:
        """Run work of seconds after other such work, where it keeps no search from a thread.

        Raises:
            TimeoutError: the work then runs on if it has begun.
        """
        running = asyncio.get_running_loop().run_in_executor(self.long, work)
        return await asyncio.wait_for(running, timeout)

    def share(self, name: str) -> Executor:
        """Return a collection's share of the threads; ``name`` is what it was called by."""
        return self.threads.of(self.database.real_name(name))

    def thread_load(self) -> ThreadLoad | None:
        """Return what the threads of requests do, None before there are any."""
        return self.threads.load() if hasattr(self, "threads") else None

    def refuse_dropped(self, collection: Collection) -> None:
        """Raise CollectionNotFound when a collection was dropped after it was looked up.

        Raises:
            BeingReplaced: another was, or is being, put in its place.
        """
        if self.database.get(collection.name) is not collection:
            self.database.refuse_replaced(collection)
            raise CollectionNotFound(collection.name)

    def damaged(self) -> Mapping[str, str]:
        """Return what is wrong with each collection that could not be opened."""
        return self.database.damaged() if hasattr(self, "database") else {}

    def snapshot_bytes(self, names: Sequence[str]) -> Mapping[str | None, int]:
        """Return the bytes of the snapshots of collections, and under None of all others."""
        if not hasattr(self, "database"):
            return {}
        return self.database.snapshots.sizes.by_collection(names)

    def sample_durations(self) -> Durations | None:
        """Return how long samples of recall took, None where none are taken, or not yet."""
        return self.database.sample_durations if hasattr(self, "database") else None

    def collections(self) -> Iterator[Collection]:
        """Yield every collection that can be read; none while the first are being opened."""
        for name in self.database.names() if hasattr(self, "database") else ():
            try:
                yield self.database.get(name)
            except PalimpsestError:
                continue  # dropped meanwhile, or damaged


class Call(msgspec.Struct, frozen=True):
    """One request to a point route, its body read whole."""

    context: Context
    collection: Collection
    query_string: bytes
    body: bytes
    tail: str  # the last part of the path, where the route has one
    knobs: Knobs = PLAIN
    access: Access = NOTHING
    warnings: Warnings = msgspec.field(default_factory=Warnings)  # of the reply
    client: Client = msgspec.field(default_factory=Client)  # who waits for it
    since: float = msgspec.field(default_factory=monotonic)  # when its body was read
    early: Early | None = None  # what the short way has read of it
    trace: Trace = msgspec.field(default_factory=lambda: Trace((), perf_counter()))

    def read(self, kind: Any, decode: Callable[[bytes], T]) -> T:
        """Return what ``decode`` makes of the body, which is to be of a type.

        What Qdrant leaves out of a body is left out and warned of: see ``app.schemas.tolerance``.

        Raises:
            Refusal: the body has another shape, is nested too deeply or lists too much.
        """
        check_lists(self.body, self.context.settings.batch_limit)
        return self.read_update(kind, decode)

    def read_update(self, kind: Any, decode: Callable[[bytes], T]) -> T:
        """Do the same for a write, whose lists are counted once they are read."""
        with self.trace.stage(PARSE):
            self.check_depth()
            strict = self.context.settings.unknown_fields == "refuse"
            return read(self.body, kind, decode, self.warnings, strict)

    def check_depth(self) -> None:
        """Raise Refusal when the body is nested more deeply than the server allows."""
        check_depth(self.body, self.context.settings.depth_limit)

    async def decoded(self, decode: Callable[[], T], timeout: float | None) -> T:
        """Run what reads the body where a body of its size is read; raises as ``in_thread``."""
        return decode() if self.has_small_body else await self.in_thread(decode, timeout)

    async def begun(self, begin: Callable[[], T], timeout: float | None) -> T:
        """Run what reads the body and begins a write, which no one stops.

        Raises:
            Refusal: 408, when the time was over before it had begun.
        """
        if self.has_small_body:
            return begin()
        return await write_in(self.share, begin, self.left(timeout))

    async def run(
        self, work: Callable[[Collection], T], *, short: bool, timeout: float | None
    ) -> T:
        """Run short reads in the event loop, unless they would have to wait; others beside it.

        ``work`` is given the collection as it is to read it.
        """
        if short:
            with suppress(NotYetApplied):
                return work(self.collection.at_once)
        return await self.in_thread(lambda: work(self.collection), timeout)

    async def in_thread(self, work: Callable[[], T], timeout: float | None) -> T:
        """Run reads beside the event loop, as long as someone waits for them.

        Raises:
            TimeoutError: the request took longer than ``timeout`` seconds.
            Disconnected: its client left.
        """
        return await read_in(self.share, work, self.client, self.left(timeout))

    async def read_at_length(self, work: Callable[[], T], timeout: float | None) -> T:
        """Run reads of seconds, after other long work; raises as ``in_thread``."""
        return await read_in(self.context.long, work, self.client, self.left(timeout))

    def room(self, *reads: Wanted) -> AbstractContextManager[None]:
        """Hold memory for what is read inside. Raises Refusal, 507, when there is none."""
        return room_for(self.context.memory, self.collection, reads)

    def left(self, timeout: float | None) -> float | None:
        """Return how many seconds of a request's ``timeout`` are left."""
        return None if timeout is None else max(0.0, self.since + timeout - monotonic())

    def strict(self, *, charges: bool = True) -> Strict | None:
        """Return what strict mode forbids in this collection, None when it is off."""
        return strict_of(self.collection, self.context.rates, charges=charges)

    @property
    def share(self) -> Executor:
        """The collection's share of the threads."""
        return self.context.threads.of(self.collection.folder.name)

    @property
    def has_small_body(self) -> bool:
        """Whether the body may be decoded in the event loop."""
        return len(self.body) <= INLINE_BODY
