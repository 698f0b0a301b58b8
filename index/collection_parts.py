"""What an open collection is made of: shared by all views of it, opened and closed once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from palimpsest.index.collection_disk import DiskUse
from palimpsest.index.read.points import PointReader
from palimpsest.index.read.reading import Sampler
from palimpsest.index.read.selector import Selector
from palimpsest.index.segments.searcher import SearchThreads, search_threads
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.payload_size import PayloadSize
from palimpsest.index.storage.reader import Reader
from palimpsest.index.storage.reserve import Reserve
from palimpsest.index.storage.schema import store_errors
from palimpsest.index.upkeep.due import Versions
from palimpsest.index.upkeep.healing import Healing
from palimpsest.index.upkeep.payload_indexing import PayloadIndexing
from palimpsest.index.upkeep.recover import ADAPTERS, FIELDS, SEGMENTS, STORE, recover
from palimpsest.index.upkeep.resting import Resting
from palimpsest.index.upkeep.scrub import Scrub
from palimpsest.index.upkeep.upkeep import HasRoom, Upkeep
from palimpsest.index.versions.backfilling import Backfill, Pace
from palimpsest.index.versions.demand import Demand
from palimpsest.index.versions.fitting import Fitting
from palimpsest.index.versions.watching import Watching
from palimpsest.index.view.virtual_collection import Shown
from palimpsest.index.write.declaring import Leftovers
from palimpsest.index.write.jobs import Jobs
from palimpsest.index.write.writer import Opened, Writer


@dataclass(frozen=True, slots=True, eq=False)
class CollectionParts:
    """One of each, whichever names a collection goes by."""

    folder: Path
    reader: Reader
    payload_size: PayloadSize
    writer: Writer
    jobs: Jobs
    fields: PayloadIndexing
    demand: Demand
    backfill: Backfill
    fitting: Fitting
    upkeep: Upkeep
    scrub: Scrub
    disk: DiskUse
    together: SearchThreads  # of searches that are made at once
    sampler: Sampler | None

    def forget(self, leftovers: Leftovers) -> None:
        """Forget what dropped columns have left behind, on disk too."""
        for column in leftovers.columns:
            self.upkeep.forget(column)
        files = Local(self.folder)
        for segment in leftovers.segments:
            self.writer.leases.retire(files / SEGMENTS / segment)
        for adapter in leftovers.adapters:
            self.writer.leases.retire(files / ADAPTERS / adapter)

    def close(self, *, dropped: bool) -> None:
        """Close all of them; what makes the next open quick is not written when ``dropped``."""
        # From the last line up: first what begins work is told to end, then what it was about is
        # written, then the writer ends, and its files are closed when nothing uses them any more.
        with ExitStack() as last_first:  # goes on when one of them fails
            last_first.callback(self.writer.leases.sweep)
            last_first.callback(self.writer.store.close)
            last_first.callback(self.reader.close)
            last_first.callback(self.writer.close)
            last_first.callback(self.fields.stop if dropped else self.fields.close)
            if not dropped:
                last_first.callback(self.demand.close)
            last_first.callback(self.upkeep.stop)
            last_first.callback(self.scrub.stop, keep=not dropped)


def open_parts(
    name: str,
    folder: Path,
    threads: int,
    changed: Callable[[], None],
    has_room: HasRoom,
    reserve: Reserve | None,
    sampler: Sampler | None = None,
) -> CollectionParts:
    """Open the files of a collection; arguments and errors are those of ``Collection.open``."""
    opened, unbuilt = recover(folder)
    try:
        with store_errors(opened.store.path):
            parts = _assembled(name, folder, opened, threads, changed, has_room, reserve, sampler)
    except BaseException:
        opened.store.abandon()
        raise
    if opened.store.read_only:
        parts.upkeep.stop()  # all of it writes
    # Once everything else is there: building goes through the writer, in a thread of its own.
    parts.fields.resume(unbuilt)
    return parts


def _assembled(
    name: str,
    folder: Path,
    opened: Opened,
    threads: int,
    changed: Callable[[], None],
    has_room: HasRoom,
    reserve: Reserve | None,
    sampler: Sampler | None,
) -> CollectionParts:
    """Put the parts together, some of which read the store."""
    store, files, pace = opened.store, Local(folder), Pace()
    reader = Reader(
        folder / STORE,
        name,
        store.summed,
        store.ids,
        frozen=store.read_only,
        opened=changed,
        reserve=reserve,
    )

    def wrote() -> None:
        pace.follow(writer.view)
        changed()

    writer = Writer(
        name,
        opened,
        lambda filter: Selector(writer.view, writer.indexes, points).select(filter),
        wrote,
        reserve,
    )
    points = PointReader(reader, Shown(writer, None))
    jobs, demand = Jobs(writer), Demand(writer)
    fields = PayloadIndexing(files / FIELDS, writer, jobs)
    fitting = Fitting(files / ADAPTERS, writer, points, jobs)
    due, resting = Versions(fitting, demand, Watching(writer)), Resting(writer, reader)
    pace.follow(writer.view)
    scrub = Scrub(folder / STORE, Healing(writer, fields, files / ADAPTERS, changed).heal)
    return CollectionParts(
        folder,
        reader,
        PayloadSize(reader),
        writer,
        jobs,
        fields,
        demand,
        Backfill(writer, points, demand, pace),
        fitting,
        Upkeep(files / SEGMENTS, writer, fields, due, threads, has_room, resting, jobs),
        scrub,
        DiskUse(folder, writer, scrub),
        search_threads(threads),
        sampler,
    )
