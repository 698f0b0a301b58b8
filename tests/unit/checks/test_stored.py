"""A store read consistently: as of one commit, in use or at rest, and nothing of it changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from palimpsest.index.checks import stored as module
from palimpsest.index.checks.stored import Stored, opened
from palimpsest.index.errors import Damaged
from palimpsest.index.storage.verify import log_of
from tests.unit.doctor.making import batch, copied
from tests.unit.doctor.making import opened as alone


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return copied(tmp_path / "data", sealed=1_000, staged=4) / "store.sqlite3"


def listing(stored: Stored) -> tuple[int, int, int]:
    with stored.snapshot():
        found = stored.listing()
    assert found.folders == {one.name for one in found.segments} | {
        one.folder for one in found.fields if one.folder
    }
    return found.position.points, len(found.segments), found.format


def files(path: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in path.parent.iterdir() if p.is_file()}


def test_a_store_at_rest_is_left_as_it_lies_there(path: Path) -> None:
    before = files(path)
    with opened(path, in_use=False) as stored:
        assert listing(stored)[:2] == (1_002, 2) and stored.has("points") and not stored.has("ж")
        with stored.snapshot():
            assert stored.reach() is not None
    assert files(path) == before


@pytest.mark.parametrize("frozen", [False, True])
def test_commits_in_a_log_are_read_and_stay_there(
    path: Path, frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone(path.parent) as collection:
        collection.upsert(batch(range(5_000, 5_003), 9)).result()
        before = log_of(path).read_bytes()
        if frozen:
            monkeypatch.setattr(module, "takes_no_writes", lambda folder: True)
        with opened(path, in_use=not frozen) as stored:
            assert listing(stored)[0] == 1_005
        assert log_of(path).read_bytes() == before
    assert not [name for name in os.listdir(path.parent) if name.endswith("-shm")]


def test_a_snapshot_is_of_one_commit_and_the_version_tells_of_others(path: Path) -> None:
    with alone(path.parent) as collection, opened(path, in_use=True) as stored:
        with stored.snapshot():
            version, points = stored.version(), stored.listing().position.points
            collection.delete([1, 2]).result()
            assert stored.listing().position.points == points
        with stored.snapshot():
            assert stored.version() != version
            assert stored.listing().position.points == points - 2


def test_what_goes_wrong_in_a_snapshot_is_told_and_ends_it(path: Path) -> None:
    with opened(path, in_use=False) as stored:
        with pytest.raises(Damaged), stored.snapshot() as own:
            own.execute("SELECT * FROM no_such_table")
        with pytest.raises(RuntimeError), stored.snapshot():
            raise RuntimeError
        assert listing(stored)[0] == 1_002
