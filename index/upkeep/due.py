"""What is due of one collection, and in how many seconds: rows to seal, segments to compact."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from palimpsest.index.segments.growing_part import AnyGrowing
from palimpsest.index.upkeep.attempts import Attempts
from palimpsest.index.upkeep.counting import Counting
from palimpsest.index.upkeep.payload_indexing import PayloadIndexing
from palimpsest.index.upkeep.probing import Probing, to_write_anew
from palimpsest.index.upkeep.replacing import bytes_to_write
from palimpsest.index.upkeep.resting import Resting
from palimpsest.index.upkeep.tiers import to_compact, to_merge
from palimpsest.index.upkeep.vacuuming import Vacuuming
from palimpsest.index.versions.demand import Demand
from palimpsest.index.versions.fitting import Fitting
from palimpsest.index.versions.watching import Watching
from palimpsest.index.view.view import AnySealed
from palimpsest.index.write.writer import Writer

_COUNT_SECONDS = 30.0  # between looks at what searches were counted
_RELEASE_SECONDS = 1.0  # between looks at whether readers of replaced folders are done
_BUSY_SECONDS = 1.0  # until it is asked again whether fits are under way
_MERGE_SECONDS = 30.0  # since the last seal, until full segments are merged


@dataclass(frozen=True, slots=True)
class Versions:
    """What of a collection's versions is tended in the background."""

    fitting: Fitting
    demand: Demand
    watching: Watching

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


