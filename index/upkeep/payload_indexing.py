"""Payload indexes on disk, and how new ones are built while writes go on.

A field's index is written whole to a folder of its own, as of one seq. Every later write records in
the store which points it touched, in the same transaction; on open the folder is read and those
points alone are indexed anew. When many are touched, and on close, fresh folders are written. An
index whose folder is damaged, or was written by another release, is built again; the store goes on
naming that folder until a fresh one takes its place.

A new index is built in pieces, each a job of the writer, so that the points of a piece are those of
one moment between two transactions; the index gets the writes in between as they come.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pyroaring import BitMap

from palimpsest.index.errors import (
    CollectionNotFound,
    InvalidInput,
    PalimpsestError,
    StorageError,
    StorageFull,
    StoreFailed,
)
from palimpsest.index.filters.paths import parse_path
from palimpsest.index.payload.automatic import MOST_BYTES
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.payload.indexes import Building
from palimpsest.index.payload.loading import REASONS, Reason, Unbuilt, add_stored, pieces
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.directory import Directory, make_folder
from palimpsest.index.storage.field_table import FieldEntry
from palimpsest.index.storage.files import Array, remove_folder, write_folder
from palimpsest.index.types import Numbers
from palimpsest.index.write.jobs import Job, Jobs
from palimpsest.index.write.writer import Writer

# The payloads of all touched points are read again by the next open, which waits for them.
_MOST_TOUCHED = 65_536  # points, or a tenth of all, before fresh folders are written
_log = logging.getLogger(__name__)


_Begun: TypeAlias = tuple[Building, BitMap]  # and the points that are to be added


@dataclass(frozen=True, slots=True, eq=False)
class _Copied:
    """What an index held as of a seq."""

    index: FieldIndex  # the very one: that of another building is not it, however equal
    arrays: dict[str, Array]
    description: dict[str, Any]
    seq: int


class PayloadIndexing:
    """Creates, drops and writes the payload indexes of one collection."""

    def __init__(self, folders: Directory, writer: Writer, jobs: Jobs) -> None:
        self._folders = folders
        self._writer, self._jobs = writer, jobs
        self._stopped = threading.Event()
        # One save at a time, whoever asks: the background, the end of a build, or the close. It is
        # never asked for inside a job of the writer, which a save waits for.
        self._saving = threading.Lock()
        self._building: dict[str, Building] = {}  # changed by jobs only
        # Of callers: changes of one key are begun in the order in which they came.
        self._declaring = threading.Lock()
        self._last: dict[str, tuple[FieldIndex | None, Future[int]]] = {}  # changes under way
        self._one_automatic = threading.Lock()
        writer.indexes.automatic.ask = self.index_automatically
        self.rebuilds: dict[Reason, int] = dict.fromkeys(REASONS, 0)  # begun since the opening
        with disk_errors(f"make {folders.path}"):
            make_folder(folders)

    def stop(self) -> None:
        """End building soon; it starts again on the next open."""
        self._stopped.set()

    def close(self) -> None:
        """End building, and write fresh folders so that the next open is quick."""
        self.stop()
        try:
            self.save()
        except (
            StorageError,
            CollectionNotFound,
        ) as error:  # nothing is lost: what was touched is in the store
            _log.warning("Payload indexes were not written on close: %s", error)

    def resume(self, unbuilt: Sequence[Unbuilt]) -> None:
        """Build the indexes that were declared but not finished, and those that are of no use."""
        for each in unbuilt:
            if each.reason is not None:
                self.rebuilds[each.reason] += 1
            building = each.building
            begun = self._writer.call(lambda one=building: self._take(one))  # type: ignore[misc]
            self._start(building.key, building.field.config, begun)

    def create(self, key: str, index: FieldIndex) -> Future[int]:
        """Declare an index; the future gives the seq as of which it answers.

        An index of the same declaration is left as it is, also one that is still built; another
        one is replaced.
        """
        with self._declaring:
            wanted, last = self._last.get(key, (None, None))
            if last is not None and not last.done():
                if wanted == index:
                    return last
            elif self._writer.indexes.fields.get(key) == index:
                done: Future[int] = Future()
                done.set_result(self._writer.view.seq)
                return done
            entry = FieldEntry(key, index.to_json().decode(), None, None, 0)
            begun = self._writer.call(
                lambda: self._begin(entry)
            )  # here, so that changes keep order
            return self._start(key, index, begun)

    def index_automatically(self, key: str, index: FieldIndex) -> None:
        """Have a field indexed in memory that filters read payloads for, one at a time.

        One that is too large, or whose building failed, is not begun again until the next open.
        """
        if self._stopped.is_set() or not self._one_automatic.acquire(blocking=False):
            return

        def run() -> None:
            try:
                self._build_automatically(key, index)
            except CollectionNotFound:
                pass  # closed meanwhile
            except Exception as error:
                self._writer.indexes.automatic.refuse(parse_path(key), index)
                if not isinstance(error, PalimpsestError):
                    _log.exception("Indexing %r for filters failed", key)
                else:
                    _log.warning("Indexing %r for filters failed: %s", key, error)
            finally:
                self._one_automatic.release()

        try:
            threading.Thread(target=run, name="fields", daemon=True).start()
        except RuntimeError:  # filters go on reading payloads, and ask again
            self._one_automatic.release()

    def _build_automatically(self, key: str, index: FieldIndex) -> None:
        writer = self._writer
        where, begin = self._folders.parent, writer.indexes.begin

        def begun() -> _Begun:
            return begin(key, index, automatic=True), writer.view.live

        building, live = writer.call(begun).result()

        def add(numbers: Numbers) -> None:
            add_stored(writer.store, numbers, building.add)

        try:
            for numbers in pieces(live):
                if self._stopped.is_set():
                    raise CollectionNotFound(f"{where.path.name} (closed)")
                writer.call(lambda some=numbers: add(some)).result()  # type: ignore[misc]
                if building.field.nbytes > MOST_BYTES:
                    what = f"an index of its values takes more than {MOST_BYTES:,} bytes"
                    raise InvalidInput(f"{what}: declare one where filters by it are to be quick")
            writer.call(lambda: writer.indexes.finish(building)).result()
        except BaseException:
            writer.indexes.cancel(building)
            raise
        _log.info("Filters by %r in %s are answered by an index in memory now", key, where.path)

    def drop(self, key: str) -> Future[int]:
        """Forget an index; one that is not there is fine."""
        with self._declaring:
            dropped = self._writer.call(lambda: self._drop(key))
            self._remember(key, None, dropped)
            return dropped

    def disk_bytes(self) -> int:
        """Return the bytes of all folders."""
        return self._folders.size()

    def is_due(self) -> bool:
        """Tell whether enough points were touched for fresh folders."""
        most = max(_MOST_TOUCHED, self._writer.view.points // 10)
        due = self._writer.touched >= most and not self._stopped.is_set()
        return due and bool(self._writer.indexes.fields)

    def save(self) -> None:
        """Write every index that answers to a fresh folder, if points were touched since."""
        with self._saving:
            if self._writer.touched:
                for key in list(self._writer.indexes.fields):
                    self._save(key)

    def write_anew(self, folder: str) -> None:
        """Write the index that the store names a folder for to a fresh one; none does is fine."""
        with self._saving:
            # its tables are others once it was woken: asked for by the job itself
            entries = self._writer.call(lambda: self._writer.store.fields.entries()).result()
            for entry in entries:
                if entry.folder == folder:
                    self._save(entry.key)

    def _remember(self, key: str, wanted: FieldIndex | None, future: Future[int]) -> None:
        under_way = {key: last for key, last in self._last.items() if not last[1].done()}
        self._last = {**under_way, key: (wanted, future)}

    def _start(self, key: str, wanted: FieldIndex, begun: Future[_Begun]) -> Future[int]:
        done: Future[int] = Future()
        self._remember(key, wanted, done)

        def run() -> None:
            try:
                done.set_result(self._build(begun))
            except CollectionNotFound as error:  # closed meanwhile; built on the next open
                done.set_exception(error)
            except Exception as error:
                if not isinstance(error, PalimpsestError):
                    _log.exception("Building the payload index of %r failed", key)
                done.set_exception(error)

        try:
            threading.Thread(target=run, name="fields", daemon=True).start()
        except RuntimeError as error:  # else who asks for it again would wait for ever
            _log.error("The payload index of %r is not built: %s", key, error)
            what = f"No thread could be started to build the payload index of {key!r}: {error}"
            done.set_exception(StoreFailed(f"{what}; declare it again when there are fewer"))
        return done

    def _build(self, begun: Future[_Begun]) -> int:
        building, live = begun.result()
        with self._jobs.begin("index", f"building the payload index of {building.key!r}") as job:
            return self._build_in(job, building, live)

    def _build_in(self, job: Job, building: Building, live: BitMap) -> int:
        done = 0
        try:
            for numbers in pieces(live):
                job.note(done / len(live))
                done += len(numbers)
                if self._stopped.is_set():
                    raise CollectionNotFound(f"{self._folders.parent.path.name} (closed)")
                self._writer.call(lambda some=numbers: self._add(building, some)).result()  # type: ignore[misc]
            seq = self._writer.call(lambda: self._finish(building)).result()
        except BaseException:
            if not building.again:  # else it goes on answering from the payloads
                with suppress(PalimpsestError):
                    self._writer.call(lambda: self._cancel(building)).result()
            raise
        try:
            with self._saving:
                self._save(building.key)
        except StorageError as error:  # it answers; if it is not written later, the next open does
            _log.warning("The payload index of %r was not written: %s", building.key, error)
        return seq

    def _take(self, building: Building) -> _Begun:
        self._building[building.key] = building
        return building, self._writer.view.live

    def _begin(self, entry: FieldEntry) -> _Begun:
        with self._writer.store.transaction():
            old = self._folder_of(entry.key)
            self._writer.store.fields.put(entry)
        if old is not None:
            self._writer.leases.retire(self._folders / old)
        self._forget(entry.key)
        building = self._writer.indexes.begin(entry.key, FieldIndex.from_json(entry.declared))
        self._building[entry.key] = building
        return building, self._writer.view.live

    def _add(self, building: Building, numbers: Numbers) -> None:
        self._require_wanted(building)
        add_stored(self._writer.store, numbers, building.add)

    def _finish(self, building: Building) -> int:
        self._require_wanted(building)
        del self._building[building.key]
        self._writer.indexes.finish(building)
        if building.again:
            _log.info(
                "The payload index of %r in %s answers", building.key, self._folders.parent.path
            )
        return self._writer.view.seq

    def _require_wanted(self, building: Building) -> None:
        if self._building.get(building.key) is not building:
            raise InvalidInput(f"The payload index of {building.key!r} was dropped or replaced")

    def _forget(self, key: str) -> None:
        building = self._building.get(key)
        if building is not None:
            self._cancel(building)
        self._writer.indexes.drop(key)

    def _cancel(self, building: Building) -> None:
        """Give a field up, unless that was done before; a job."""
        if self._building.get(building.key) is building:
            del self._building[building.key]
            self._writer.indexes.cancel(building)

    def _drop(self, key: str) -> int:
        store, last = self._writer.store, not set(self._keys()) - {key}
        with store.transaction(frees=True):
            old = self._folder_of(key)
            store.fields.remove(key)
            if last:  # no folder is to be brought up to date any more
                store.fields.forget_touched(self._writer.view.seq)
        self._forget(key)
        self._writer.count_touched()
        if old is not None:
            self._writer.leases.retire(self._folders / old)
        return self._writer.view.seq

    def _folder_of(self, key: str) -> str | None:
        return next((e.folder for e in self._writer.store.fields.entries() if e.key == key), None)

    def _save(self, key: str) -> None:
        """Write one index to a fresh folder and name it in the store."""
        # Before the copy is taken: a folder that the store does not know yet must not lie there
        # when it crashes.
        name = self._writer.plan_folder()
        # Between two writes, so that the copy is of one seq; it is written afterwards, while writes
        # go on, and what they touch is kept as touched.
        copied = self._writer.call(lambda: self._copy(key)).result()
        if copied is None:
            return
        admitted = self._writer.store.admitted
        checksum = write_folder(self._folders / name, copied.arrays, copied.description, admitted)
        naming = self._writer.call(lambda: self._name(key, name, checksum, copied))
        try:
            old = naming.result()
        except StorageFull:  # after other failures the store may name the folder
            remove_folder(self._folders / name)
            raise
        if old is not None:
            self._writer.leases.retire(self._folders / old)

    def _copy(self, key: str) -> _Copied | None:
        indexes = self._writer.indexes
        index = indexes.fields.get(key)
        if index is None:
            return None
        arrays, description = indexes.dump(key)
        return _Copied(index, arrays, {"field": description}, self._writer.view.seq)

    def _name(self, key: str, folder: str, checksum: int, copied: _Copied) -> str | None:
        """Name a field's fresh folder; return the one it replaces, or itself if none is wanted."""
        if self._writer.indexes.fields.get(key) is not copied.index:
            return folder  # dropped meanwhile, and perhaps declared anew
        store = self._writer.store
        entries = {entry.key: entry for entry in store.fields.entries()}
        old = entries[key]
        entries[key] = replace(old, folder=folder, checksum=checksum, seq=copied.seq)
        with store.transaction():
            store.fields.put(entries[key])
            store.fields.forget_touched(
                # The oldest folder of any field: what was touched since is what the next open has
                # to bring it up to date with.
                min(e.seq for e in entries.values() if e.folder is not None)
            )
        self._writer.count_touched()
        return old.folder

    def _keys(self) -> list[str]:
        return [entry.key for entry in self._writer.store.fields.entries()]
