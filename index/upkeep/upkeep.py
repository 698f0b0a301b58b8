"""Seals and compacts one collection.

Long work happens here, beside the writer; what changes the collection (starting a new growing
part, putting a segment in the place of its parts) is short and runs as a job of the writer. If the
program dies in between, the folder written so far is deleted on the next open. What was made of a
column that was dropped meanwhile is thrown away. ``seal`` and ``compact`` may run at the same
time, each in one thread at most.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from palimpsest.index.errors import NoRoom, PalimpsestError, StorageError, SyncFailed
from palimpsest.index.segments.growing_part import AnyGrowing
from palimpsest.index.storage.checkpoints import Checkpoints
from palimpsest.index.storage.directory import Directory
from palimpsest.index.upkeep.attempts import WHOLE, Attempts
from palimpsest.index.upkeep.backlog import LEAST_ROWS, Backlog, firm_threads, first_rate
from palimpsest.index.upkeep.counting import Counting
from palimpsest.index.upkeep.due import Due, Versions
from palimpsest.index.upkeep.pacing import Pacing, SealRate
from palimpsest.index.upkeep.payload_indexing import PayloadIndexing
from palimpsest.index.upkeep.probing import Probing
from palimpsest.index.upkeep.recover import purge_some
from palimpsest.index.upkeep.replacing import Replacing, bytes_to_write
from palimpsest.index.upkeep.resting import Resting
from palimpsest.index.upkeep.tiers import excess
from palimpsest.index.upkeep.vacuuming import Vacuuming
from palimpsest.index.view.view import AnyPart, AnySealed
from palimpsest.index.write.changes import frozen
from palimpsest.index.write.jobs import Jobs
from palimpsest.index.write.writer import Writer

_SUM_SECONDS = 0.5  # of giving rows their checksums, before other work has its turn
_REST_SECONDS, _LONGEST_REST = 0.05, 60.0  # between two looks, and in all
_RESTS_FROM = 1.5  # pressure
_EXCESS = 32  # segments beyond what is left of each tier: rows are refused
_log = logging.getLogger(__name__)


HasRoom: TypeAlias = Callable[[int], bool]  # whether so many bytes of memory may be taken


class Upkeep:
    """Carries out what is due of one collection; ``attempts`` shows what runs and what failed."""

    def __init__(
        self,
        segments: Directory,
        writer: Writer,
        fields: PayloadIndexing,
        versions: Versions,
        threads: int,
        has_room: HasRoom,
        resting: Resting,
        jobs: Jobs,
    ) -> None:
        self._writer = writer
        self._fields = fields
        self._versions = versions
        self._has_room = has_room
        self._stopped = threading.Event()
        self.attempts = Attempts(writer, jobs, self._stopped.is_set)
        # On a connection of its own: moving the log takes seconds after a large seal, and the
        # writer's is needed for commits meanwhile.
        self._checkpoints = Checkpoints(writer.store.path)
        self._threads = threads
        self._resting = resting
        self._probing = Probing(writer, self._stopped.is_set)
        self._counting = Counting(writer)
        self._vacuuming = Vacuuming(writer, self._stopped.is_set)
        self._replacing = Replacing(segments, writer, threads, self._stopped.is_set)
        # The same work with another reason to end: full segments are merged for the sake of
        # searches alone, and only while nothing else is to be done.
        self._merging = Replacing(segments, writer, threads, self._is_to_wait)
        self._is_wanted: Callable[[], bool] = lambda: False  # who merges, for other work
        self.due = Due(
            writer,
            fields,
            versions,
            self._probing,
            self._counting,
            self._vacuuming,
            resting,
            self.attempts,
            self._stopped.is_set,
            self._is_to_wait,
        )
        sizes = [one.size for one in writer.config.dense.values()]
        self.pacing = Pacing(self._backlog, SealRate(first_rate(max(sizes, default=1))))

    def stop(self) -> None:
        """End running work soon; nothing is lost by it."""
        # First: jobs that end because of the next lines are left without an end, as those of
        # a server that was killed are, and are not noted as failed.
        self.attempts.jobs.stop()
        self._stopped.set()
        self._versions.fitting.stop()

    def forget(self, column: int) -> None:
        """Forget the failures of a column that was dropped."""
        for kind in ("seal", "compact", "merge"):
            self.attempts.succeeded(kind, column)

    @property
    def last_error(self) -> str | None:
        """The text of the last failure of what has not succeeded since."""
        return self.attempts.last(put_off=False)

    @property
    def put_off(self) -> str | None:
        """The text of what was last put off for want of memory, and not carried out since."""
        return self.attempts.last(put_off=True)

    # What waits.

    def _backlog(self) -> Backlog:
        """Return what waits; nothing where nothing is ever sealed."""
        maintenance = self._writer.config.maintenance
        rows = segments = 0
        for vectors in self._writer.view.vectors.values():
            rows = max(rows, sum(part.weight for part in vectors.growing))
            if len(vectors.sealed) >= maintenance.tier_factor:
                segments = max(segments, excess(vectors.sealed, maintenance))
        what = ("seal", "compact") if segments >= _EXCESS else ("seal",)
        failed = self.attempts.failure_of(*what)
        # Writers would be told to wait for seals that never come.
        if self._stopped.is_set() or self._writer.refuses is not None:
            rows = segments = 0  # writes fail, or are about to, and say why
        if failed is not None and failed.full:
            rows = segments = 0  # the disk itself takes no more than there is room for
        stalled = None if failed is None else failed.text
        seal_rows = max(maintenance.seal_rows, LEAST_ROWS)
        return Backlog(rows, seal_rows, segments, _EXCESS, stalled)

    def rest(self) -> None:
        """Wait, for work that brings rows by itself, while many wait to be sealed; not for long."""
        until = time.monotonic() + _LONGEST_REST
        while self.pacing.backlog().pressure > _RESTS_FROM and time.monotonic() < until:
            if self._stopped.wait(_REST_SECONDS):
                return

    def _firm(self) -> int:
        """Return how many threads of a build do not give way to other work now."""
        pressure = self.pacing.backlog().pressure
        return firm_threads(max(pressure, self.pacing.rate.lateness), self._threads)

    def _is_to_wait(self) -> bool:
        """Tell whether merging full segments is to end: rows come in, other work or the end."""
        return (
            self._stopped.is_set()
            or any(len(vectors.growing) > 1 for vectors in self._writer.view.vectors.values())
            or self._is_wanted()
        )

    def close_files(self) -> None:
        """Close the files of an idle collection."""
        with self.attempts.attempt("checkpoint", WHOLE, "moving the log into the store", 0):
            self._resting.rest()

    def improve(self) -> None:
        """Read the index of ids once, count a graph, and try the dearer kinds of an adapter."""
        ids = self._writer.store.ids
        if ids.is_due and not self.attempts.retry_delay("ids"):
            self._quietly("ids", "reading the index of ids", lambda: ids.read(self._stopped.is_set))
        if self._counting.is_due() and not self.attempts.retry_delay("count"):
            self._quietly("count", "counting the rows that no walk meets", self._counting.count)
        if self.due.dearer_delay() == 0:
            self._quietly(
                "improve", "trying further kinds of an adapter", self._versions.fitting.improve
            )

    def watch(self) -> None:
        """Look whether new rows are of the embedding model of the ones before."""
        if not self.due.watch_delay():
            self._quietly("watch", "looking at new rows", self._versions.watching.look)

    def _quietly(self, kind: str, text: str, work: Callable[[], None]) -> None:
        """Do what no one waits for: it is not shown as running."""
        try:
            work()
        except Exception as error:
            if not self._stopped.is_set():
                what = str(error) if isinstance(error, PalimpsestError) else repr(error)
                self.attempts.failed(kind, WHOLE, f"{text}: {what}")
        else:
            self.attempts.succeeded(kind, WHOLE)

    def running(self) -> list[str]:
        """Return a text for each running piece of work that is waited for."""
        return [job.info.what for job in self.attempts.jobs.running() if job.shown]

    # What is done about it.

    def seal(self, *, at_once: bool = True) -> None:
        """Seal the growing rows of every column that has enough of them.

        Args:
            at_once: also try again what failed moments ago.
        """
        for column, growing in self.due.growing_to_seal().items():
            if not at_once and self.attempts.retry_delay("seal", [column]):
                continue
            rows = growing[0].live
            text = f"sealing {rows} rows of {self._name_of(column)}"
            with self.attempts.attempt("seal", column, text, 0):
                self._seal(column, growing[0])
                self._writer.call(self._writer.store.measure).result()
                self._checkpoint()
        self._writer.leases.sweep()  # of parts that were held here, and dropped meanwhile

    def _name_of(self, column: int) -> str:
        """Return what a column is called in texts, also when it was dropped moments ago."""
        name = self._writer.config.columns[column]
        return f"column {column}" if name is None else repr(name)

    def _checkpoint(self) -> None:
        """Let little live in the log alone, now that staged rows are in a segment."""
        try:
            self._checkpoints.move()
        except SyncFailed as error:
            self._writer.store.poison(str(error))
        except StorageError as error:  # the rows are sealed all the same; it is tried again
            self.attempts.failed("checkpoint", WHOLE, str(error))
        else:
            self.attempts.succeeded("checkpoint", WHOLE)

    def merge(self, is_wanted: Callable[[], bool] = lambda: False) -> None:
        """Merge full segments. No one waits for it: it is not shown as running.

        Args:
            is_wanted: whether its thread is, for work that is due; asked often. What was done so
                far is thrown away then, and begun again later.
        """
        for column in [*self.due.parts_to_merge()]:
            self._is_wanted = is_wanted
            try:
                self._merge(column)
                if is_wanted():
                    self.due.rest_merges()  # not at once, to be thrown away again
            except NoRoom:
                self.due.rest_merges()  # again later; nothing is the worse for it
            except Exception as error:
                if not self._stopped.is_set():
                    what = str(error) if isinstance(error, PalimpsestError) else repr(error)
                    text = f"merging full segments of {self._name_of(column)}: {what}"
                    self.attempts.failed("merge", column, text)
            else:
                self.attempts.succeeded("merge", column)
            finally:
                self._is_wanted = lambda: False
        self._writer.leases.sweep()

    def _merge(self, column: int) -> None:
        parts = self.due.parts_to_merge().get(column)
        if parts is not None:
            text = f"merging {len(parts)} segments of {self._name_of(column)}"
            with self.attempts.jobs.begin("merge", text):
                self._compact(column, parts, self._merging)

    def compact(self, *, at_once: bool = True) -> None:
        """Carry out the next compaction of every column that has one due.

        Payload indexes are written to fresh folders, adapters fitted again, and free pages of the
        store given back, when that is due; a store whose last write failed is tried.

        Args:
            at_once: also try again what failed moments ago.
        """
        if self.due.is_in_doubt() and not self.attempts.retry_delay("store"):
            with self.attempts.attempt("store", WHOLE, "trying a write again", 0):
                self._writer.try_store()
        if not self._writer.store.summed.complete and not self.attempts.retry_delay("sum"):
            with self.attempts.attempt("sum", WHOLE, "giving rows their checksums", 0):
                self._sum_rows()
        if self._fields.is_due() and (at_once or not self.attempts.retry_delay("save")):
            with self.attempts.attempt("save", WHOLE, "writing payload indexes", 0):
                self._fields.save()
        if self._versions.is_due() and (at_once or not self.attempts.retry_delay("fit")):
            with self.attempts.attempt("fit", WHOLE, "tending versions (adapters, demand)", 0):
                self._versions.tend()
        if self._probing.is_due() and (at_once or not self.attempts.retry_delay("probe")):
            self._quietly("probe", "probing a segment", self._probing.probe)
        if self._vacuuming.delay() == 0 and (at_once or not self.attempts.retry_delay("vacuum")):
            self._quietly("vacuum", "giving back free pages", self._vacuuming.vacuum)
        for column in [*self.due.parts_to_compact()]:
            if at_once or not self.attempts.retry_delay("compact", [column]):
                self._compact_next(column)
        self._writer.leases.sweep()  # of parts that were held here too

    def _compact_next(self, column: int) -> None:
        parts = self.due.parts_to_compact().get(column)
        if parts is None:
            return
        rows = sum(part.live for part in parts)
        text = f"compacting {len(parts)} segments, {rows} rows of {self._name_of(column)}"
        with self.attempts.attempt("compact", column, text, rows):
            self._compact(column, parts, self._replacing, self._firm)

    def _sum_rows(self) -> None:
        """Give rows of an earlier format their checksums, for a while."""
        until = time.monotonic() + _SUM_SECONDS
        while time.monotonic() < until and not self._stopped.is_set():
            if not self._writer.call(self._writer.store.sum_some).result():
                _log.info("Every row of %s has its checksum", self._writer.store.path)
                return

    def _seal(self, column: int, oldest: AnyGrowing) -> None:
        # By the writer's thread, between two commits: rows that come from then on go to a new
        # growing part, and the frozen one can be read for minutes without a lock.
        part = self._writer.call(lambda: self._freeze(column, oldest)).result()
        if part is None:
            return
        # After it was frozen: what is to be written is known now. Without room it stays frozen, is
        # searched as before, and is tried again.
        self._require_room(column, [part])
        rate, sealed = self.pacing.rate, False
        rate.begin(part.n)
        try:
            sealed = self._replacing.replace(column, [part], part.last_slot, self._firm)
        finally:
            rate.end(sealed=sealed)
            self.due.rest_merges()
        if sealed:
            self.due.sealed()
            # Rows of the table of staged ones, some in each transaction: one for all would hold up
            # writes for seconds.
            while self._writer.call(lambda: purge_some(self._writer.store)).result():
                pass

    def _require_room(self, column: int, parts: Sequence[AnyPart]) -> None:
        vectors = self._writer.view.vectors.get(column)
        needed = 0 if vectors is None else bytes_to_write(vectors, parts)
        if not self._has_room(needed):
            raise NoRoom(needed)

    def _compact(
        self,
        column: int,
        parts: Sequence[AnySealed],
        replacing: Replacing,
        firm: Callable[[], int] = lambda: 0,
    ) -> None:
        self._require_room(column, parts)
        replacing.replace(column, parts, None, firm)

    def _freeze(self, column: int, oldest: AnyGrowing) -> AnyGrowing | None:
        """Stop the growing part from growing, unless one has been stopped before; a job.

        Args:
            column: of the part.
            oldest: what was the oldest growing part when the seal was found to be due.

        Returns:
            The oldest growing part; None when the column was dropped or the part sealed
            meanwhile.
        """
        vectors = self._writer.view.vectors.get(column)
        if vectors is None or not vectors.growing[0].n:
            return None
        # Another thread may have sealed it since: rows that came after it are not due by that.
        if vectors.growing[0].first_slot != oldest.first_slot:
            return None
        # More than one: an earlier attempt failed after it was frozen. That one is sealed first,
        # which keeps the order of slots.
        if len(vectors.growing) == 1:
            self._writer.publish(frozen(self._writer.view, column))
        return vectors.growing[0]
