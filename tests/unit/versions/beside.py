"""Work in several threads at once, whose failures count."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType


class Beside:
    """Used as a context: ends what ``repeat`` began, waits for all, and raises what failed."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    def __enter__(self) -> Beside:
        return self

    def run(self, work: Callable[[], None]) -> threading.Thread:
        """Do a piece of work once."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                self._failures.append(error)

        thread = threading.Thread(target=guarded)
        self._threads.append(thread)
        thread.start()
        return thread

    def repeat(self, work: Callable[[], None]) -> None:
        """Do a piece of work over and over, until the end of the block or its first failure."""

        def over_and_over() -> None:
            while not self._stop.is_set():
                work()

        self.run(over_and_over)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if error is None and self._failures:
            raise self._failures[0]
