"""The story of an import: open, check, go on from where it was, send, note how far it is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from palimpsest.app.transfer.batches import BATCH_BYTES, Batch, batches_of
from palimpsest.app.transfer.client import Client
from palimpsest.app.transfer.errors import BadRow, TransferError
from palimpsest.app.transfer.files import STDIN
from palimpsest.app.transfer.from_server import ServerReader
from palimpsest.app.transfer.progress import Bar, bar
from palimpsest.app.transfer.reader import Reader, Start
from palimpsest.app.transfer.refusals import told, write_batch
from palimpsest.app.transfer.sending import send_all
from palimpsest.app.transfer.skipping import SkipFile
from palimpsest.app.transfer.sources import Reading, absolute, open_source
from palimpsest.app.transfer.state import Progress, StateFile, default_path
from palimpsest.app.transfer.target import Target

CONNECTIONS = 4
NOTED = 0.5  # seconds between two notes of how far it is


@dataclass(frozen=True, slots=True)
class Import:
    """What is to be imported.

    Attributes:
        sources: files and addresses, in their order.
        collection: where to.
        reading: how they are read.
        create: whether to create the collection if there is none.
        distance: of a collection that is created.
        first_id: of consecutive ids.
        skip: where rows go that are no points; None stops at the first.
        state: where to note how far it is; None chooses by what is imported.
        restart: whether to begin anew.
        connections: requests at once.
        batch_bytes: of a body.
    """

    sources: tuple[str, ...]
    collection: str
    reading: Reading = field(default_factory=Reading)
    create: bool = False
    distance: str | None = None
    first_id: int = 0
    skip: Path | None = None
    state: Path | None = None
    restart: bool = False
    connections: int = CONNECTIONS
    batch_bytes: int = BATCH_BYTES

    def same(self, url: str) -> dict[str, Any]:
        """Return all that makes another import the same one, begun before."""
        return {
            "url": url,
            "collection": self.collection,
            "sources": [*map(absolute, self.sources)],
            "reading": self.reading.to_json(),
            "first_id": self.first_id,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done.

    Attributes:
        points: that were written, with those of earlier tries.
        resumed: rows that earlier tries had done.
        skipped: rows in the file of those that are no points.
        marked: rows that a source itself marks as deleted.
        seconds: of this try.
        notes: what to know beside.
    """

    points: int
    resumed: int
    skipped: int
    marked: int
    seconds: float
    notes: tuple[str, ...] = ()


def run_import(job: Import, client: Client) -> Outcome:
    """Import all sources. Raises TransferError and its kinds; the same again goes on."""
    begun = time.monotonic()
    target = Target(client, job.collection)
    with ExitStack() as stack:
        readers = [
            stack.enter_context(closing(open_source(each, job.reading))) for each in job.sources
        ]
        marks = [reader.mark() for reader in readers]
        state = _state_of(job, client.url, stack)
        at = _resumed(state, marks, job, target)
        for reader in readers:
            target.prepare(reader, job.create, job.distance)
        run = _Run(job, target, readers, state, at)
        resumed = at.base + at.rows
        if job.skip is not None:
            run.open_skip_file(job.skip, stack)
        total = _total(readers)
        with closing(bar(job.collection, total, resumed)) as shown:
            run.all(shown)
        _check_unchanged(readers, marks)
        for reader in readers:
            target.finish(reader)
        if state is not None:
            state.remove()
        return Outcome(
            points=run.at.written,
            resumed=resumed,
            skipped=run.at.faults,
            marked=sum(reader.skipped for reader in readers),
            seconds=time.monotonic() - begun,
            notes=tuple(_moved(readers)),
        )


