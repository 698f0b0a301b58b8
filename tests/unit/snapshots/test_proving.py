"""Only what is a whole collection of this program is proven, whoever made the checksums right."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from palimpsest.index import Damaged, UnknownFormat
from palimpsest.index.snapshots.archive import ArchiveReader
from palimpsest.index.snapshots.manifest import STORE, Kept, Manifest
from palimpsest.index.snapshots.proving import prove
from palimpsest.index.snapshots.unpacking import Bounds, unpack
from palimpsest.index.storage.local import Local
from tests.unit.snapshots.conftest import Shot

PATH = Path("x")


def nothing(_: int) -> None:
    return None


@pytest.fixture
def unpacked(shot: Shot, tmp_path: Path) -> tuple[Path, Manifest]:
    bounds = Bounds(1 << 30, lambda: 1 << 30)
    archive = ArchiveReader(PATH, [shot.text])
    return tmp_path / "c", unpack(archive, Local(tmp_path / "c"), bounds)


def test_what_was_unpacked_is_a_collection(unpacked: tuple[Path, Manifest]) -> None:
    folder, manifest = unpacked
    prove(folder, manifest, PATH, nothing)
    assert (folder / "store.reach").exists()


def change(statement: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        with closing(sqlite3.connect(folder / STORE, isolation_level=None)) as own:
            own.create_function("row_sum", -1, lambda *_: 0, deterministic=True)
            own.execute(statement)

    return run


def flip(place: int) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        text = bytearray((folder / STORE).read_bytes())
        text[place] ^= 1
        (folder / STORE).write_bytes(text)

    return run


def drop_a_file(folder: Path) -> None:
    next((folder / "segments").glob("*/ids.npy")).unlink()


def add_a_folder(folder: Path) -> None:
    (folder / "segments" / "more").mkdir()


@pytest.mark.parametrize(
    "harm",
    [
        change("CREATE VIEW v AS SELECT 1"),
        change("CREATE TRIGGER t AFTER INSERT ON jobs BEGIN DELETE FROM points; END"),
        change("CREATE TABLE extra (x)"),
        change("DELETE FROM points WHERE number = 5"),
        change("UPDATE points SET payload = x'7b7d' WHERE number = 5"),
        change("DELETE FROM segments"),
        change("UPDATE position SET points = 7"),
        change("UPDATE settings SET value = '{}' WHERE name = 'config'"),
        change("DELETE FROM settings WHERE name = 'config'"),
        change("UPDATE settings SET value = 99 WHERE name = 'format'"),
        change("PRAGMA journal_mode = DELETE"),
        flip(0),
        drop_a_file,
        add_a_folder,
    ],
)
def test_what_is_no_whole_collection(
    harm: Callable[[Path], None], unpacked: tuple[Path, Manifest]
) -> None:
    folder, manifest = unpacked
    harm(folder)
    (folder / "store.sqlite3-wal").unlink(missing_ok=True)
    with pytest.raises((Damaged, UnknownFormat)):
        prove(folder, manifest, PATH, nothing)


@pytest.mark.parametrize(
    "fields",
    [
        {"store_format": 6},
        {"store_format": 99},
        {"points": 3},
        {"config": {}},
        {"reach": "00"},
    ],
)
def test_a_manifest_that_tells_of_another(
    fields: dict[str, object], unpacked: tuple[Path, Manifest]
) -> None:
    folder, manifest = unpacked
    with pytest.raises((Damaged, UnknownFormat)):
        prove(folder, replace(manifest, **fields), PATH, nothing)  # type: ignore[arg-type]


def test_a_manifest_that_tells_of_more_files(unpacked: tuple[Path, Manifest]) -> None:
    folder, manifest = unpacked
    place = f"{manifest.files[1].place.rpartition('/')[0]}/more"
    (folder / place).write_bytes(b"")
    with pytest.raises(Damaged, match="list of files"):
        prove(folder, replace(manifest, files=(*manifest.files, Kept(place, 0, 0))), PATH, nothing)


def test_the_checksum_of_a_store_is_that_of_its_file(shot: Shot) -> None:
    archive = ArchiveReader(PATH, [shot.text])
    header = archive.header()
    assert header is not None
    list(archive.content(header[1]))
    name, nbytes, _ = archive.header() or ("", 0, 0)
    assert name == STORE and zlib.crc32(b"".join(archive.content(nbytes)))
