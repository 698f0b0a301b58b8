"""The snapshots of a data directory: made, kept, listed, and put in place of its collections.

One is made or restored at a time, so that what they take of disk and memory is bounded. What is
under way lies in ``unfinished/``, or under a temporary name, and is gone after a kill.
"""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from palimpsest.index.collection import Collection
from palimpsest.index.config.names import MAX_COLLECTION_NAME, check_name
from palimpsest.index.errors import (
    CollectionExists,
    CollectionNotFound,
    Damaged,
    InvalidSnapshot,
    SnapshotNotFound,
    StorageError,
    StoreFailed,
    UnknownFormat,
)
from palimpsest.index.snapshots.archive import ArchiveReader, GoOn
from palimpsest.index.snapshots.incoming import Incoming
from palimpsest.index.snapshots.manifest import Manifest
from palimpsest.index.snapshots.proving import prove
from palimpsest.index.snapshots.shelf import Shelf, SnapshotInfo
from palimpsest.index.snapshots.sizes import Sizes
from palimpsest.index.snapshots.unpacking import Bounds, free_bytes, unpack, verify
from palimpsest.index.snapshots.whole import Contents, ending, one_of_many, read_whole
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.files import remove_folder
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reserve import Reserve

DEFAULT_MAX_BYTES = 1 << 40  # of a snapshot that comes from elsewhere


@dataclass(frozen=True, slots=True)
class SnapshotStats:
    """What became of the snapshots of one collection; times in seconds since the epoch."""

    made: int = 0
    failed: int = 0
    last: float = 0.0  # when the last one was made, 0 for never
    verified: float = 0.0  # when one was last read back whole
    seconds: float = 0.0  # that the last one took
    nbytes: int = 0  # of the last one


@dataclass(frozen=True, slots=True)
class SnapshotHost:
    """What a database lends: its collections, and the one way to put others in their places.

    ``place`` takes folders that are whole by the names of their collections, of which all or none
    are put in place, and aliases to make after it; ``try_out`` opens and closes such a folder.
    """

    find: Callable[[str], Collection]
    names: Callable[[], list[str]]
    aliases: Callable[[], Mapping[str, str]]
    try_out: Callable[[str, Path], None]
    place: Callable[[Mapping[str, Path], Mapping[str, str]], None]


