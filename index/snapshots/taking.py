"""Takes a snapshot of one collection, beside everything that is written to it.

Inside the writer's thread, between two transactions, a read of the store begins and every folder
that it lists gets a lease: the work of a millisecond, and the only one that a write may wait for.
Then the store is copied inside that read, and the folders, which never change, are read under their
leases straight into the archive: links to them would keep nothing that leases do not, and a copy
beside the archive would take its room again. What is read is held against its checksums.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from palimpsest.index.checks.folders import folders_of
from palimpsest.index.checks.stored import Listing, Stored
from palimpsest.index.errors import Damaged, StoreFailed
from palimpsest.index.snapshots.archive import (
    END,
    GoOn,
    header_of,
    member,
    member_size,
    padding,
)
from palimpsest.index.snapshots.manifest import MANIFEST, STORE, Kept, Manifest
from palimpsest.index.snapshots.store_copy import copy_store
from palimpsest.index.storage.causes import disk_errors, unreadable
from palimpsest.index.storage.directory import checksum_of
from palimpsest.index.storage.files import DESCRIPTION
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.schema import connect_reading, store_errors
from palimpsest.index.write.writer import Writer


@dataclass(frozen=True, slots=True)
class Taken:
    """What a collection held at one commit, and where its files can be read meanwhile."""

    manifest: Manifest
    folder: Local  # of the collection
    copied: Local  # where the copy of its store is
    go_on: GoOn  # told of bytes that were copied, written, or read back

    @property
    def nbytes(self) -> int:
        """Bytes of the archive."""
        files = sum(member_size(one.nbytes) for one in self.manifest.files)
        return member_size(len(self.manifest.to_bytes())) + files + len(END)

    def archive(self) -> Iterator[bytes]:
        """Yield the archive. Raises Damaged for a file that is not what was written."""
        created = self.manifest.created
        yield from member(MANIFEST, created, self.manifest.to_bytes())
        for one in self.manifest.files:
            yield header_of(one.place, one.nbytes, created)
            yield from self._content(one)
            yield padding(one.nbytes)
        yield END

    def _content(self, one: Kept) -> Iterator[bytes]:
        parent, _, name = one.place.rpartition("/")
        folder = Local(self.folder.path / parent) if parent else self.copied
        length = checksum = 0
        try:
            for piece in folder.pieces(name):
                checksum = zlib.crc32(piece, checksum)
                length += len(piece)
                if length <= one.nbytes:
                    yield piece
                self.go_on(len(piece))
        except OSError as error:
            raise unreadable(folder.path / name, error) from error
        # Before the archive ends, and with it before it gets its name.
        for what, expected, found in (
            ("length", one.nbytes, length),
            ("checksum", one.checksum, checksum),
        ):
            if expected != found:
                raise Damaged(folder.path / name, expected, found, what)


@contextmanager
def take(
    name: str, folder: Path, writer: Writer, release: str, aside: Local, go_on: GoOn
) -> Iterator[Taken]:
    """Hold a collection as of one commit for the time of a block.

    Args:
        name: of the collection.
        folder: of its files.
        writer: of it.
        release: that takes it.
        aside: an empty folder for the copy of its store.
        go_on: told of what was copied.

    Raises:
        CollectionNotFound: it was closed.
        StorageError: it could not be read, or the copy not be written.
    """
    path = folder / STORE
    with ExitStack() as held, store_errors(path):
        own = held.enter_context(closing(connect_reading(path)))
        stored, files = Stored(path, own), Local(folder)

        def pin() -> Listing:
            own.execute("BEGIN")
            listing = stored.listing()
            # While no other transaction runs: what it lists cannot be replaced before it is held.
            for kind, one in folders_of(listing):
                held.callback(writer.leases.take(files / kind / one).release)
            return listing

        listing = writer.call(pin).result()
        copy_store(own, aside, STORE, go_on)
        own.execute("ROLLBACK")  # from here on the log may be moved and emptied again
        with disk_errors(f"read {aside.path / STORE}"):
            length, checksum = checksum_of(aside.pieces(STORE))
        go_on(length)
        if listing.reach is None:
            raise StoreFailed(f"{path} does not say how far it reaches")  # none of this format
        manifest = Manifest(
            release,
            name,
            int(time.time()),
            listing.format,
            listing.position.points,
            listing.reach.to_json(),
            listing.config,
            (Kept(STORE, length, checksum), *files_of(listing, files)),
        )
        yield Taken(manifest, files, aside, go_on)


def files_of(listing: Listing, files: Local) -> Iterator[Kept]:
    """Yield the files of all folders by their descriptions, whose checksums the store lists.

    Raises:
        Damaged: a description is missing, or is not the one that the store lists.
    """
    for (kind, name), checksum in sorted(folders_of(listing).items()):
        folder = files / kind / name
        path = folder.path / DESCRIPTION
        try:
            text = folder.read(DESCRIPTION)
        except OSError as error:
            raise unreadable(path, error) from error
        if zlib.crc32(text) != checksum:
            raise Damaged(path, checksum, zlib.crc32(text), "checksum")
        place = f"{kind}/{name}"
        yield Kept(f"{place}/{DESCRIPTION}", len(text), checksum)
        for one, said in sorted(json.loads(text)["files"].items()):
            yield Kept(f"{place}/{one}", said["bytes"], said["crc32"])
