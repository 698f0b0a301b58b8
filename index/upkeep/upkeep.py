"""Seals and compacts one collection.

Long work happens here, beside the writer; what changes the collection (starting a new growing
part, putting a segment in the place of its parts) is short and runs as a job of the writer. If the
program dies in between, the folder written so far is deleted on the next open. What was made of a
vector name that was dropped meanwhile is thrown away. ``seal`` and ``compact`` may run at the same
time, each in one thread at most.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from index.errors import NoRoom, PalimpsestError, StorageError, SyncFailed
from index.storage.checkpoints import Checkpoints
from index.storage.files import remove_folder
from index.upkeep.attempts import Attempts
from index.upkeep.backlog import LEAST_ROWS, Backlog, firm_threads, first_rate
from index.upkeep.pacing import Pacing, SealRate
from index.upkeep.payload_indexing import PayloadIndexing
from index.upkeep.probing import Probing, to_write_anew
from index.upkeep.recover import purge_some
from index.upkeep.replacing import Replacing, bytes_to_write
from index.upkeep.tiers import excess, to_compact, to_merge
from index.versions.demand import Demand
from index.versions.fitting import Fitting
from index.view.view import AnyGrowing, SealedPart
from index.write.changes import frozen
from index.write.writer import Writer

_COUNT_SECONDS = 30.0  # between looks at what searches were counted
_BUSY_SECONDS = 1.0  # until it is asked again whether fits are under way
_SUM_SECONDS = 0.5  # of giving rows their checksums, before other work has its turn
_MERGE_SECONDS = 30.0  # since the last seal, until full segments are merged
_REST_SECONDS, _LONGEST_REST = 0.05, 60.0  # between two looks, and in all
_RESTS_FROM = 1.5  # pressure
_EXCESS = 32  # segments beyond what is left of each tier: rows are refused
_log = logging.getLogger(__name__)


HasRoom: TypeAlias = Callable[[int], bool]  # whether so many bytes of memory may be taken


@dataclass(frozen=True, slots=True)
class Versions:
    """What of a collection's versions is tended in the background."""

    fitting: Fitting
    demand: Demand

    def is_due(self) -> bool:
        """Tell whether there is something to do."""
        fitting = self.fitting
        return fitting.warming.unwarmed() or fitting.due() is not None or self.demand.is_due()

    def tend(self) -> None:
        """Make adapters ready for new rows, write demand, fit again where pairs have doubled."""
        self.fitting.warming.warm()
        if self.demand.is_due():
            self.demand.save()
        self.fitting.fit_again()


