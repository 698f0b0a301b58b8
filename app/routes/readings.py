"""The states of collections that one request reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from palimpsest.app.access.rights import Access, Level
from palimpsest.app.context import Context
from palimpsest.index import BridgeMode, Collection, Reading

T = TypeVar("T")


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


def consistent(
    context: Context,
    access: Access,
    collection: Collection,
    read: Callable[[Readings], T],
    is_whole: Callable[[T], bool],
    bridge: BridgeMode = "on",
) -> tuple[Readings, T]:
    """Return what ``read`` makes of the newest states; raises as ``Collection.consistent``."""

    def once() -> tuple[Readings, T]:
        readings = Readings(context, access, collection, bridge)
        return readings, read(readings)

    return collection.consistent(once, lambda found: is_whole(found[1]))
