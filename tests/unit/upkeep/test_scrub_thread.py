"""The thread that scrubs: what is due, within a budget, until the server ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from palimpsest.index.errors import DiskFailed
from palimpsest.index.upkeep import scrub_thread
from palimpsest.index.upkeep.scrub import Ended
from palimpsest.index.upkeep.scrub_thread import Scrubbing

MINUTE = 60


class Counted:
    """A scrub that is always due."""

    def __init__(self, run: Callable[[Callable[[int], None]], None]) -> None:
        self.runs, self._run, self.ran = 0, run, threading.Event()

    def look(self) -> None:
        pass

    def is_due(self, days: float) -> bool:
        return True

    def due_in(self, days: float) -> float:
        return 0.0

    def run(self, wait: Callable[[int], None]) -> None:
        self.runs += 1
        try:
            self._run(wait)
        finally:
            self.ran.set()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrub_thread, "_LEAST_PAUSE", 0.001)


def started(*scrubs: Counted) -> Scrubbing:
    own = Scrubbing(lambda: scrubs, days=1.0)  # type: ignore[arg-type, return-value]
    own.start()
    return own


def test_a_scrub_that_fails_keeps_no_other_from_its_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)

    def fail(error: Exception) -> Callable[[object], None]:
        def run(wait: object) -> None:
            raise error

        return run

    scrubs = [
        Counted(fail(DiskFailed("x"))),
        Counted(fail(ValueError("y"))),
        Counted(lambda _: None),
    ]
    own = started(*scrubs)
    assert all(one.ran.wait(MINUTE) for one in scrubs)
    own.stop()
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "could not go on" in said and "A scrub failed" in said


def test_what_was_read_is_paid_for_with_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrub_thread, "_RATE", 1_000)
    took: list[float] = []

    def run(wait: Callable[[int], None]) -> None:
        start = time.monotonic()
        wait(50)
        took.append(time.monotonic() - start)

    own = started(one := Counted(run))
    assert one.ran.wait(MINUTE)
    own.stop()
    assert took[0] >= 0.05


def test_one_that_waits_ends_at_once_when_it_is_told_to() -> None:
    waiting = threading.Event()

    def run(wait: Callable[[int], None]) -> None:
        waiting.set()
        with pytest.raises(Ended):
            wait(2**60)  # for centuries
        raise Ended

    own = started(Counted(run))
    assert waiting.wait(MINUTE)
    own.stop()
    assert not own._thread.is_alive()


def test_one_that_never_began_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    Scrubbing(lambda: (), days=0.0).stop()
