"""Opening again what a passing cause kept closed: tried while there is something, and no longer."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from palimpsest.index.errors import (
    Damaged,
    DiskFailed,
    OutOfDescriptors,
    StorageFull,
    UnknownFormat,
)
from palimpsest.index.upkeep import reopening
from palimpsest.index.upkeep.reopening import Reopening, may_pass

MINUTE = 60


def test_what_may_pass_without_a_file_being_touched() -> None:
    assert may_pass(OutOfDescriptors("x")) and may_pass(DiskFailed("x"))
    for error in (
        Damaged(Path("/s"), 1, 2, "length"),
        UnknownFormat(Path("/s"), 99, 7),
        StorageFull("x"),
    ):
        assert not may_pass(error)


def test_names_are_tried_until_none_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reopening, "_FIRST", 0.001)
    closed, tried, opened = ["色", "ж"], list[str](), threading.Event()

    def reopen(name: str) -> None:
        tried.append(name)
        if tried.count(name) == 3:  # the third try succeeds
            closed.remove(name)
        if not closed:
            opened.set()

    own = Reopening(lambda: list(closed), reopen)
    own.start()
    assert not opened.wait(0.05) and tried == [], "nothing is tried that nobody wants"
    own.want()
    assert opened.wait(MINUTE)
    own.stop()
    own._thread.join(MINUTE)
    assert not own._thread.is_alive()
    assert {name: tried.count(name) for name in tried} == {"色": 3, "ж": 3}


def test_one_that_never_had_to_try_ends_too() -> None:
    own = Reopening(lambda: ["x"], lambda name: None)
    own.start()
    own.stop()
    own._thread.join(MINUTE)
    assert not own._thread.is_alive()