class Due:
    """Looks at what is published and at what failed; used by the threads of the upkeep."""

    def __init__(
        self,
        writer: Writer,
        fields: PayloadIndexing,
        versions: Versions,
        probing: Probing,
        counting: Counting,
        vacuuming: Vacuuming,
        resting: Resting,
        attempts: Attempts,
        is_stopped: Callable[[], bool],
        is_to_wait: Callable[[], bool],
    ) -> None:
        self._writer = writer
        self._fields = fields
        self._versions = versions
        self._probing = probing
        self._counting = counting
        self._vacuuming = vacuuming
        self._resting = resting
        self._attempts = attempts
        self._is_stopped = is_stopped
        self._is_to_wait = is_to_wait  # whether merging full segments is
        self._seen_seq = writer.view.seq
        self._quiet_since = self._rested_at = time.monotonic()
        self._waiting_since: float | None = None

    def rest_merges(self) -> None:
        """Leave full segments alone for a while from now on."""
        self._rested_at = time.monotonic()

    def seal_delay(self) -> float | None:
        """Return in how many seconds a seal is due, 0 for now; None when no one can tell."""
        now = time.monotonic()
        seq = self._writer.view.seq
        if seq != self._seen_seq:
            self._seen_seq, self._quiet_since = seq, now
        worth = self.growing_to_seal()
        if not worth:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        if not worth or self._is_stopped():
            return None
        maintenance = self._writer.config.maintenance
        due = self._quiet_since + maintenance.quiet_seconds
        if any(len(g) > 1 or g[-1].weight >= maintenance.seal_rows for g in worth.values()):
            due = now
        return max(0.0, due - now, self._attempts.retry_delay("seal", list(worth)))

    def sealed(self) -> None:
        """Note that rows were sealed: what waits now is younger."""
        self._waiting_since = None

    def waiting_seconds(self) -> float:
        """Return for how long enough rows for a seal have waited; any thread may ask."""
        since = self._waiting_since
        return 0.0 if since is None else time.monotonic() - since

    def merge_delay(self) -> float | None:
        """Return in how many seconds full segments are to be merged, 0 for now; None for never."""
        columns = list(self.parts_to_merge())
        if not columns or self._is_to_wait():
            return None
        quiet = self._rested_at + _MERGE_SECONDS - time.monotonic()
        return max(0.0, quiet, self._attempts.retry_delay("merge", columns))

    def compact_delay(self) -> float | None:
        """Return in how many seconds a compaction is due, 0 for now; None when none is."""
        columns = list(self.parts_to_compact())
        if self._is_stopped():
            return None
        if self._writer.leases.is_due:
            return 0.0
        delays = [self._attempts.retry_delay("compact", columns)] if columns else []
        due = {
            "store": self.is_in_doubt(),
            "sum": not self._writer.store.summed.complete,
            "save": self._fields.is_due(),
            "probe": self._probing.is_due(),
        }
        delays += [self._attempts.retry_delay(kind) for kind, is_due in due.items() if is_due]
        if self._writer.leases.waiting:
            delays.append(_RELEASE_SECONDS)  # readers end without waking anyone
        if (vacuum := self._vacuuming.delay()) is not None:
            delays.append(max(vacuum, self._attempts.retry_delay("vacuum")))
        if self._versions.is_due():
            delays.append(self._attempts.retry_delay("fit"))
        elif self._writer.view.bridges:
            delays.append(_COUNT_SECONDS)  # searches are counted without waking anyone
        return min(delays, default=None)

    def is_in_doubt(self) -> bool:
        """Tell whether writes may fail: the last one did, or an attempt, which is shown."""
        return (
            self._writer.store.trouble is not None or self._attempts.failure_of("store") is not None
        )

    def rest_delay(self) -> float | None:
        """Return in how many seconds the files are to be closed, 0 for now; None if they are."""
        if self._is_stopped() and not self._writer.store.read_only:
            return None
        delay = self._resting.delay()
        return None if delay is None else max(delay, self._attempts.retry_delay("checkpoint"))

    def improve_delay(self) -> float | None:
        """Return in how many seconds there is work that no one waits for; None for none.

        It is to read the index of ids of a large store, to count what the graphs of new segments do
        not lead to, and to try dearer kinds of adapters.
        """
        if self._is_stopped():
            return None
        ids_are_due = self._writer.store.ids.is_due
        delays = [
            self._attempts.retry_delay("ids") if ids_are_due else None,
            self._attempts.retry_delay("count") if self._counting.is_due() else None,
            self.dearer_delay(),
        ]
        return min((one for one in delays if one is not None), default=None)

    def watch_delay(self) -> float | None:
        """Return in how many seconds new rows are to be looked at, 0 for now; None for none."""
        delay = None if self._is_stopped() else self._versions.watching.delay()
        return None if delay is None else max(delay, self._attempts.retry_delay("watch"))

    def dearer_delay(self) -> float | None:
        """Return in how many seconds a dearer adapter is to be tried, 0 for now; None for none."""
        if self._versions.fitting.improvable() is None:
            return None
        busy = _BUSY_SECONDS if self._versions.fitting.busy else 0
        return max(self._attempts.retry_delay("improve"), busy)

    def pending(self) -> int:
        """Return the rows that wait for a seal or a compaction, or are inside one."""
        rows = sum(part.live for growing in self.growing_to_seal().values() for part in growing)
        inside = sum(job.rows for job in self._attempts.jobs.running())
        if inside:
            return rows + inside
        return rows + sum(part.live for parts in self.parts_to_compact().values() for part in parts)

    def needed(self) -> int:
        """Return the bytes that the dearest seal to come takes, and the next growth of its rows."""
        needs = [0]
        for vectors in self._writer.view.vectors.values():
            sealing = max(bytes_to_write(vectors, [part]) for part in vectors.growing)
            needs.append(sealing + vectors.growing[-1].columns.nbytes)
        return max(needs)

    def growing_to_seal(self) -> dict[int, tuple[AnyGrowing, ...]]:
        """Return the growing parts of every column that has enough rows in them."""
        maintenance = self._writer.config.maintenance
        enough = min(maintenance.quiet_rows, maintenance.seal_rows)
        return {
            column: vectors.growing
            for column, vectors in self._writer.view.vectors.items()
            if len(vectors.growing) > 1 or vectors.growing[-1].weight >= enough
        }

    def parts_to_compact(self) -> dict[int, list[AnySealed]]:
        """Return the parts that the next compaction of a column takes, where one is due."""
        maintenance = self._writer.config.maintenance
        due = {
            column: to_compact(vectors, maintenance) or [*to_write_anew(vectors)]
            for column, vectors in self._writer.view.vectors.items()
        }
        return {column: parts for column, parts in due.items() if parts}

    def parts_to_merge(self) -> dict[int, list[AnySealed]]:
        """Return the full segments that are merged next, where nothing else is due."""
        maintenance = self._writer.config.maintenance
        if self.parts_to_compact():
            return {}
        due = {
            column: to_merge(vectors.sealed, maintenance)
            for column, vectors in self._writer.view.vectors.items()
        }
        return {column: parts for column, parts in due.items() if parts}
