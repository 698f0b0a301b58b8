"""What is read again on SIGHUP, without a restart: keys, certificates, the audit log.

Each part registers under a name what reads it again. One that fails keeps what it had: that is
logged and counted, and the others are read all the same. A signal that comes while parts are being
read is not lost; they are read once more afterwards.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable

from palimpsest.app.counts import Counts

log = logging.getLogger("palimpsest")

ReadAgain = Callable[[], Awaitable[None]]


class Reloading:
    """The parts of one server that can be read again; for the event loop's thread."""

    def __init__(self) -> None:
        self.counts = Counts(
            "palimpsest_config_reloads",
            "Times that a part of the configuration was read again.",
            ("part", "outcome"),
        )
        self._parts: dict[str, ReadAgain] = {}
        self._running: asyncio.Task[None] | None = None
        self._asked = False
        self._reading = asyncio.Lock()  # an older reading must not replace a newer one

    def register(self, part: str, read_again: ReadAgain) -> None:
        """Let SIGHUP await ``read_again``, which raises where the part cannot be read."""
        self._parts[part] = read_again
        for outcome in ("ok", "failed"):
            self.counts.values.setdefault((part, outcome), 0)

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear SIGHUP from now on. Signals reach the main thread alone; in others do nothing."""
        if threading.current_thread() is threading.main_thread():
            loop.add_signal_handler(signal.SIGHUP, self.ask)

    def ask(self) -> None:
        """Have all parts read again, soon."""
        # A signal that comes while parts are read asks for another round: what it was sent for may
        # have been read already, as it was before.
        self._asked = True
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._read_while_asked())

    async def read(self, part: str) -> bool:
        """Read one part again; tell whether that went well."""
        try:
            async with self._reading:
                await self._parts[part]()
        except Exception as error:
            self.counts.add(part, "failed")
            log.error("%s could not be read again, the old remains in force: %s", part, error)
            return False
        self.counts.add(part, "ok")
        log.info("%s read again", part)
        return True

    async def _read_while_asked(self) -> None:
        while self._asked:
            self._asked = False
            for part in list(self._parts):
                await self.read(part)
