"""Snapshots are made when they are due, and only those that were made so are deleted."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from palimpsest.index import CollectionNotFound, Database, SnapshotInfo, SnapshotPlan, StoreFailed
from palimpsest.index.snapshots.schedule import NEVER, Schedule
from palimpsest.index.snapshots.shelf import Shelf
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reserve import anything
from tests.unit.snapshots.conftest import NAME, fill

HOUR = 3_600


class Makes:
    """Makes snapshots of nothing, or fails."""

    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf(Local(folder))
        self.error: Exception | None = None
        self.made = 0

    def create(self, name: str, *, scheduled: bool = False) -> SnapshotInfo:
        if self.error is not None:
            raise self.error
        self.made += 1
        return self.shelf.keep(
            name, [b"x"], lambda: "0" * 64, lambda _: None, anything, scheduled=scheduled
        )

    def age(self, hours: float) -> None:
        for path in self.shelf.folder.path.rglob("*.snapshot"):
            then = path.stat().st_mtime - hours * HOUR
            os.utime(path, (then, then))


def test_one_is_made_when_the_last_is_old_enough(tmp_path: Path) -> None:
    makes = Makes(tmp_path)
    by_hand = makes.create("c").name
    schedule = Schedule(makes, lambda: ["c", "d"], SnapshotPlan(24, 2))
    schedule.look()
    schedule.look()
    assert makes.made == 3  # one of each beside the first
    for _ in range(3):
        makes.age(25)
        schedule.look()
    assert makes.made == 9
    assert len(makes.shelf.list("c")) == 3 and len(makes.shelf.list("d")) == 2
    assert makes.shelf.find("c", by_hand)


@pytest.mark.parametrize("error", [StoreFailed("no"), CollectionNotFound("c")])
def test_one_that_fails_is_tried_again_later(error: Exception, tmp_path: Path) -> None:
    makes = Makes(tmp_path)
    makes.error = error
    schedule = Schedule(makes, lambda: ["c"], SnapshotPlan(1, 1))
    schedule.look()
    assert schedule.due("c", time.time()) is isinstance(error, CollectionNotFound)


def test_a_thread_makes_them(tmp_path: Path) -> None:
    with Database.open(tmp_path, threads=1, snapshots=SnapshotPlan(1e-9, 2)) as database:
        fill(database)
        until = time.monotonic() + 30
        while database.snapshots.stats().get(NAME) is None or (
            database.snapshots.stats()[NAME].made < 4
        ):
            assert time.monotonic() < until
            time.sleep(0.05)
    assert len(Shelf(Local(tmp_path / "snapshots")).list(NAME)) in (2, 3)


def test_never_is_never(tmp_path: Path) -> None:
    schedule = Schedule(Makes(tmp_path), lambda: ["c"], NEVER)
    schedule.start()
    schedule.stop()
