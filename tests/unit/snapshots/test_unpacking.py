"""What is unpacked is what was announced, within its bounds."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from palimpsest.index import Damaged, InvalidInput, StorageFull
from palimpsest.index.snapshots.archive import END, ArchiveReader, member
from palimpsest.index.snapshots.manifest import MANIFEST, STORE, Kept, Manifest
from palimpsest.index.snapshots.unpacking import Bounds, free_bytes, unpack, verify
from palimpsest.index.storage.local import Local

TEXTS = {STORE: b"store", "segments/a/b.npy": b"x" * 1_000, "fields/f/segment.json": b""}
BOUNDS = Bounds(10_000, lambda: 10_000)


def manifest_of(texts: dict[str, bytes]) -> Manifest:
    files = [Kept(place, len(text), zlib.crc32(text)) for place, text in texts.items()]
    return Manifest("1", "c", 9, 7, 0, "", {}, tuple(files))


def archive(manifest: Manifest, texts: Sequence[tuple[str, bytes]], time: int = 9) -> ArchiveReader:
    members = [(MANIFEST, manifest.to_bytes()), *texts]
    return ArchiveReader(
        Path("x"), [piece for name, text in members for piece in member(name, time, text)] + [END]
    )


def test_files_come_where_they_belong(tmp_path: Path) -> None:
    manifest = manifest_of(TEXTS)
    folder = Local(tmp_path / "c")
    assert unpack(archive(manifest, [*TEXTS.items()]), folder, BOUNDS) == manifest
    for place, text in TEXTS.items():
        assert (folder.path / place).read_bytes() == text
    assert folder.list() == ["adapters", "fields", "segments", STORE]
    assert verify(archive(manifest, [*TEXTS.items()]), lambda _: None) == manifest


@pytest.mark.parametrize(
    "texts",
    [
        [*TEXTS.items()][:-1],
        [*TEXTS.items(), (STORE, b"store")],
        [*TEXTS.items()][::-1],
        [(STORE, b"other"), *[*TEXTS.items()][1:]],
        [(STORE, b"store"), ("../../evil", b"x" * 1_000), ("fields/f/segment.json", b"")],
    ],
)
def test_other_members_than_were_announced(texts: list[tuple[str, bytes]], tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        unpack(archive(manifest_of(TEXTS), texts), Local(tmp_path / "c"), BOUNDS)
    with pytest.raises(Damaged):
        verify(archive(manifest_of(TEXTS), texts), lambda _: None)
    assert not (tmp_path.parent / "evil").exists()


def test_members_of_another_time(tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        unpack(archive(manifest_of(TEXTS), [*TEXTS.items()], 8), Local(tmp_path / "c"), BOUNDS)


def test_bounds_are_kept_before_anything_is_written(tmp_path: Path) -> None:
    many = replace(manifest_of(TEXTS), files=(*manifest_of(TEXTS).files, Kept("a", 1 << 50, 1)))
    huge = archive(many, [*TEXTS.items()])
    with pytest.raises(Damaged):  # the place of the file
        unpack(huge, Local(tmp_path / "c"), BOUNDS)
    manifest = manifest_of(TEXTS)
    for bounds, error in ((Bounds(1_004, lambda: 9_999), InvalidInput),) + (
        (Bounds(9_999, lambda: 1_004), StorageFull),
    ):
        with pytest.raises(error):
            unpack(archive(manifest, [*TEXTS.items()]), Local(tmp_path / "c"), bounds)
    assert not (tmp_path / "c").exists()
    assert free_bytes(tmp_path) > 0
