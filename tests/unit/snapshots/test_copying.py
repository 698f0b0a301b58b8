"""A snapshot tells how far it is: from nothing to all, never back."""

from __future__ import annotations

import pytest

from palimpsest.index import Database
from palimpsest.index.snapshots.copying import Copying
from tests.unit.snapshots.conftest import NAME, fill


def test_shares_go_up_to_one_whatever_was_guessed() -> None:
    noted: list[float] = []
    disk = {"vectors": 100, "payloads": 50, "free": 10_000, "wal": 10_000}
    copying = Copying(disk, lambda _: None, noted.append)
    for _ in range(100):
        copying.went(10)
    assert noted == sorted(noted) and noted[0] == 0.025 and noted[-1] == 1.0
    assert noted[19] == pytest.approx(0.5)
    empty = Copying({}, lambda _: None, noted.append)
    empty.went(1)
    assert noted[-1] == 1.0


def test_a_job_shows_it_while_it_is_made_and_read_back(database: Database) -> None:
    fill(database)
    collection, seen = database.get(NAME), list[float]()
    go_on = database.snapshots._go_on

    def look(nbytes: int) -> None:
        go_on(nbytes)
        seen.extend(one.progress for one in collection.jobs() if one.kind == "snapshot")

    database.snapshots._go_on = look  # type: ignore[method-assign]
    database.snapshots.create(NAME)
    assert seen == sorted(seen) and len({*seen}) > 3
    assert seen[-1] > 0.7, "reading it back counts"
