"""Snapshots without a server: whether one is whole, and back into a data directory.

To verify is to unpack, beside no data, and to check as before a restore. To restore is to open the
data directory, whose lock no server may hold, and to do as the server does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from palimpsest.index.database import Database
from palimpsest.index.errors import CollectionExists, InvalidSnapshot
from palimpsest.index.snapshots.archive import ArchiveReader
from palimpsest.index.snapshots.manifest import MANIFEST, Manifest
from palimpsest.index.snapshots.proving import prove
from palimpsest.index.snapshots.unpacking import Bounds, free_bytes, read_manifest, unpack
from palimpsest.index.snapshots.whole import read_whole
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.files import remove_folder
from palimpsest.index.storage.local import Local

_MOST = 1 << 62  # bytes: whoever runs this has the machine
Progress = Callable[[str, int], None]


def verify_snapshot(
    path: Path, aside: Path | None = None, *, progress: Progress = lambda name, nbytes: None
) -> list[Manifest]:
    """Check a snapshot as before a restore; return what it tells of each collection.

    Args:
        path: of the file.
        aside: folder with room for the largest collection, None for the system's temporary one.
        progress: called with the collection and how many bytes of it were read.

    Raises:
        Damaged: it is not what was written.
        UnknownFormat: a newer release wrote it.
        StorageError: one of its other subclasses: it could not be read, or not be unpacked.
    """
    found: list[Manifest] = []
    with disk_errors(f"read {path}"), tempfile.TemporaryDirectory(dir=aside) as temporary:
        folder = Local(Path(temporary))

        def check(archive: ArchiveReader) -> str:
            done = [0]

            def go_on(nbytes: int) -> None:
                done[0] += nbytes
                progress(path.name, done[0])

            bounds = Bounds(_MOST, lambda: free_bytes(folder.path), go_on=go_on)
            manifest = unpack(archive, folder / "c", bounds)
            prove((folder / "c").path, manifest, archive.path, go_on)
            remove_folder(folder / "c")
            found.append(manifest)
            return manifest.collection

        archive = ArchiveReader(path, Local(path.parent).pieces(path.name))
        if is_of_one(path):
            check(archive)
        else:
            read_whole(archive, check)
    return found


def restore_snapshot(
    path: Path, data: Path, release: str, collection: str | None = None, *, replaces: bool = True
) -> list[str]:
    """Put a snapshot into a data directory that no server has open; return what was restored.

    Args:
        path: of the file.
        data: the directory; made if need be.
        release: that does so.
        collection: of a snapshot of one, what it is to be called, None for what it was; of one of
            all the collection that is restored, None for all of them, and the aliases: all of
            these or none.
        replaces: whether it takes the place of collections that are there.

    Raises:
        CollectionExists: one is there, and is not to be replaced; nothing was changed.
        DirectoryLocked: a server has it open.
        InvalidSnapshot: the file is none that can be restored; nothing was changed.
        StorageError: it could not be read or written.
    """
    with disk_errors(f"read {path}"):
        of_one = is_of_one(path)
    with Database.open(data, release=release) as database:
        if of_one:
            archive = ArchiveReader(path, Local(path.parent).pieces(path.name))
            name = collection or read_manifest(archive).collection
            if not replaces and name in database.names():
                raise CollectionExists(name)
            database.snapshots.recover(name, path, most=_MOST)
            return [name]
        contents = database.snapshots.recover_whole(path, collection, _MOST, replaces=replaces)
        return list(contents.collections) if collection is None else [collection]


def is_of_one(path: Path) -> bool:
    """Tell whether a file is a snapshot of one collection. Raises InvalidSnapshot or OSError."""
    if not path.is_file():
        raise InvalidSnapshot(f"{path}: expected a file")
    archive = ArchiveReader(path, Local(path.parent).pieces(path.name))
    header = archive.header()
    return header is not None and header[0] == MANIFEST
