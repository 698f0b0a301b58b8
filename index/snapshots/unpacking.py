"""Brings the files of an archive into a folder of a collection to be, each as its manifest says.

Nothing is taken from an archive but what was announced: which files, in which order, of which
length. So it can neither write elsewhere nor more than it may, and every byte of it is checked.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from palimpsest.index.errors import InvalidInput, StorageFull
from palimpsest.index.snapshots.archive import ArchiveReader, GoOn
from palimpsest.index.snapshots.manifest import MANIFEST, MAX_BYTES, Kept, Manifest, damaged
from palimpsest.index.snapshots.manifest import read_manifest as parse_manifest
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reserve import Admitted, anything
from palimpsest.index.storage.tidying import ADAPTERS, FIELDS, SEGMENTS


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of what is unpacked: its bytes, the room on the disk, and whoever may end or refuse it."""

    nbytes: int
    free: Callable[[], int]  # bytes that may be taken of the disk
    admitted: Admitted = anything
    go_on: GoOn = lambda _: None
    wanted: Callable[[Manifest], None] = lambda _: None  # raises before anything is written


def read_manifest(archive: ArchiveReader) -> Manifest:
    """Read the manifest at the beginning of an archive. Raises Damaged or UnknownFormat."""
    header = archive.header()
    if header is None or header[0] != MANIFEST or header[1] > MAX_BYTES:
        raise damaged(archive.path, MANIFEST, repr(header)[:80], "first member")
    manifest = parse_manifest(b"".join(archive.content(header[1])), archive.path)
    if header[2] != manifest.created:
        raise damaged(archive.path, manifest.created, header[2], "time of the first member")
    return manifest


def unpack(archive: ArchiveReader, folder: Local, bounds: Bounds) -> Manifest:
    """Write a collection's files into a folder that is not there yet; synced on return.

    Raises:
        Damaged: the archive is not what was written.
        UnknownFormat: a newer release wrote it.
        InvalidInput: it is larger than it may be.
        StorageFull: there is no room for it.
    """
    manifest = read_manifest(archive)
    bounds.wanted(manifest)
    if manifest.nbytes > bounds.nbytes:
        raise InvalidInput(
            f"the snapshot holds {manifest.nbytes} bytes, expected at most {bounds.nbytes}: raise "
            "the limit"
        )
    free = bounds.free()
    if manifest.nbytes > free:
        raise StorageFull(
            f"No space left to unpack {archive.path}: it takes {manifest.nbytes} bytes, and {free} "
            "are free: free some"
        )
    with disk_errors(f"unpack {archive.path}"):
        _write(archive, folder, manifest, bounds)
    if archive.header() is not None:
        raise damaged(archive.path, "its end", "another member", "archive")
    return manifest


def verify(archive: ArchiveReader, go_on: GoOn) -> Manifest:
    """Read an archive to its end, and hold every file against its manifest; nothing is written.

    Raises:
        Damaged: the archive is not what was written.
        UnknownFormat: a newer release wrote it.
    """
    manifest = read_manifest(archive)
    for one in manifest.files:
        for piece in _checked(archive, one, manifest.created):
            go_on(len(piece))
    if archive.header() is not None:
        raise damaged(archive.path, "its end", "another member", "archive")
    return manifest


def _write(archive: ArchiveReader, folder: Local, manifest: Manifest, bounds: Bounds) -> None:
    folder.create()
    parents = [folder / kind for kind in (SEGMENTS, FIELDS, ADAPTERS)]
    parents += [folder / kind / name for kind, name in sorted(manifest.folders())]
    for parent in parents:
        parent.create()
    for one in manifest.files:
        below, _, name = one.place.rpartition("/")
        pieces = _noted(_checked(archive, one, manifest.created), bounds)
        Local(folder.path / below).write(name, pieces, bounds.admitted, steady=True)
    for parent in (*parents, folder):
        parent.sync()


def _noted(pieces: Iterator[bytes], bounds: Bounds) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        bounds.go_on(len(piece))


def _checked(archive: ArchiveReader, one: Kept, created: int) -> Iterator[bytes]:
    archive.require_header(one.place, one.nbytes, created)
    checksum = 0
    for piece in archive.content(one.nbytes):
        checksum = zlib.crc32(piece, checksum)
        yield piece
    if checksum != one.checksum:
        raise damaged(archive.path, one.checksum, checksum, f"checksum of {one.place}")


def free_bytes(folder: Path) -> int:
    """Return the bytes that users without privileges may take of a folder's disk."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
