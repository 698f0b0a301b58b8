"""What the routes of one server share: settings, metrics, the database, threads for slow work."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from app.metrics import Metrics
from app.settings import Settings
from index import Collection, Database, PalimpsestError

T = TypeVar("T")


class Context:
    """Opened before the first request and closed after the last."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics(settings.version)
        self.database: Database
        self._threads: ThreadPoolExecutor

    def open(self) -> None:
        """Open the data directory, once. Raises DirectoryLocked when another server holds it."""
        if hasattr(self, "database"):
            return
        self.database = Database.open(self.settings.data, threads=self.settings.threads)
        self._threads = ThreadPoolExecutor(
            self.settings.threads or os.cpu_count(), thread_name_prefix="request"
        )

    def close(self) -> None:
        """Finish running requests' work, then close the database."""
        self._threads.shutdown()
        self.database.close()

    async def in_thread(self, work: Callable[[], T], timeout: float | None = None) -> T:
        """Run blocking work beside the event loop. Raises TimeoutError; the work then runs on."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        if timeout is None:
            return await running
        return await asyncio.wait_for(running, timeout)

    def collections(self) -> Iterator[Collection]:
        """Yield every collection that can be read."""
        for name in self.database.names():
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
