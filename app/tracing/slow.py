"""A line of the log for each request that took long: which, and what took how long in it.

It names the route, the collection and the stages; vectors, payloads, filters, query strings and
keys are in none. Only the event loop's thread writes.
"""

from __future__ import annotations

import logging
import math
from time import monotonic
from typing import NamedTuple

from palimpsest.app.tracing.logs import FIELDS
from palimpsest.app.tracing.trace import Trace

log = logging.getLogger("palimpsest.slow")

LINES = 20  # a second at most: where everything is slow, the log is not to be one more reason
MAX_NAME = 255  # characters of a collection's name


class Slow(NamedTuple):
    """What a line says; ``untold`` counts the slow requests that had none since the last line."""

    method: str
    route: str
    collection: str | None
    status: int
    seconds: float
    stages: dict[str, float]  # seconds
    untold: int

    def in_words(self) -> str:
        """Return the same for people; a name cannot end the line."""
        spent = ", ".join(f"{name} {seconds * 1e3:.1f}" for name, seconds in self.stages.items())
        where = "" if self.collection is None else f" of {self.collection!r}"
        took = f"{self.seconds * 1e3:.1f} ms, status {self.status}"
        return (
            f"slow: {self.method} {self.route}{where} took {took}"
            + (f" (ms: {spent})" if spent else "")
            + (f"; {self.untold} more were slow" if self.untold else "")
        )


class SlowLog:
    """Of one server; ``seconds`` is what is slow, 0 for nothing."""

    def __init__(self, seconds: float) -> None:
        self.from_seconds = seconds or math.inf
        self._since = -math.inf
        self._written = 0  # since then
        self._untold = 0

    def note(
        self,
        trace: Trace | None,
        method: str,
        route: str,
        collection: str | None,
        status: int,
        seconds: float,
    ) -> None:
        """Write the line about a request of so many seconds, or count it where there are many.

        Args:
            trace: of a request that went the ASGI way.
            method: of the request.
            route: the template of its path.
            collection: as the request called it.
            status: of the reply.
            seconds: from its headers to its reply.
        """
        now = monotonic()
        if now - self._since >= 1.0:
            self._since, self._written = now, 0
        if self._written >= LINES:
            self._untold += 1
            return
        self._written += 1
        stages = {} if trace is None else trace.seconds()
        line = Slow(
            method,
            route,
            None if collection is None else collection[:MAX_NAME],
            status,
            round(seconds, 6),
            {name: round(spent, 6) for name, spent in stages.items()},
            self._untold,
        )
        log.warning("%s", line.in_words(), extra={FIELDS: line._asdict()})
        self._untold = 0