class Snapshots:
    """Of one open data directory; any thread may call."""

    def __init__(self, data: Path, reserve: Reserve, host: SnapshotHost, release: str) -> None:
        self.shelf = Shelf(Local(data / "snapshots"))
        self._unfinished = Local(data / "unfinished")
        self._reserve, self._host, self._release = reserve, host, release
        self._one = threading.Lock()  # is made or restored at a time
        self._stopped = False
        self._coming: set[Incoming] = set()
        self._stats: dict[str | None, SnapshotStats] = {}
        self.sizes = Sizes(self.shelf)

    def stop(self) -> None:
        """End what is under way soon, and refuse what comes later."""
        self._stopped = True
        for file in self._coming.copy():
            file.stop()

    def stats(self) -> dict[str | None, SnapshotStats]:
        """Return what became of snapshots, by collection, None for those of all."""
        return self._stats.copy()

    def known(self, names: Iterable[str]) -> None:
        """Begin to tell of the snapshots of collections, with the last that each has."""
        for name in (None, *names):
            if name not in self._stats:
                kept = self.shelf.list(name)
                last = kept[-1] if kept else SnapshotInfo("", 0.0, 0, None)
                begun = SnapshotStats(0, 0, last.created, last.created, 0.0, last.nbytes)
                self._stats.setdefault(name, begun)

    def create(self, name: str, *, scheduled: bool = False) -> SnapshotInfo:
        """Make a snapshot of a collection; it was read back, and is on disk, on return.

        Raises:
            CollectionNotFound: there is none of that name.
            Damaged: a file of it is not what was written.
            StorageError: one of its other subclasses: it could not be read or written.
        """
        collection = self._host.find(name)
        own = collection.name

        def write() -> SnapshotInfo:
            with (
                self._aside() as aside,
                collection.snapshot(self._release, aside, self._go_on) as taken,
            ):
                return self._keep(own, taken.archive(), scheduled=scheduled, go_on=taken.go_on)

        def write_unless_dropped() -> SnapshotInfo:
            try:
                return write()
            except StorageError:
                # whose files went while they were read: no fault of the disk
                if self._host.find(own).writer is not collection.writer:
                    raise CollectionNotFound(own) from None
                raise

        return self._counted(own, write_unless_dropped)

    def create_whole(self, *, scheduled: bool = False) -> SnapshotInfo:
        """Make a snapshot of all collections and aliases. Raises as ``create``.

        Each collection is held as of one commit; one that is dropped meanwhile may be left out.
        """
        parts = self._whole()
        return self._counted(None, lambda: self._keep(None, parts, scheduled=scheduled))

    def recover(
        self, name: str, path: Path, checksum: str | None = None, most: int = DEFAULT_MAX_BYTES
    ) -> None:
        """Put what a snapshot holds in the place of a collection, or create it.

        Nothing is changed unless all of the file was found right. Reads that run see the old
        collection, later ones the new.

        Args:
            name: of the collection; it may be another than the snapshot is of.
            path: of the snapshot: a regular file.
            checksum: SHA-256 that it has to have, None for any.
            most: bytes that may be unpacked.

        Raises:
            InvalidSnapshot: the file is none that can be restored.
            SnapshotNotFound: it is not there any more.
            InvalidInput: the name cannot be that of a collection, or the snapshot is too large.
            StorageFull: there is no room to unpack it.
        """
        check_name(name, "collection", MAX_COLLECTION_NAME)  # before gigabytes are unpacked
        with self._alone(), self._aside() as aside:
            digest = hashlib.sha256()
            with _told(path):
                pieces = _summed(self._pieces(path), digest.update)
                archive = ArchiveReader(Path(path.name), pieces)
                self._stage(name, archive, aside / "c", most)
            if checksum is not None and digest.hexdigest() != checksum.lower():
                raise InvalidSnapshot(
                    f"Snapshot checksum mismatch: expected {checksum:.80}, got {digest.hexdigest()}"
                )
            self._host.place({name: (aside / "c").path}, {})

    def recover_whole(
        self,
        path: Path,
        only: str | None = None,
        most: int = DEFAULT_MAX_BYTES,
        *,
        replaces: bool = True,
    ) -> Contents:
        """Put every collection of a snapshot of all in its place, or none of them.

        Collections that it does not hold stay, and so do aliases, but for those that it tells of.
        All of the file is proven before the first is put in place. Raises as ``recover``.

        Args:
            path: of the snapshot.
            only: the one collection that is put in place, without aliases; None for all.
            most: bytes of a collection that may be unpacked.
            replaces: whether it takes the place of collections that are there; CollectionExists is
                raised where not.
        """
        with self._alone(), self._aside() as aside:
            staged: dict[str, Local] = {}

            def require_room_for(manifest: Manifest) -> None:
                name = manifest.collection
                if not replaces and only in (None, name) and name in self._host.names():
                    raise CollectionExists(name)

            def stage(archive: ArchiveReader) -> str:
                folder = aside / f"{len(staged)}"
                manifest = self._stage(None, archive, folder, most, require_room_for)
                staged[manifest.collection] = folder
                return manifest.collection

            with _told(path):
                archive = ArchiveReader(Path(path.name), self._pieces(path))
                contents = read_whole(archive, stage)
            if only is not None and only not in staged:
                raise CollectionNotFound(only)
            wanted = {name: staged[name].path for name in staged if only in (None, name)}
            self._host.place(wanted, contents.aliases if only is None else {})
            return contents

    @contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """Yield a file for a snapshot that comes from elsewhere; it is gone after the block.

        Raises:
            StorageError: it cannot be made.
        """
        with self._aside() as aside:
            with Incoming(aside.path / "incoming", self._admitted) as file:
                self._coming.add(file)
                try:
                    if self._stopped:
                        file.stop()
                    yield file
                finally:
                    self._coming.discard(file)

    def _stage(
        self,
        name: str | None,
        archive: ArchiveReader,
        folder: Local,
        most: int,
        wanted: Callable[[Manifest], None] = lambda _: None,
    ) -> Manifest:
        """Unpack one collection, prove it, and open it once: what it then needs, it has."""
        free = partial(free_bytes, folder.parent.path)
        bounds = Bounds(most, free, self._admitted, self._go_on, wanted)
        manifest = unpack(archive, folder, bounds)
        prove(folder.path, manifest, archive.path, self._go_on)
        self._host.try_out(manifest.collection if name is None else name, folder.path)
        folder.sync()
        return manifest

    def _keep(
        self,
        name: str | None,
        parts: Iterable[bytes],
        *,
        scheduled: bool,
        go_on: GoOn | None = None,
    ) -> SnapshotInfo:
        digest = hashlib.sha256()
        return self.shelf.keep(
            name,
            _summed(parts, digest.update),
            digest.hexdigest,
            lambda path: self._read_back(name, path, go_on or self._go_on),
            self._admitted,
            scheduled=scheduled,
        )

    def _read_back(self, name: str | None, path: Path, go_on: GoOn) -> None:
        archive = ArchiveReader(path, self._pieces(path))
        if name is None:
            read_whole(archive, lambda inner: verify(inner, go_on).collection)
        else:
            verify(archive, go_on)

    def _whole(self) -> Iterator[bytes]:
        aliases, created, names = self._host.aliases(), int(time.time()), list[str]()
        for name in self._host.names():
            try:
                collection = self._host.find(name)
            except CollectionNotFound:  # dropped meanwhile
                continue
            with (
                self._aside() as aside,
                collection.snapshot(self._release, aside, self._go_on) as taken,
            ):
                parts = taken.archive()
                yield from one_of_many(len(names), created, taken.nbytes, parts)
                names.append(name)
        left = {alias: name for alias, name in aliases.items() if name in names}
        yield from ending(Contents(self._release, created, tuple(names), left))

    def _counted(self, name: str | None, write: Callable[[], SnapshotInfo]) -> SnapshotInfo:
        with self._alone():  # others of this name were counted before it has its turn
            before = self._stats.get(name, SnapshotStats())
            begun = time.monotonic()
            try:
                found = write()
            except BaseException:
                self._stats[name] = replace(before, failed=before.failed + 1)
                raise
            now, seconds = time.time(), time.monotonic() - begun
            self._stats[name] = SnapshotStats(
                before.made + 1, before.failed, now, now, seconds, found.nbytes
            )
        return found

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._one:
            self._go_on(0)
            yield

    @contextmanager
    def _aside(self) -> Iterator[Local]:
        """Make a folder that is gone at the end of the block, or at the next start."""
        aside = self._unfinished / uuid.uuid4().hex
        with disk_errors(f"write {aside.path}"):
            aside.create()
        try:
            yield aside
        finally:
            remove_folder(aside)

    def _pieces(self, path: Path) -> Iterator[bytes]:
        try:
            for piece in Local(path.parent).pieces(path.name):
                self._go_on(len(piece))
                yield piece
        except FileNotFoundError:  # deleted while it waited for its turn
            raise SnapshotNotFound(path.name) from None

    def _admitted(self) -> AbstractContextManager[None]:
        return self._reserve.admitted(self._unfinished.path)

    def _go_on(self, _: int) -> None:
        if self._stopped:
            raise StoreFailed("The server is being stopped: the snapshot was given up")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what is wrong with a snapshot into the error of whoever gave it."""
    try:
        with disk_errors(f"read {path}"):
            yield
    except (Damaged, UnknownFormat) as error:
        what = error.finding if isinstance(error, Damaged) else str(error)
        raise InvalidSnapshot(f"The snapshot cannot be restored: {what}") from error


def _summed(parts: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for part in parts:
        update(part)
        yield part
