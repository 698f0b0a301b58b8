"""A data directory of named collections, served by one process at a time.

``lock`` is held while the directory is open, ``collections/<name>/`` is one folder each,
``aliases.json`` and its copy say what else they are called, ``snapshots/`` holds copies of them.
``unfinished/`` is what is being created, dropped, copied or restored; it is emptied on open, after
what a kill left there without its place was put back. ``reserve`` is room kept for deletes.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO
from weakref import WeakSet

from palimpsest.index.aliases import AliasChange, Aliases, CreateAlias, DeleteAlias, RenameAlias
from palimpsest.index.collection import Collection
from palimpsest.index.config.collection import AT, CollectionConfig
from palimpsest.index.config.names import MAX_COLLECTION_NAME, check_name, check_vector_name
from palimpsest.index.config.versions import names_with
from palimpsest.index.database_snapshots import SnapshotHost, Snapshots
from palimpsest.index.errors import (
    BeingReplaced,
    CollectionExists,
    CollectionNotFound,
    InvalidInput,
    OutOfMemory,
    StorageError,
    StoreFailed,
    VersionNotFound,
    fresh,
)
from palimpsest.index.recall.sampling import NO_SAMPLES, Budget, Durations, Sampling
from palimpsest.index.remedies import DropVersion
from palimpsest.index.snapshots.schedule import NEVER, Schedule, SnapshotPlan
from palimpsest.index.snapshots.swapping import Swaps, settle
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.directory import make_folder, remove_quietly
from palimpsest.index.storage.directory_lock import lock_directory
from palimpsest.index.storage.files import remove_folder
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reserve import Reserve, anything
from palimpsest.index.storage.schema import create_store, store_errors
from palimpsest.index.storage.unfinished import require_restored
from palimpsest.index.upkeep.background import Background
from palimpsest.index.upkeep.recover import ADAPTERS, FIELDS, SEGMENTS, STORE
from palimpsest.index.upkeep.reopening import Reopening, may_pass
from palimpsest.index.upkeep.scrub import Scrub
from palimpsest.index.upkeep.scrub_thread import Scrubbing
from palimpsest.index.upkeep.unopened import DamagedInfo, read_damaged
from palimpsest.index.upkeep.upkeep import HasRoom, Upkeep
from palimpsest.index.write.writer import Writer

_log = logging.getLogger(__name__)
MAX_CALLED = 1_024  # characters that may call a collection, with its version
_TRIED_BYTES = 4096  # by ``try_disk``: a page
_MORE = "give the server more; it is tried again"


class Database:
    """Open with ``Database.open``; close it, or use it as a context."""

    def __init__(
        self,
        path: Path,
        lock: IO[bytes],
        threads: int,
        has_room: HasRoom,
        scrub_days: float,
        sampling: Budget,
        plan: SnapshotPlan,
        release: str,
    ) -> None:
        self._path = path
        self._aliases = Aliases(path, Local(path / "collections").list())
        self._held = lock
        self._threads = threads
        self._has_room = has_room
        self._reserve = Reserve(path / "reserve")
        # Reads of the two dictionaries below take no lock: each of their single operations is
        # atomic, and whoever goes through them copies first. `get` is on the way of every request.
        self._change = threading.Lock()  # orders create, drop, changes of aliases and close
        self._open: dict[str, Collection] = {}
        self._broken: dict[str, StorageError] = {}
        self._replaced: WeakSet[Writer] = WeakSet()  # of collections that requests may still hold
        self._placed: dict[str, int] = {}  # snapshots, by the collection whose place they took
        self._closed = False
        self._unsettled: StoreFailed | None = None  # a restore that could not be undone
        self._background = Background(self._upkeeps)
        self._reopening = Reopening(self._worth_a_try, self._try_again)
        self._scrubbing = Scrubbing(self._scrubs, scrub_days)
        self._sampling = Sampling(sampling) if sampling.share else None
        host = SnapshotHost(self.get, self.names, self.aliases, self._try_out, self._place)
        self.snapshots = Snapshots(path, self._reserve, host, release)
        self._schedule = Schedule(self.snapshots, self.names, plan)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        threads: int | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
        has_room: HasRoom = lambda _: True,
        scrub_days: float = 0,
        sampling: Budget = NO_SAMPLES,
        snapshots: SnapshotPlan = NEVER,
        release: str = "unknown",
    ) -> Database:
        """Open or create a data directory and every collection in it.

        A collection that cannot be opened does not stop the others: see ``damaged``.

        Args:
            path: the directory.
            threads: how many threads build a graph; by default one per core.
            progress: called with how many collections have been opened, and of how many.
            has_room: tells whether background work may take so many bytes of memory; it is put off
                where not.
            scrub_days: in how many days everything is read once in the background; 0 for never.
            sampling: what may be spent on answering searches again, to learn what they find.
            snapshots: how often one of each collection is made, and how many are kept.
            release: what snapshots say of who made them.

        Raises:
            DirectoryLocked: another process has it open.
            UnknownFormat: a newer release wrote the file of aliases.
        """
        path = Path(path)
        with disk_errors(f"open {path}"):
            # `unfinished` is beside `collections` and not in it, so that whatever lies in
            # `collections` is whole: folders come into it and leave it by one rename each.
            for folder in (path, path / "collections", path / "unfinished"):
                make_folder(Local(folder))
            # Before anything is read or tidied up: `unfinished` may be where another server is just
            # creating a collection.
            lock = lock_directory(path)
            try:
                threads = threads or os.cpu_count() or 1
                # Before aliases of collections that are not there are forgotten.
                settle(Local(path / "collections"), Local(path / "unfinished"))
                database = cls(
                    path, lock, threads, has_room, scrub_days, sampling, snapshots, release
                )
            except BaseException:
                lock.close()
                raise
            # Under the lock nobody else writes there: these are what a crash left of creations and
            # drops, and no collection knows of them.
            for name in (Local(path) / "unfinished").list():
                remove_folder(Local(path) / "unfinished" / name)
            database.snapshots.shelf.tidy()
            names = Local(path / "collections").list()
        # At once, before collections are opened: their logs may grow while they are brought up to
        # date, and the room to delete something is to be there first.
        if names:  # else there is nothing to delete yet
            database._reserve.refill(at_once=True)
        for done, name in enumerate(names):
            progress(done, len(names))
            database._open_one(name)
            if name in database._open:
                database._open[name].upkeep.close_files()  # thousands may come
        # Last: upkeep of the first collections would compete with the opening of the others for the
        # disk.
        database._background.start()
        database._reopening.start()
        database._scrubbing.start()
        database._schedule.start()
        return database

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish queued writes, stop background work and let the directory go."""
        # Before `_change` is taken: what the schedule waits for may itself be waiting for that.
        self.snapshots.stop()
        self._schedule.stop()
        with self._change:
            if self._closed:
                return
            self._closed = True
            # Told, and not waited for: it may be waiting for `_change`, which is held here, and
            # sees `_closed` once it has it.
            self._reopening.stop()
            self._scrubbing.stop()
            if self._sampling is not None:
                self._sampling.stop()
            # The background first, as it writes to collections; the lock of the directory last,
            # when nothing of this process writes there any more.
            with ExitStack() as last_first:  # goes on when one of them fails
                last_first.callback(self._held.close)
                for collection in self._open.values():
                    last_first.callback(collection.close)
                last_first.callback(self._background.close)

    @property
    def sample_durations(self) -> Durations | None:
        """How long it took to answer searches again, None where none are."""
        return None if self._sampling is None else self._sampling.durations

    def names(self) -> list[str]:
        """Return the names of all collections, sorted; also of those that are damaged."""
        return sorted([*self._open.copy(), *self._broken.copy()])

    def damaged(self) -> Mapping[str, str]:
        """Return what is wrong with each collection that could not be opened."""
        broken = self._broken.copy().items()
        return {name: str(error) for name, error in broken if not isinstance(error, BeingReplaced)}

    def damaged_aliases(self) -> str | None:
        """Return what is wrong with the files of aliases, None where those there are are known."""
        return None if self._aliases.damage is None else str(self._aliases.damage)

    def damaged_one(self, name: str) -> DamagedInfo | None:
        """Return what is known of a collection that could not be opened; None of any other.

        Args:
            name: its own, an alias of it, or that of a version.
        """
        real = self.real_name(name)
        error = self._broken.get(real)
        if error is None or isinstance(error, BeingReplaced):
            return None
        return read_damaged(real, self._folder(real), str(error))

    def try_disk(self) -> str | None:
        """Write a small file, synced, and remove it; return why that failed, None if it did not."""
        folder, tried = Local(self._path / "unfinished"), uuid.uuid4().hex
        path = folder.path / tried
        try:
            with self._reserve.admitted(path), disk_errors(f"write {path}"):
                folder.write(tried, [bytes(_TRIED_BYTES)])
        except StorageError as error:
            return str(error)
        finally:
            remove_quietly(folder, tried)
        return None

    def get(self, name: str) -> Collection:
        """Return an open collection by its name or an alias, or one version of it.

        ``name@version`` is the virtual collection in which bare vector names mean the version.

        Raises:
            CollectionNotFound: there is none of that name.
            VersionNotFound: there is, but no such version.
            StorageError: it could not be opened, or the name may be an alias and what aliases there
                are cannot be read; the error says why.
        """
        collection = self._open.get(name)
        # The name itself was looked for first, without a look at aliases: most requests call a
        # collection by it, and no alias can have the name of a collection.
        if collection is None and name in self._aliases.mapping:
            name = self._aliases.mapping.get(name, name)
            collection = self._open.get(name)
        if collection is not None:
            return collection
        broken = self._broken.get(name)
        whole, at, version = name.rpartition(AT)
        # A collection may itself be called `a@b`, which was looked for above: only what names
        # nothing is taken apart.
        if at and broken is None:
            try:
                collection = self.get(whole)
            except CollectionNotFound:
                raise CollectionNotFound(name) from None
            if collection.version is None:  # a version has no versions
                try:
                    return collection.showing(version)
                except VersionNotFound as error:
                    raise VersionNotFound(error.version, error.known, name) from None
        if broken is not None:
            raise fresh(broken)
        self._aliases.require_known()
        raise CollectionNotFound(name)

    def real_name(self, name: str) -> str:
        """Return the name of the collection that a name, an alias or ``name@version`` means.

        Where there is none, it is that of the collection it would mean.
        """
        while name not in self._open and name not in self._broken:
            if name in self._aliases.mapping:
                return self._aliases.mapping.get(name, name)
            whole, at, _ = name.rpartition(AT)
            if not at or len(name) > MAX_CALLED:
                break
            name = whole
        return name

    def create(self, name: str, config: CollectionConfig) -> Collection:
        """Create an empty collection; it is on disk when this returns.

        Raises:
            CollectionExists: the name is taken.
            InvalidInput: the name is an alias; InvalidConfig: it, or the name of a vector, cannot
                be used.
            Damaged: the name may be an alias, and what aliases there are cannot be read.
        """
        check_name(name, "collection", MAX_COLLECTION_NAME)
        for vector in config.vectors:
            if vector:
                check_vector_name(vector)
        with self._change:
            self._require_open()
            if name in self._open or name in self._broken:
                raise CollectionExists(name)
            self._require_no_alias(name)
            # Refused while there is little room, as upserts are: an empty collection is small, but
            # it is the first of many writes.
            with disk_errors(f"create collection {name!r}"), self._reserve.admitted(self._path):
                self._create_folder(name, config)
            self._open_one(name)
        return self.get(name)

    def aliases(self) -> Mapping[str, str]:
        """Return the collection that each alias means. Raises Damaged where that is not known."""
        self._aliases.require_known()
        return dict(sorted(self._aliases.mapping.items()))

    def change_aliases(self, changes: Sequence[AliasChange]) -> None:
        """Carry out all changes, one after the other, or none; they are on disk on return.

        Raises:
            CollectionNotFound: an alias is to mean a collection that does not exist.
            CollectionExists: an alias is the name of a collection.
            AliasNotFound: there is no alias to rename.
            InvalidConfig: an alias cannot be used as a name.
            StorageFull: there is no room for it; aliases can be deleted all the same.
        """
        for change in changes:
            if isinstance(change, CreateAlias):
                check_name(change.alias, "alias", MAX_COLLECTION_NAME)
            elif isinstance(change, RenameAlias):
                check_name(change.new, "alias", MAX_COLLECTION_NAME)
        with self._change:
            self._require_open()
            takes = not all(isinstance(change, DeleteAlias) for change in changes)
            with self._reserve.admitted(self._path) if takes else anything():
                self._aliases.change(changes, self.names())

    def meant(self, name: str) -> str:
        """Return the collection that an alias means, and any other name as it is."""
        return self._aliases.mapping.get(name, name)

    def refuse_replaced(self, collection: Collection) -> None:
        """Raise BeingReplaced for a collection whose place a snapshot took since it was got."""
        if collection.writer in self._replaced:
            raise BeingReplaced(collection.name)

    def is_being_replaced(self, name: str) -> bool:
        """Tell whether a snapshot is just taking the place of what a name means."""
        return isinstance(self._broken.get(self.real_name(name)), BeingReplaced)

    def placed(self, name: str) -> int:
        """Return how many snapshots took, or are taking, the place of what a name means."""
        return self._placed.get(self.real_name(name), 0)

    def drop(self, name: str) -> bool:
        """Delete a collection, all it holds and its aliases; tell whether there was one.

        Raises:
            InvalidInput: the name is that of a version of a collection.
        """
        # A client that was told of `docs@v2` may well ask to drop it, and mean the version alone.
        # It is told how that is done; dropping all of `docs` could not be undone.
        if AT in name and name not in self.names():
            self._require_no_version(*name.rpartition(AT)[::2])
        unfinished, gone = Local(self._path / "unfinished"), uuid.uuid4().hex
        with self._change:
            self._require_open()
            # From here on no request finds it; those that did hold it get an error from what is
            # closed.
            collection = self._open.pop(name, None)
            if collection is None and self._broken.pop(name, None) is None:
                return False
            with disk_errors(f"drop collection {name!r}"):
                try:
                    if collection is not None:
                        collection.close(dropped=True)
                    folder = Local(self._folder(name))
                    # One rename makes it gone, whatever happens to the files afterwards: a crash in
                    # the middle of deleting them must not leave half a collection under its name.
                    folder.parent.rename(name, unfinished, gone)
                except BaseException:
                    self._open_one(name)  # all of it is still there
                    raise
                unfinished.sync()
                # After the folder that it came to: a power cut may leave it in both, never in
                # neither.
                folder.parent.sync()
                remove_folder(
                    unfinished / gone
                )  # first of all: a full disk has no room for a list of aliases
                self._aliases.forget(name)
        return True

    def _require_no_alias(self, name: str) -> None:
        if name in self._aliases.mapping:
            raise InvalidInput(
                f"Can't create collection with name {name}. Alias with the same "
                "name already exists: delete the alias, or choose another name"
            )
        self._aliases.require_known()

    def _require_no_version(self, name: str, version: str) -> None:
        collection = self._open.get(name)
        having = [] if collection is None else names_with(collection.config, version)
        if having:
            raise InvalidInput(
                f"{f'{name}{AT}{version}'!r} is version {version!r} of collection {name!r}",
                *(DropVersion(vector, version, name) for vector in having),
            )

    def _create_folder(self, name: str, config: CollectionConfig) -> None:
        unfinished = Local(self._path / "unfinished" / uuid.uuid4().hex)
        collections = Local(self._path / "collections")
        try:
            unfinished.create()
            for kind in (SEGMENTS, FIELDS, ADAPTERS):
                (unfinished / kind).create()
            # All of it is made aside and synced before the rename, so that a folder in
            # `collections` always has a store that can be opened.
            create_store(unfinished.path / STORE, config.to_json())
            unfinished.sync()
            unfinished.parent.rename(unfinished.path.name, collections, name)
            collections.sync()
        except BaseException:
            remove_folder(unfinished)
            raise

    def _try_out(self, name: str, folder: Path) -> None:
        """Open a folder that is to become a collection, and close it again."""
        with store_errors(folder / STORE):
            Collection.open(
                name,
                folder,
                threads=self._threads,
                changed=lambda: None,
                has_room=self._has_room,
                reserve=self._reserve,
            ).close()

    def _place(self, folders: Mapping[str, Path], aliases: Mapping[str, str]) -> None:
        """Put whole folders in the places of collections, or make them some, all or none of them.

        The aliases are made after it. Raises as ``create`` and ``change_aliases``.
        """
        for name in (*folders, *aliases):
            check_name(name, "collection", MAX_COLLECTION_NAME)
        with self._change:
            self._require_open()
            for name in folders:
                self._require_no_alias(name)
            for alias in sorted({*aliases} & {*folders, *self.names()}):
                raise InvalidInput(
                    f"the snapshot has an alias {alias!r}, and there is a collection of that name: "
                    "drop it, or restore the collections of the snapshot one by one"
                )
            with disk_errors(f"replace {_listed(folders)}"):
                self._replace({name: Local(folder) for name, folder in folders.items()})
            if aliases:
                self._make_aliases(folders, aliases)

    def _make_aliases(self, restored: Iterable[str], aliases: Mapping[str, str]) -> None:
        changes = [CreateAlias(alias, name) for alias, name in aliases.items()]
        try:
            with self._reserve.admitted(self._path):
                self._aliases.change(changes, self.names())
        except StorageError as error:
            raise StoreFailed(
                f"{_listed(restored)}: restored; the aliases of the snapshot were not made: "
                f"{error}; restore it again, or make them: {dict(aliases)}"
            ) from error

    def _replace(self, folders: Mapping[str, Local]) -> None:
        """Swap all, open all, decide, and only then have them answer."""
        swaps = Swaps(Local(self._path / "collections"), Local(self._path / "unfinished"))
        opened: dict[str, Collection] = {}
        try:
            for name, folder in folders.items():
                # First, so that nobody is told meanwhile that there is no such collection.
                self._broken[name] = BeingReplaced(name)
                self._placed[name] = self._placed.get(name, 0) + 1
                before = self._open.pop(name, None)
                if before is not None:
                    self._replaced.add(before.writer)
                    before.close(dropped=True)
                    del before  # and what it holds in memory
                swaps.swap(folder, name)
            for name in folders:
                with store_errors(self._folder(name) / STORE):
                    opened[name] = self._opened(name)
            swaps.commit()
        except BaseException:
            self._put_back(folders, swaps, opened)
            raise
        for name, collection in opened.items():
            self._show(name, collection)
        swaps.tidy()

    def _put_back(
        self, names: Iterable[str], swaps: Swaps, opened: Mapping[str, Collection]
    ) -> None:
        for collection in opened.values():
            collection.close(dropped=True)
        try:
            swaps.undo()
        except OSError as error:
            self._unsettled = StoreFailed(
                f"{_listed(names)}: a restore failed, and could not be undone: {error}; restart "
                "the server, which puts back what was there"
            )
            for name in names:
                if name not in self._open:
                    self._broken[name] = self._unsettled
            raise fresh(self._unsettled) from error
        for name in names:
            if name in self._open or not Local(self._path / "collections").has(name):
                self._broken.pop(name, None)
            else:
                self._open_one(name)

    def _opened(self, name: str) -> Collection:
        """Open a collection that nobody is to be answered from yet."""
        # Before the store is touched: of one that was being restored when that was cut off, half
        # would be served as if it were all of it.
        require_restored(self._folder(name))
        return Collection.open(
            name,
            self._folder(name),
            threads=self._threads,
            changed=partial(self._background.wake, name),
            has_room=self._has_room,
            reserve=self._reserve,
            sampler=self._sampling,
        )

    def _show(self, name: str, collection: Collection) -> None:
        """Have requests find a collection."""
        self._open[name] = collection
        self._broken.pop(name, None)
        self._background.wake(name)

    def _open_one(self, name: str) -> None:
        try:
            with store_errors(self._folder(name) / STORE):
                collection = self._opened(name)
        except MemoryError:
            self._keep_broken(name, OutOfMemory(f"There is no memory to open {name!r}: {_MORE}"))
        except StorageError as error:
            self._keep_broken(name, fresh(error))
        except Exception as error:  # one collection must not keep the others from being served
            _log.exception("Collection %r could not be opened", name)
            self._broken[name] = StoreFailed(
                f"Collection {name!r} could not be opened from {self._folder(name)}: {error!r}; "
                "look at the server's log, and check the folder with `palimpsest doctor`"
            )
        else:
            self._show(name, collection)

    def _keep_broken(self, name: str, error: StorageError) -> None:
        self._broken[name] = error
        if may_pass(error):
            self._reopening.want()

    def _worth_a_try(self) -> list[str]:
        return [name for name, error in self._broken.copy().items() if may_pass(error)]

    def _try_again(self, name: str) -> None:
        """Open a collection whose cause may have passed, unless it was dropped or the end came."""
        with self._change:
            if not self._closed and name in self._broken:
                self._open_one(name)

    def _folder(self, name: str) -> Path:
        return self._path / "collections" / name

    def needed(self) -> int:
        """Return the bytes of memory that the dearest background work to come takes, about."""
        return max((upkeep.due.needed() for upkeep in self._upkeeps().values()), default=0)

    def _upkeeps(self) -> dict[str, Upkeep]:
        return {name: collection.upkeep for name, collection in self._open.copy().items()}

    def _scrubs(self) -> list[Scrub]:
        return [collection.scrub for collection in self._open.copy().values()]

    def _require_open(self) -> None:
        if self._closed:
            raise StoreFailed(f"{self._path} was closed")
        if self._unsettled is not None:  # what is made now could be taken for what is to be undone
            raise fresh(self._unsettled)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