class _Run:
    """An import while it runs; ``at`` is how far it is."""

    def __init__(
        self,
        job: Import,
        target: Target,
        readers: Sequence[Reader],
        state: StateFile | None,
        at: Progress,
    ) -> None:
        self.at = at
        self._job, self._target, self._readers, self._state = job, target, readers, state
        self._skip: SkipFile | None = None
        self._noted = time.monotonic()

    def open_skip_file(self, path: Path, stack: ExitStack) -> None:
        """Open the file of skipped rows, the one of before as far as it belongs to what is done."""
        name = str(path.absolute())
        kept = self.at.skipped if self.at.skip == name else None
        self._skip = stack.enter_context(closing(SkipFile(path, kept)))
        self.at = replace(self.at, skip=name, skipped=kept or 0)
        self._note()

    def all(self, shown: Bar) -> None:
        """Send all that is not done yet, and note how far it is, at the last when it fails."""
        write = partial(
            write_batch,
            write=self._target.upsert,
            skips=self._skip is not None,
            where=self._where,
        )
        stop = self._target.client.stopping.set
        try:
            with closing(send_all(self._batches(), write, self._job.connections, stop)) as landed:
                for batch in landed:
                    before = self.at.base + self.at.rows
                    self._done(batch)
                    shown.update(self.at.base + self.at.rows - before)
        finally:
            self._note()

    def _batches(self) -> Iterator[Batch]:
        base, at = self.at.base, self.at
        for number, reader in enumerate(self._readers[at.source :], at.source):
            start = Start(at.rows, at.after) if number == at.source else Start()
            items = reader.read(start, self._job.first_id + base)
            end = start
            for batch in batches_of(items, number, start, self._job.batch_bytes):
                if batch.faults and self._skip is None:
                    first = batch.faults[0]
                    raise BadRow(f"{self._where(number, first.place)}: {told(first)}")
                end = batch.end
                yield batch
            base += end.rows

    def _done(self, batch: Batch) -> None:
        at = self.at
        skipped = at.skipped
        if batch.faults and self._skip is not None:
            skipped = self._skip.add(self._readers[batch.source].name, batch.faults)
        refused = {fault.place for fault in batch.faults}
        written = [row.id for row in batch.rows if row.place not in refused]
        self.at = replace(
            at,
            source=batch.source,
            rows=batch.end.rows,
            after=batch.end.after,
            base=at.base + (at.rows if batch.source != at.source else 0),
            first=written[0] if written and at.first is None else at.first,
            last=written[-1] if written else at.last,
            written=at.written + len(written),
            skipped=skipped,
            faults=at.faults + len(batch.faults),
        )
        if time.monotonic() - self._noted > NOTED:
            self._note()

    def _note(self) -> None:
        if self._state is not None:
            self._state.save(self.at)
        self._noted = time.monotonic()

    def _where(self, source: int, place: int) -> str:
        reader = self._readers[source]
        return f"{reader.name}, {reader.unit} {place + 1}"


def _state_of(job: Import, url: str, stack: ExitStack) -> StateFile | None:
    """Return the file that says how far it is; what is read from a pipe has none."""
    if STDIN in job.sources:
        return None
    path = job.state or default_path(job.same(url), os.environ)
    state = stack.enter_context(closing(StateFile(path)))
    if job.restart:
        state.remove()
    return state


def _resumed(state: StateFile | None, marks: list[Any], job: Import, target: Target) -> Progress:
    """Return how far it is. Raises TransferError where what was done no longer holds."""
    at = state.load() if state is not None else None
    if at is None or state is None:
        return Progress(marks)
    for source, before, now in zip(job.sources, at.marks, marks, strict=True):
        if before != now:
            raise TransferError(
                f"{source}: changed since the import of it was begun ({at.base + at.rows} rows are "
                "done): --restart begins anew"
            )
    written = [each for each in (at.first, at.last) if each is not None]
    if written and not (target.info() and target.holds(*written)):
        raise TransferError(
            f"collection {job.collection!r} no longer holds points that this import wrote before "
            f"({' and '.join(map(str, written))}): --restart begins anew"
        )
    return at


def _total(readers: Sequence[Reader]) -> int | None:
    totals = [reader.total for reader in readers]
    return None if None in totals else sum(total or 0 for total in totals)


def _check_unchanged(readers: Sequence[Reader], marks: Sequence[Any]) -> None:
    for reader, mark in zip(readers, marks, strict=True):
        if reader.mark() != mark:
            raise TransferError(
                f"{reader.name}: changed while it was read: what was imported may be some of both"
            )


def _moved(readers: Sequence[Reader]) -> Iterator[str]:
    """Tell of servers whose points became more or fewer while they were read."""
    for reader in readers:
        if isinstance(reader, ServerReader) and reader.count() != reader.total:
            yield (
                f"{reader.name}: held {reader.total} points at the beginning and {reader.count()} "
                "at the end: import it again to have them all"
            )
