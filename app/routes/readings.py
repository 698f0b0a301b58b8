"""The states of collections that one request reads."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from time import monotonic, sleep
from typing import TypeVar

from palimpsest.app.access.rights import Access, Level
from palimpsest.app.context import Context
from palimpsest.index import BridgeMode, Collection, NotYetApplied, Reading, check_stop

T = TypeVar("T")

# A point deleted while a query runs drops out of its answer: tries, and seconds between them.
_REPEATS = (4, 0.0005)
_SECONDS = 10.0  # of tries while points are replaced that a query has to read


class Readings:
    """One state per collection, taken when it is first asked for; called by name."""

    def __init__(
        self, context: Context, access: Access, collection: Collection, bridge: BridgeMode = "on"
    ) -> None:
        self._context = context
        self._access = access
        self._bridge = bridge
        self.own = collection.reading(bridge)
        self._taken = {id(collection): self.own}

    def __call__(self, name: str) -> Reading:
        """Return the state of the collection of a name. Raises as ``Access.collection``."""
        collection = self._access.collection(self._context.database, name, Level.READ)
        reading = self._taken.get(id(collection))
        if reading is None:
            reading = self._taken[id(collection)] = collection.reading(self._bridge)
        return reading


def repeated(
    context: Context,
    access: Access,
    collection: Collection,
    read: Callable[[Readings], T],
    is_whole: Callable[[T], bool],
    bridge: BridgeMode = "on",
) -> tuple[Readings, T]:
    """Return what ``read`` makes of the newest states, tried again while points drop out of it.

    Raises:
        NotYetApplied: points it has to read were replaced every time, for seconds.
    """
    repeats, pause = _REPEATS
    until = monotonic() + _SECONDS
    for look in count(1):
        check_stop()
        readings = Readings(context, access, collection, bridge)
        try:
            found = read(readings)
        except NotYetApplied:
            if monotonic() >= until:
                raise
        else:
            if look >= repeats or is_whole(found):
                return readings, found
        sleep(pause)
    raise AssertionError("the last look returns or raises")
