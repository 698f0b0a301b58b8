"""Threads that collections share: none takes them all from the others.

Each collection's work waits in a line of its own, and the lines take turns. Work of one collection
has at most as many threads as there usually are; a collection that has none gets one beyond these,
so that it is served though others hold every thread with work that does not end.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from time import monotonic
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Work that hangs, on a disk for example, takes the usual threads at most; each other collection
# still gets one of these.
BEYOND = 14  # threads for collections that would have none

_Item: TypeAlias = tuple[Future[Any], Callable[[], Any]]


class ThreadLoad(NamedTuple):
    """What there is to do for the threads, and how many do some of it."""

    waiting: int
    threads: int
    busy: int


class Shares:
    """The threads of one server; they do not keep the program from ending."""

    def __init__(self, usual: int, beyond: int = BEYOND) -> None:
        self._usual = usual
        self._most = usual + beyond
        self._changed = threading.Condition()
        self._lines: dict[str, deque[_Item]] = {}  # in the order of their turns; none is empty
        self._busy: Counter[str] = Counter()  # threads by collection
        self._idle = 0  # threads that wait and were not woken
        self._threads: list[threading.Thread] = []
        self._closed = False

    def of(self, name: str) -> Executor:
        """Return the share of a collection."""
        return _Share(self, name)

    def submit(self, name: str, work: Callable[[], T]) -> Future[T]:
        """Let work of a collection wait for its turn. Raises RuntimeError once closed."""
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("no work is taken any more")
            self._lines.setdefault(name, deque()).append((future, work))
            # Threads are made when they are needed, and kept: most servers never need those beyond
            # the usual.
            if not self._wake() and len(self._threads) < self._most:
                self._start()
        return future

    def load(self) -> ThreadLoad:
        """Return how much waits and how many threads are busy."""
        with self._changed:
            waiting = sum(map(len, self._lines.values()))
            return ThreadLoad(waiting, len(self._threads), self._busy.total())

    def close(self, seconds: float | None = None) -> bool:
        """Take no more work, carry out what waits, and tell whether all has ended in time."""
        with self._changed:
            self._closed = True
            self._wake_all()
        until = None if seconds is None else monotonic() + seconds
        # No lock here: the threads need it to end. None is added once it is closed.
        for thread in self._threads:
            thread.join(None if until is None else max(0.0, until - monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _wake(self) -> bool:
        """Wake one thread that waits; tell whether there was one."""
        if not self._idle:
            return False
        self._idle -= 1
        self._changed.notify()
        return True

    def _wake_all(self) -> None:
        self._idle = 0
        self._changed.notify_all()

    def _start(self) -> None:
        name = f"request_{len(self._threads)}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            name, (future, work) = taken
            if future.set_running_or_notify_cancel():
                _carry_out(future, work)
            del future, work, taken  # which may hold much
            with self._changed:
                self._busy[name] -= 1
                if not self._busy[name]:
                    del self._busy[name]
                self._wake()

    def _take(self) -> tuple[str, _Item] | None:
        """Wait for an item whose turn it is; None once there will be none."""
        with self._changed:
            while True:
                name = self._next()
                if name is not None:
                    break
                if self._closed and not self._lines:
                    self._wake_all()
                    return None
                self._idle += 1
                self._changed.wait()
            # Taken out and put back at the end: the dictionary's order is the order of turns, so
            # that a collection with a thousand requests in its line delays each other one by one of
            # them at most.
            line = self._lines.pop(name)
            item = line.popleft()
            if line:
                self._lines[name] = line  # behind the others
            self._busy[name] += 1
            return name, item

    def _next(self) -> str | None:
        """Return the first collection in turn that may have a thread."""
        room = self._busy.total() < self._usual
        for name in self._lines:
            if room or not self._busy[name]:
                return name
        return None


class _Share(Executor):
    """That of one collection."""

    def __init__(self, shares: Shares, name: str) -> None:
        self._shares = shares
        self._name = name

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let work wait for its turn."""
        if args or kwargs:
            return self._shares.submit(self._name, lambda: work(*args, **kwargs))
        return self._shares.submit(self._name, work)


def _carry_out(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        found = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(found)
