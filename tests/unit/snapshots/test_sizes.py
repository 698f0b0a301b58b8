"""Bytes of snapshots: of each collection, of all others together, also when files change."""

from __future__ import annotations

import os
from pathlib import Path

from palimpsest.index import Database
from palimpsest.index.snapshots.shelf import Shelf
from palimpsest.index.snapshots.sizes import Sizes
from palimpsest.index.storage.local import Local
from tests.points import config_of


def test_all_that_lies_on_the_shelf_is_told_once(database: Database) -> None:
    assert database.snapshots.sizes.by_collection(["é"]) == {"é": 0, None: 0}
    for name in ("é", "gone"):
        database.create(name, config_of(3))
        database.snapshots.create(name)
    database.snapshots.create("é")
    database.snapshots.create_whole()
    database.drop("gone")
    root = database.snapshots.shelf.folder.path
    (root / "é" / "a.snapshot.tmp").write_bytes(b"not whole yet")
    found = database.snapshots.sizes.by_collection(["é"])
    whole = {path: path.stat().st_size for path in root.rglob("*.snapshot*")}
    of_one = sum(n for path, n in whole.items() if path.parent.name == "é") - len("not whole yet")
    assert found == {"é": of_one, None: sum(whole.values()) - of_one - len("not whole yet")}
    assert sum(found.values()) > 4 * 10_000


def test_a_folder_is_listed_again_only_once_it_changed(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "a.snapshot").write_bytes(bytes(10))
    own = Sizes(Shelf(Local(tmp_path)))
    assert own.by_collection(["c"])["c"] == 10
    (folder / "b.snapshot").write_bytes(bytes(5))
    assert own.by_collection(["c"])["c"] == 15, "within the resolution of the clock"
    os.utime(folder, (1, 1))
    assert own.by_collection(["c"])["c"] == 15
    (folder / "a.snapshot").write_bytes(bytes(70))  # nobody writes to one: it is not looked at
    assert own.by_collection(["c"])["c"] == 15
    (folder / "a.snapshot").unlink()
    assert own.by_collection(["c"])["c"] == 5
