from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Collection

import pytest

from palimpsest.index.upkeep import background
from palimpsest.index.upkeep.background import _LATER, Background, Delays, _Worker
from palimpsest.index.upkeep.due import Due
from palimpsest.index.upkeep.upkeep import Upkeep
from tests.conftest import OpenCollection
from tests.points import config_of

MINUTE = 60


class SetTooLate(threading.Event):
    """Is set, and all are woken, just after a wait for it has ended without it."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__()
        self._wake = wake

    def wait(self, timeout: float | None = None) -> bool:
        was_set = self.is_set()
        self.set()
        self._wake()
        return was_set


def test_a_worker_asked_to_stop_before_it_looks_does_not_sleep_for_good() -> None:
    worker = _Worker("test", SetTooLate(lambda: worker.woken.set()), lambda _: {}, _LATER)
    worker.start()
    worker.join(MINUTE)
    assert not worker.is_alive()


def test_a_worker_goes_on_after_a_look_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_RETRY_SECONDS", 0.0)
    stopped, looks = threading.Event(), list[list[str]]()

    def look(names: Collection[str]) -> Delays:
        looks.append([*names])
        if len(looks) == 1:
            raise RuntimeError("no")
        stopped.set()
        worker.woken.set()
        return {}

    worker = _Worker("test", stopped, look, _LATER)
    worker.wake("one")
    worker.start()
    worker.join(MINUTE)
    assert looks == [["one"], ["one"]]


def test_a_collection_is_looked_at_when_it_changed_and_when_its_time_has_come() -> None:
    stopped, looks = threading.Event(), list[set[str]]()

    def look(names: Collection[str]) -> Delays:
        looks.append({*names})
        if len(looks) == 3:
            stopped.set()
            worker.woken.set()
        if len(looks) == 2:
            worker.wake("changed")
        return {"due": 0.0, "later": 1e6} if len(looks) == 1 else {}

    worker = _Worker("test", stopped, look, _LATER)
    for name in ("due", "later", "nothing to do"):
        worker.wake(name)
    worker.start()
    worker.join(MINUTE)
    assert looks == [{"due", "later", "nothing to do"}, {"due"}, {"changed"}]


@pytest.mark.parametrize("seconds", [1e10, 1e308, float("inf")])
def test_a_worker_outlives_a_wait_that_no_clock_can_hold(seconds: float) -> None:
    stopped, looks = threading.Event(), threading.Semaphore(0)

    def look(_: Collection[str]) -> Delays:
        looks.release()
        return {"one": seconds}

    worker = _Worker("test", stopped, look, _LATER)
    worker.start()
    for _ in range(2):
        assert looks.acquire(timeout=MINUTE)
        worker.woken.set()
    stopped.set()
    worker.woken.set()
    worker.join(MINUTE)
    assert not worker.is_alive()


def test_one_failing_upkeep_does_not_stop_the_others(collection_of: OpenCollection) -> None:
    first, second = (collection_of(config_of(4)).upkeep for _ in range(2))
    seen: list[Due] = []

    def delay(due: Due) -> float | None:
        seen.append(due)
        if due is first.due and len(seen) == 1:
            raise RuntimeError("no")
        return None

    work = Background(lambda: {"a": first, "b": second})
    work._look(["a", "b", "gone"], "seal", delay, Upkeep.seal)
    assert seen == [first.due, second.due]
    assert "no" in (first.last_error or "")
    assert second.last_error is None
    work._look(["a", "b", "gone"], "seal", delay, Upkeep.seal)
    assert first.last_error is None


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_a_priority_that_may_not_be_set_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refuse(_which: int, _who: int, priority: int) -> None:
        asked.append(priority)
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    monkeypatch.setattr(os, "getpriority", lambda *_: 15)
    background._lower_priority(10)
    assert asked == [15]


def test_merging_looks_now_and_then_whether_any_collection_waits_for_its_thread(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = collection_of(config_of(4)), collection_of(config_of(4))
    looks = list[int]()

    def delay(own: Due) -> float | None:
        looks.append(1)
        return due.get(own)

    due: dict[Due, float | None] = {one.upkeep.due: 5.0}
    monkeypatch.setattr(Due, "compact_delay", delay)
    work = Background(lambda: {"a": one.upkeep, "b": other.upkeep})
    is_wanted = background._Wanted(work._due)
    assert not is_wanted()
    due[other.upkeep.due] = 0
    assert not is_wanted()
    assert len(looks) == 2
    monkeypatch.setattr(background, "_LOOK_SECONDS", 0.0)
    is_wanted = background._Wanted(work._due)
    assert is_wanted()
    due.clear()
    assert is_wanted()  # until the merge has ended
    assert not background._Wanted(work._due)()
