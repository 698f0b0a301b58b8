"""Consistent reads: what the store holds and what the view holds, as of one moment.

The store is ahead of the view by the writes that are being applied. A read that meets one raises
``StoreAhead``; ``consistent`` waits until the view has caught up and runs it again. That ends: a
write takes milliseconds to apply, seconds at most, and a read is refused when it takes longer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TypeVar

from palimpsest.index.errors import StorageError
from palimpsest.index.stops import check_stop

WAIT_SECONDS = 10.0  # for the writes of one transaction; the longest takes a few seconds
_LOOK_SECONDS = 0.1  # between two looks at whether anybody waits for the answer
_TRIES = 4  # answers, from which points that are written over and over may be missing

CatchUp = Callable[[float], None]  # waits for the view until a time; raises NotYetApplied
T = TypeVar("T")


class NotYetApplied(StorageError):
    """A stored write is still being applied, and the caller did not wait: now, or any longer."""


class StoreAhead(NotYetApplied):
    """A read met a write that its view lacks; ``catch_up`` waits for a view that has it."""

    def __init__(self, catch_up: CatchUp) -> None:
        super().__init__("points were replaced since the view was taken, take another")
        self.catch_up = catch_up


class Applied:
    """The seq up to which the writes of a store are in its newest view; any thread may wait."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._seq = -1
        self._given_up: str | None = None  # why no further seq is reached
        self._changed = threading.Condition()

    def reach(self, seq: int) -> None:
        """Let those go on who wait for this seq, which a view was published with."""
        with self._changed:
            self._seq = seq
            self._changed.notify_all()

    def give_up(self, why: str) -> None:
        """Let nobody wait any longer: no view comes after the one there is."""
        with self._changed:
            self._given_up = why
            self._changed.notify_all()

    def wait_for(self, seq: int, until: float) -> None:
        """Wait until a view with this seq is published.

        Raises:
            NotYetApplied: it is not by ``until``, a time of ``monotonic``, or will never be.
            Stopped: nobody waits for the answer.
        """
        with self._changed:
            while True:
                # Each time round: the writer may hang on its disk, and whoever waited for the
                # answer be gone.
                check_stop()
                if self._given_up is not None and self._seq < seq:
                    raise NotYetApplied(self._given_up)
                left = until - monotonic()
                if left <= 0:
                    raise NotYetApplied(
                        f"{self._store}: a stored write was not applied within "
                        f"{WAIT_SECONDS:g} s: try again, and restart the server if that goes on"
                    )
                if self._seq >= seq:
                    return
                self._changed.wait(min(left, _LOOK_SECONDS))


def deadline() -> float:
    """Return until when a read that begins now waits, as a time of ``monotonic``."""
    return monotonic() + WAIT_SECONDS


def consistent(
    read: Callable[[], T], catch_up: CatchUp, is_whole: Callable[[T], bool] = lambda _: True
) -> T:
    """Return what a read of the newest state answers; it is run again where writes came between.

    Args:
        read: takes the state anew each time it is run.
        catch_up: waits until the view has all that the store has.
        is_whole: tells whether points that were written meanwhile are not missing in an answer.

    Raises:
        NotYetApplied: what it needs was not applied for seconds, or the caller does not wait.
    """
    until: float | None = None  # from the first wait on: to read may itself take longer
    tries = 0
    while True:
        try:
            found = read()
        except StoreAhead as error:
            until = until or deadline()
            error.catch_up(until)
            continue
        tries += 1
        # After some tries the answer is given without the points that are written all the time: a
        # busy point must not keep the others from being found.
        if tries == _TRIES or is_whole(found):
            return found
        catch_up(deadline())
