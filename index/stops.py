"""Work that is asked to stop, because nobody waits for its answer any longer.

A ``Stop`` is a flag that any thread sets. Made current for a thread by ``stopping``, it is looked
at by every native loop that runs there and, through ``check_stop``, by loops in Python: reads of
the store, levels of a query, steps of a choice. What then raises ``Stopped`` has changed nothing
and kept nothing half made. Threads without a current stop are never stopped: those of writes, of
upkeep and of whoever calls the engine without one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from palimpsest.index import _native

Stop = _native.Stop
Stopped = _native.Stopped
is_stopped = _native.is_stopped

T = TypeVar("T")

_STRETCH = 512  # items between two looks at the flag
_here = threading.local()


@contextmanager
def stopping(stop: Stop | None) -> Iterator[None]:
    """Make a stop current in this thread, None for none; what runs inside may raise ``Stopped``."""
    before: Stop | None = getattr(_here, "stop", None)  # the native side keeps neither alive
    _make_current(stop)
    try:
        yield
    finally:
        _make_current(before)


def check_stop() -> None:
    """Raise ``Stopped`` when the thread's current stop is set."""
    if is_stopped():
        raise Stopped("Stopped: nobody waits for the answer")


def checked(items: Iterable[T]) -> Iterator[T]:
    """Yield items, and raise ``Stopped`` on the way when the thread's current stop is set."""
    for place, item in enumerate(items):
        # Asking costs about as much as a step of most loops: now and then is soon enough for who
        # left.
        if place % _STRETCH == 0:
            check_stop()
        yield item


def _make_current(stop: Stop | None) -> None:
    _native.make_current(stop)
    _here.stop = stop
