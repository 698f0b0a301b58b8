"""uvicorn's server, with an opening and an end of our own.

The socket is bound first, then the database is opened beside the event loop: a taken port is told
before anything is touched, and probes are answered meanwhile. The first signal to stop makes the
server drain (``app.health.life``); while it still opens there is nothing to finish, and it ends at
once, as it does at the second signal. Nothing is lost by that: what was acknowledged is synced.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from time import monotonic
from types import FrameType

import uvicorn

from palimpsest.app.context import Context
from palimpsest.app.health.life import Stage
from palimpsest.app.health.overdue import Overdue
from palimpsest.app.health.start import announce
from palimpsest.app.remedies import help_of
from palimpsest.app.settings import Misconfigured
from palimpsest.index import PalimpsestError

# Together less than the ten seconds after which engines of containers kill what they asked to end.
GRACE_SECONDS = 6  # for running requests, once they are all that is waited for
LATE_SECONDS = 3  # for those that were told to stop
SIGNALLED = 128  # plus a signal's number: status of a process that it ended, as shells have it

log = logging.getLogger("palimpsest")


class Server(uvicorn.Server):
    """Serves ``config.app`` until a signal; ``failed`` when the database could not be opened."""

    def __init__(self, config: uvicorn.Config, context: Context) -> None:
        super().__init__(config)
        self.failed = False
        self._context = context
        self._life = context.life
        self._drained_at = 0.0  # by the monotonic clock
        self._opening: asyncio.Task[None] | None = None
        self._overdue: Overdue | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then begin to open the database."""
        await super().startup(sockets)
        longest = self._context.settings.drain_seconds + GRACE_SECONDS + LATE_SECONDS
        self._overdue = Overdue(longest, lambda: self._context.has_finished)
        # After it listens: probes are answered while thousands of collections are opened, or an
        # orchestrator would take it for dead and start it over.
        self._opening = asyncio.create_task(self._open())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, end at the second; runs wherever the main thread is."""
        # Nothing was answered yet, and what opening does may be cut off at any place, as by a
        # crash.
        if self._life.stage is Stage.OPENING:
            os._exit(0)
        if self._life.stage is not Stage.SERVING:
            # Without any cleaning up: who asks twice does not want to wait, and every answered
            # write is synced.
            os._exit(SIGNALLED + sig)
        self._drained_at = monotonic() + self._context.settings.drain_seconds
        if self._overdue is not None:
            self._overdue.count()
        self._life.enter(Stage.DRAINING)

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to end; asked ten times a second."""
        return await super().on_tick(counter) or self._has_drained()

    async def _open(self) -> None:
        try:
            await asyncio.to_thread(self._context.open)
        except PalimpsestError as error:
            log.error("%s", error.told(help_of))
        except Misconfigured as error:
            log.error("%s", error)
        except Exception:
            log.exception("The data folder could not be opened")
        else:
            gc.freeze()  # what lives for good is not scanned again and again
            announce(self._context, self._address())
            return
        self.failed = True
        self.should_exit = True

    def _has_drained(self) -> bool:
        """Tell whether nothing is left to wait for, once asked to stop."""
        left = self._drained_at + GRACE_SECONDS - monotonic()
        if self._life.stage not in (Stage.DRAINING, Stage.ENDING) or left > GRACE_SECONDS:
            return False
        self._life.enter(Stage.ENDING)
        # What uvicorn waits on from then: replies that are still being sent.
        self.config.timeout_graceful_shutdown = max(1, int(left))
        return self._context.metrics.in_flight == 0 or left <= 0

    def _address(self) -> str:
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        scheme = "http" if self._context.connections.certificates is None else "https"
        return f"{scheme}://{shown}:{port}"
