"""What is known of one request while it is answered: its names, and what its stages took.

Every request that goes the ASGI way has one; the short way (``app.protocol``) has none, for it
would cost a part of what such a request takes. Whatever of the server runs for a request finds its
trace as ``CURRENT``, in the event loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Any, NamedTuple

from palimpsest.app.tracing.ids import Headers, Parent, new_id, parent, request_id
from palimpsest.index import SearchStats


class Stage(NamedTuple):
    """A part of answering; ``began`` as ``perf_counter`` has it."""

    name: str
    began: float
    seconds: float


class Searched(NamedTuple):
    """A search that was made; ``ended`` as ``perf_counter`` has it."""

    stats: SearchStats
    ended: float
    seconds: float


class Trace:
    """Of one request. Threads may add to it while the event loop waits for them."""

    __slots__ = ("began", "parent", "request_id", "searches", "span", "stages")

    def __init__(self, headers: Headers, began: float) -> None:
        self.request_id = request_id(headers) or new_id()
        self.parent: Parent | None = parent(headers)
        self.began = began
        self.span: Any = None  # of OpenTelemetry, where the request is sampled
        self.stages: list[Stage] = []
        self.searches: list[Searched] = []

    @property
    def trace_id(self) -> str | None:
        """The trace in which it is told of, in hexadecimal."""
        if self.span is not None:
            return f"{self.span.get_span_context().trace_id:032x}"
        return None if self.parent is None else self.parent.trace_id

    @property
    def sampled(self) -> str | None:
        """The same where the trace is kept, else None."""
        is_kept = self.span is not None or (self.parent is not None and self.parent.is_sampled)
        return self.trace_id if is_kept else None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note what is done inside as a stage, also where it fails."""
        began = perf_counter()
        try:
            yield
        finally:
            self.stages.append(Stage(name, began, perf_counter() - began))

    def searched(self, stats: SearchStats, seconds: float) -> None:
        """Note a search that ended now."""
        self.searches.append(Searched(stats, perf_counter(), seconds))

    def seconds(self) -> dict[str, float]:
        """Return what each stage took, those of searches among them, in their order."""
        total: dict[str, float] = {}
        pairs = [(one.name, one.seconds) for one in self.stages if one.name != SERIALISE]
        for search in self.searches:
            pairs += search.stats.seconds.items()
        pairs += [(one.name, one.seconds) for one in self.stages if one.name == SERIALISE]
        for name, seconds in pairs:
            total[name] = total.get(name, 0.0) + seconds
        return total


BODY, PARSE, SERIALISE = "body", "parse", "serialise"

CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)
