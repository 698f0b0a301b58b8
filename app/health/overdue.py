"""The end of a server whose requests do not end.

A thread that does not come back from a request cannot be stopped from outside. Once the requests
have had all their time, the process ends without them. Nothing is lost by that: what was
acknowledged is synced.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

OVERDUE = 1  # status of a process that ended so

log = logging.getLogger("palimpsest")


class Overdue:
    """Ends the process ``seconds`` after it was asked to stop, unless requests have ended."""

    def __init__(self, seconds: float, have_ended: Callable[[], bool]) -> None:
        self._seconds = seconds
        self._have_ended = have_ended
        self._asked = threading.Event()
        threading.Thread(target=self._watch, name="overdue", daemon=True).start()

    def count(self) -> None:
        """Begin to count; a handler of signals may call it."""
        self._asked.set()

    def _watch(self) -> None:
        self._asked.wait()
        time.sleep(self._seconds)
        if not self._have_ended():
            log.critical("Requests did not end in %g s: the server ends without", self._seconds)
            os._exit(OVERDUE)
