"""A server may be started with a snapshot: it is there before the first request, or it says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.app.settings import Misconfigured, Settings
from palimpsest.app.snapshots.at_start import restore_at_start
from palimpsest.index import CreateAlias, Database, InvalidSnapshot
from tests.points import config_of
from tests.unit.snapshots.conftest import NAME, fill


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A snapshot of a collection, and one of all."""
    with Database.open(tmp_path_factory.mktemp("data"), threads=1) as database:
        fill(database)
        database.change_aliases([CreateAlias("called", NAME)])
        one, whole = database.snapshots.create(NAME), database.snapshots.create_whole()
        shelf = database.snapshots.shelf
        return shelf.find(NAME, one.name), shelf.find(None, whole.name)


@pytest.mark.parametrize("which", [0, 1])
def test_it_is_restored_once(which: int, files: tuple[Path, Path], tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, storage_snapshot=files[which])
    restore_at_start(settings)
    with pytest.raises(Misconfigured, match="storage-snapshot.*--force-snapshot"):
        restore_at_start(settings)
    with Database.open(tmp_path, threads=1) as database:
        assert database.get("called" if which else NAME).count() == 297
        database.drop(NAME)
        database.create(NAME, config_of(3))
    restore_at_start(settings.model_copy(update={"force_snapshot": True}))
    with Database.open(tmp_path, threads=1) as database:
        assert database.get(NAME).count() == 297


def test_without_one_nothing_is_touched(tmp_path: Path) -> None:
    restore_at_start(Settings(data=tmp_path / "data"))
    assert not (tmp_path / "data").exists()
    with pytest.raises(InvalidSnapshot, match="expected a file"):
        restore_at_start(Settings(data=tmp_path / "data", storage_snapshot=tmp_path / "none"))
