"""What no table lists is set aside, where a power loss does not take it."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index.storage.local import Local
from palimpsest.index.storage.tidying import LOST, SEGMENTS, place_for, tidy


@pytest.fixture
def folder(tmp_path: Path) -> Local:
    for name in ("listed", "old", "half.tmp", "unknown"):
        (tmp_path / SEGMENTS / name).mkdir(parents=True)
    return Local(tmp_path)


def test_useless_folders_are_deleted_and_others_set_aside(folder: Local) -> None:
    tidy(folder / SEGMENTS, {"listed"}, {"old"})
    assert (folder / SEGMENTS).list() == ["listed"]
    assert (folder / LOST).list() == ["segments-unknown"]


def test_the_folder_of_what_is_lost_is_durable_once_it_is_there(
    folder: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(Local, "sync", lambda self: synced.append(self.path))
    lost, name = place_for(folder, "store")
    assert (lost.path, name) == (folder.path / LOST, "store") and synced == [folder.path]
    (lost / "store").create()
    assert place_for(folder, "store")[1] == "store.1" and len(synced) == 1
