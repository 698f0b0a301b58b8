"""Makes snapshots of all collections every so many hours, and deletes those that are too many.

Only snapshots that were made so are deleted: what someone asked for stays until it is deleted by
someone. Hours count from the last one that is kept, so that a restart changes nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from palimpsest.index.errors import CollectionNotFound, PalimpsestError
from palimpsest.index.snapshots.shelf import SCHEDULED, Shelf, SnapshotInfo

_HOUR = 3_600.0
_LOOK_SECONDS = 60.0  # between two looks at what is due, at most
_AGAIN = 600.0  # seconds after a failure
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """How often a snapshot of each collection is made, in hours, 0 for never; how many are kept."""

    hours: float = 0.0
    keep: int = 1


NEVER = SnapshotPlan()


class MakesSnapshots(Protocol):
    """Whoever makes snapshots, and the shelf they come to."""

    shelf: Shelf

    def create(self, name: str, *, scheduled: bool = False) -> SnapshotInfo:
        """Make one of a collection."""


class Schedule:
    """One thread, if there is anything to do."""

    def __init__(
        self, snapshots: MakesSnapshots, names: Callable[[], list[str]], plan: SnapshotPlan
    ) -> None:
        self._snapshots, self._names, self._plan = snapshots, names, plan
        self._failed: dict[str, float] = {}  # when, by the monotonic clock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        if self._plan.hours:
            self._thread.start()

    def stop(self) -> None:
        """End soon; whoever makes snapshots has been told to stop."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def due(self, name: str, now: float) -> bool:
        """Tell whether a snapshot of a collection is to be made; ``now`` since the epoch."""
        failed = self._failed.get(name)
        if failed is not None and time.monotonic() - failed < _AGAIN:
            return False
        kept = self._scheduled(name)
        return not kept or now - kept[-1].created >= self._plan.hours * _HOUR

    def look(self) -> None:
        """Make the snapshots that are due, and delete those that are too many."""
        for name in self._names():
            if self._stopped.is_set():
                return
            if self.due(name, time.time()):
                self._make(name)

    def _make(self, name: str) -> None:
        try:
            self._snapshots.create(name, scheduled=True)
            self._failed.pop(name, None)
            for one in self._scheduled(name)[: -self._plan.keep]:
                self._snapshots.shelf.delete(name, one.name)
        except CollectionNotFound:  # dropped meanwhile
            self._failed.pop(name, None)
        except PalimpsestError as error:
            self._failed[name] = time.monotonic()
            if not self._stopped.is_set():
                told = "The snapshot of %r is due and failed, it is tried again: %s"
                _log.warning(told, name, error)

    def _scheduled(self, name: str) -> list[SnapshotInfo]:
        kept = self._snapshots.shelf.list(name)
        return [one for one in kept if one.name.endswith(SCHEDULED)]

    def _run(self) -> None:
        pause = min(_LOOK_SECONDS, max(self._plan.hours * _HOUR / 10, 0.05))
        while not self._stopped.wait(pause):
            try:
                self.look()
            except Exception:  # such as a disk that cannot be listed now
                _log.exception("Snapshots that are due could not be made, they are tried again")