class Upkeep:
    """What is due, what runs, and what failed last, of one collection."""

    def __init__(
        self,
        segments: Path,
        writer: Writer,
        fields: PayloadIndexing,
        versions: Versions,
        threads: int,
        has_room: HasRoom,
    ) -> None:
        self._segments = segments
        self._writer = writer
        self._fields = fields
        self._versions = versions
        self._has_room = has_room
        self._stopped = threading.Event()
        self.attempts = Attempts(writer, self._stopped.is_set)
        self._checkpoints = Checkpoints(writer.store.path)
        self._threads = threads
        self._probing = Probing(writer, self._stopped.is_set)
        self._replacing = Replacing(segments, writer, threads, self._stopped.is_set)
        self._merging = Replacing(segments, writer, threads, self._is_to_wait)
        self._is_wanted: Callable[[], bool] = lambda: False  # who merges, for other work
        self._sealed_at = time.monotonic()
        sizes = [one.size for one in writer.config.dense.values()]
        self.pacing = Pacing(self._backlog, SealRate(first_rate(max(sizes, default=1))))
        self._seen_seq = writer.view.seq
        self._quiet_since = time.monotonic()

    def stop(self) -> None:
        """End running work soon; nothing is lost by it."""
        self._stopped.set()
        self._versions.fitting.stop()

    def forget(self, name: str) -> None:
        """Forget the failures of a vector name that was dropped."""
        for kind in ("seal", "compact", "merge"):
            self.attempts.succeeded(kind, name)

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
            rows = max(rows, sum(part.n for part in vectors.growing))
            if len(vectors.sealed) >= maintenance.tier_factor:
                segments = max(segments, excess(vectors.sealed, maintenance))
        what = ("seal", "compact") if segments >= _EXCESS else ("seal",)
        failed = self.attempts.failure_of(*what)
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

    # What is due.

    def seal_delay(self) -> float | None:
        """Return in how many seconds a seal is due, 0 for now; None when no one can tell."""
        now = time.monotonic()
        seq = self._writer.view.seq
        if seq != self._seen_seq:
            self._seen_seq, self._quiet_since = seq, now
        worth = self._worth_sealing()
        if not worth or self._stopped.is_set():
            return None
        maintenance = self._writer.config.maintenance
        due = self._quiet_since + maintenance.quiet_seconds
        if any(len(g) > 1 or g[-1].n >= maintenance.seal_rows for g in worth.values()):
            due = now
        return max(0.0, due - now, self.attempts.retry_delay("seal", list(worth)))

    def merge_delay(self) -> float | None:
        """Return in how many seconds full segments are to be merged, 0 for now; None for never."""
        names = list(self._to_merge())
        if not names or self._is_to_wait():
            return None
        quiet = self._sealed_at + _MERGE_SECONDS - time.monotonic()
        return max(0.0, quiet, self.attempts.retry_delay("merge", names))

    def compact_delay(self) -> float | None:
        """Return in how many seconds a compaction is due, 0 for now; None when none is."""
        names = list(self._to_compact())
        if self._stopped.is_set():
            return None
        delays = [self.attempts.retry_delay("compact", names)] if names else []
        if self._is_in_doubt():
            delays.append(self.attempts.retry_delay("store", [""]))
        if not self._writer.store.summed.complete:
            delays.append(self.attempts.retry_delay("sum", [""]))
        if self._fields.is_due():
            delays.append(self.attempts.retry_delay("save", [""]))
        if self._probing.is_due():
            delays.append(self.attempts.retry_delay("probe", [""]))
        if self._versions.is_due():
            delays.append(self.attempts.retry_delay("fit", [""]))
        elif self._writer.view.bridges:
            delays.append(_COUNT_SECONDS)  # searches are counted without waking anyone
        return min(delays, default=None)

    def _is_in_doubt(self) -> bool:
        """Tell whether writes may fail: the last one did, or an attempt, which is shown."""
        return (
            self._writer.store.trouble is not None or self.attempts.failure_of("store") is not None
        )

    def trim_delay(self) -> float | None:
        """Return in how many seconds the log is to be emptied, 0 for now; None if it is empty."""
        if self._stopped.is_set():
            return None
        if self.attempts.failure_of("checkpoint") is not None:
            return self.attempts.retry_delay("checkpoint", [""])
        return self._checkpoints.trim_delay(self._quiet_since)

    def trim(self) -> None:
        """Empty the log of an idle collection."""
        with self.attempts.attempt("checkpoint", "", "moving the log into the store", 0):
            self._checkpoints.trim()

    def improve_delay(self) -> float | None:
        """Return in how many seconds there is work that no one waits for; None for none.

        It is to read the index of ids of a large store, and to try dearer kinds of adapters.
        """
        if self._stopped.is_set():
            return None
        ids_are_due = self._writer.store.ids.is_due
        delays = [
            self.attempts.retry_delay("ids", [""]) if ids_are_due else None,
            self._dearer_delay(),
        ]
        return min((one for one in delays if one is not None), default=None)

    def _dearer_delay(self) -> float | None:
        if self._versions.fitting.improvable() is None:
            return None
        busy = _BUSY_SECONDS if self._versions.fitting.busy else 0
        return max(self.attempts.retry_delay("improve", [""]), busy)

    def improve(self) -> None:
        """Read the index of ids once, and try the dearer kinds of an adapter."""
        ids = self._writer.store.ids
        if ids.is_due and not self.attempts.retry_delay("ids", [""]):
            self._quietly("ids", "reading the index of ids", lambda: ids.read(self._stopped.is_set))
        if not self._dearer_delay():
            self._quietly(
                "improve", "trying further kinds of an adapter", self._versions.fitting.improve
            )

    def _quietly(self, kind: str, text: str, work: Callable[[], None]) -> None:
        """Do what no one waits for: it is not shown as running."""
        try:
            work()
        except Exception as error:
            if not self._stopped.is_set():
                what = str(error) if isinstance(error, PalimpsestError) else repr(error)
                self.attempts.failed(kind, "", f"{text}: {what}")
        else:
            self.attempts.succeeded(kind, "")

    def pending(self) -> int:
        """Return the rows that wait for a seal or a compaction, or are inside one."""
        rows = sum(part.live for growing in self._worth_sealing().values() for part in growing)
        compaction = self.attempts.running.get("compact")
        if compaction is not None:
            return rows + compaction[1]
        return rows + sum(part.live for parts in self._to_compact().values() for part in parts)

    def needed(self) -> int:
        """Return the bytes that the dearest seal to come takes, and the next growth of its rows."""
        needs = [0]
        for vectors in self._writer.view.vectors.values():
            sealing = max(bytes_to_write(vectors.config, [part]) for part in vectors.growing)
            needs.append(sealing + vectors.growing[-1].columns.nbytes)
        return max(needs)

    def running(self) -> list[str]:
        """Return a text for each running piece of work."""
        return [text for text, _ in self.attempts.running.copy().values()]

    def _worth_sealing(self) -> dict[str, tuple[AnyGrowing, ...]]:
        """Return the growing parts of every vector name that has enough rows in them."""
        maintenance = self._writer.config.maintenance
        enough = min(maintenance.quiet_rows, maintenance.seal_rows)
        return {
            name: vectors.growing
            for name, vectors in self._writer.view.vectors.items()
            if len(vectors.growing) > 1 or vectors.growing[-1].n >= enough
        }

    def _to_compact(self) -> dict[str, list[SealedPart]]:
        """Return the parts that the next compaction of a vector name takes, where one is due."""
        maintenance = self._writer.config.maintenance
        due = {
            name: to_compact(vectors.sealed, vectors.config, maintenance)
            or to_write_anew(vectors.sealed)
            for name, vectors in self._writer.view.vectors.items()
        }
        return {name: parts for name, parts in due.items() if parts}

    def _to_merge(self) -> dict[str, list[SealedPart]]:
        """Return the full segments that are merged next, where nothing else is due."""
        maintenance = self._writer.config.maintenance
        if self._to_compact():
            return {}
        due = {
            name: to_merge(vectors.sealed, maintenance)
            for name, vectors in self._writer.view.vectors.items()
        }
        return {name: parts for name, parts in due.items() if parts}

    # What is done about it.

    def seal(self, *, at_once: bool = True) -> None:
        """Seal the growing rows of every vector name that has enough of them.

        Args:
            at_once: also try again what failed moments ago.
        """
        for name, growing in self._worth_sealing().items():
            if not at_once and self.attempts.retry_delay("seal", [name]):
                continue
            rows = growing[0].live
            with self.attempts.attempt("seal", name, f"sealing {rows} rows of {name!r}", 0):
                self._seal(name)
                self._checkpoint()

    def _checkpoint(self) -> None:
        """Let little live in the log alone, now that staged rows are in a segment."""
        try:
            self._checkpoints.move()
        except SyncFailed as error:
            self._writer.store.poison(str(error))
        except StorageError as error:  # the rows are sealed all the same; it is tried again
            self.attempts.failed("checkpoint", "", str(error))
        else:
            self.attempts.succeeded("checkpoint", "")

    def merge(self, is_wanted: Callable[[], bool] = lambda: False) -> None:
        """Merge full segments. No one waits for it: it is not shown as running.

        Args:
            is_wanted: whether its thread is, for work that is due; asked often. What was done so
                far is thrown away then, and begun again later.
        """
        for name, parts in self._to_merge().items():
            self._is_wanted = is_wanted
            try:
                self._compact(name, parts, self._merging)
                if is_wanted():
                    self._sealed_at = time.monotonic()  # not at once, to be thrown away again
            except NoRoom:
                self._sealed_at = time.monotonic()  # again later; nothing is the worse for it
            except Exception as error:
                if not self._stopped.is_set():
                    what = str(error) if isinstance(error, PalimpsestError) else repr(error)
                    self.attempts.failed(
                        "merge", name, f"merging {len(parts)} segments of {name!r}: {what}"
                    )
            else:
                self.attempts.succeeded("merge", name)
            finally:
                self._is_wanted = lambda: False

    def compact(self, *, at_once: bool = True) -> None:
        """Carry out the next compaction of every vector name that has one due.

        Payload indexes are written to fresh folders, and adapters fitted again, when that is due;
        a store whose last write failed is tried.

        Args:
            at_once: also try again what failed moments ago.
        """
        if self._is_in_doubt() and not self.attempts.retry_delay("store", [""]):
            with self.attempts.attempt("store", "", "trying a write again", 0):
                self._writer.try_store()
        if not self._writer.store.summed.complete and not self.attempts.retry_delay("sum", [""]):
            with self.attempts.attempt("sum", "", "giving rows their checksums", 0):
                self._sum_rows()
        if self._fields.is_due() and (at_once or not self.attempts.retry_delay("save", [""])):
            with self.attempts.attempt("save", "", "writing payload indexes", 0):
                self._fields.save()
        if self._versions.is_due() and (at_once or not self.attempts.retry_delay("fit", [""])):
            with self.attempts.attempt("fit", "", "tending versions (adapters, demand)", 0):
                self._versions.tend()
        if self._probing.is_due() and (at_once or not self.attempts.retry_delay("probe", [""])):
            self._quietly("probe", "probing a segment", self._probing.probe)
        for name, parts in self._to_compact().items():
            if not at_once and self.attempts.retry_delay("compact", [name]):
                continue
            rows = sum(part.live for part in parts)
            text = f"compacting {len(parts)} segments, {rows} rows of {name!r}"
            with self.attempts.attempt("compact", name, text, rows):
                self._compact(name, parts, self._replacing, self._firm)

    def _sum_rows(self) -> None:
        """Give rows of an earlier format their checksums, for a while."""
        until = time.monotonic() + _SUM_SECONDS
        while time.monotonic() < until and not self._stopped.is_set():
            if not self._writer.call(self._writer.store.sum_some).result():
                _log.info("Every row of %s has its checksum", self._writer.store.path)
                return

    def _seal(self, name: str) -> None:
        part = self._writer.call(lambda: self._freeze(name)).result()
        if part is None:
            return
        self._require_room(name, [part])
        rate, sealed = self.pacing.rate, False
        rate.begin(part.n)
        try:
            sealed = self._replacing.replace(name, [part], part.last_slot, self._firm)
        finally:
            rate.end(sealed=sealed)
            self._sealed_at = time.monotonic()
        if sealed:
            while self._writer.call(lambda: purge_some(self._writer.store)).result():
                pass

    def _require_room(self, name: str, parts: Sequence[AnyGrowing | SealedPart]) -> None:
        vectors = self._writer.view.vectors.get(name)
        needed = 0 if vectors is None else bytes_to_write(vectors.config, parts)
        if not self._has_room(needed):
            raise NoRoom(needed)

    def _compact(
        self,
        name: str,
        parts: Sequence[SealedPart],
        replacing: Replacing,
        firm: Callable[[], int] = lambda: 0,
    ) -> None:
        self._require_room(name, parts)
        if replacing.replace(name, parts, None, firm):
            for part in parts:
                remove_folder(self._segments / part.segment.name)

    def _freeze(self, name: str) -> AnyGrowing | None:
        """Stop the growing part from growing, unless one has been stopped before; a job.

        Returns:
            The oldest growing part; None when the name was dropped meanwhile, or means a version
            without growing rows by now.
        """
        vectors = self._writer.view.vectors.get(name)
        if vectors is None or not vectors.growing[0].n:
            return None
        if len(vectors.growing) == 1:
            self._writer.publish(frozen(self._writer.view, name))
        return vectors.growing[0]
