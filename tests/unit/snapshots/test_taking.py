"""What is taken is one commit, though segments are replaced and points written meanwhile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Damaged, Database
from palimpsest.index.snapshots.archive import ArchiveReader
from palimpsest.index.snapshots.taking import Taken, take
from palimpsest.index.snapshots.unpacking import verify
from palimpsest.index.storage.local import Local
from tests.points import batch_of
from tests.unit.snapshots.conftest import NAME, SIZE, fill


def nothing(_: int) -> None:
    return None


def archive_of(taken: Taken) -> ArchiveReader:
    return ArchiveReader(Path("x"), taken.archive())


@pytest.fixture
def aside(tmp_path: Path) -> Local:
    (tmp_path / "aside").mkdir()
    return Local(tmp_path / "aside")


def test_folders_that_are_replaced_meanwhile_stay_until_it_is_done(
    database: Database, aside: Local
) -> None:
    fill(database)
    collection = database.get(NAME)
    segments = collection.folder / "segments"
    before = sorted(path.name for path in segments.iterdir())
    assert len(before) == 2
    with take(NAME, collection.folder, collection.writer, "1", aside, nothing) as taken:
        rows = np.ones((200, SIZE), dtype=np.float32)
        collection.upsert(batch_of(list(range(200)), rows)).result()
        collection.upkeep.seal()
        collection.upkeep.compact()
        assert collection.upkeep.last_error is None
        assert set(before) <= {path.name for path in segments.iterdir()}
        assert sum(map(len, taken.archive())) == taken.nbytes
        manifest = verify(archive_of(taken), nothing)
    assert manifest == taken.manifest
    assert manifest.points == 297 and manifest.collection == NAME and manifest.release == "1"
    collection.writer.leases.sweep()
    assert not set(before) <= {path.name for path in segments.iterdir()}


@pytest.mark.parametrize("name", ["segment.json", "ids.npy"])
def test_a_file_that_is_damaged_is_named(name: str, database: Database, aside: Local) -> None:
    fill(database)
    collection = database.get(NAME)
    file = next((collection.folder / "segments").glob(f"*/{name}"))
    text = bytearray(file.read_bytes())
    text[-3] ^= 8
    file.write_bytes(text)
    with pytest.raises(Damaged, match=name):
        with take(NAME, collection.folder, collection.writer, "1", aside, nothing) as taken:
            list(taken.archive())


def test_it_can_be_ended(database: Database, aside: Local) -> None:
    fill(database)
    collection = database.get(NAME)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        with take(NAME, collection.folder, collection.writer, "1", aside, stop):
            pass
    assert collection.count() == 297
