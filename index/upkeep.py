"""Seals and compacts one collection.

Long work happens here, beside the writer; what changes the collection (starting a new growing
part, putting a segment in the place of its parts) is short and runs as a job of the writer. If the
program dies in between, the folder written so far is deleted on the next open. ``seal`` and
``compact`` may run at the same time, each in one thread at most.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.config import CollectionConfig
from index.errors import PalimpsestError, StorageFull
from index.recover import purge_some
from index.segments.compact import to_compact
from index.segments.growing import Growing
from index.segments.seal import Build, live_rows, write_segment
from index.segments.sealed import Sealed
from index.storage.files import remove_folder
from index.storage.store import SegmentEntry
from index.types import Slots
from index.view import SealedPart, frozen, replaced
from index.writer import Writer

_RETRY_SECONDS = 10.0  # after a failure, a full disk for example
_UNBURIED = 4_096  # dead slots forgotten by one transaction
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Failure:
    text: str
    retry_at: float


class Upkeep:
    """What is due, what runs, and what failed last, of one collection."""

    def __init__(
        self,
        segments: Path,
        writer: Writer,
        config: Callable[[], CollectionConfig],
        threads: int,
    ) -> None:
        self._segments = segments
        self._writer = writer
        self._config = config
        self._threads = threads
        self._stopped = threading.Event()
        self._running: dict[str, tuple[str, int]] = {}  # by kind: text, rows of segments inside
        self._seen_seq = writer.view.seq
        self._quiet_since = time.monotonic()
        self._failures: dict[tuple[str, str], _Failure] = {}  # by kind and vector name

    def stop(self) -> None:
        """End running work soon; nothing is lost by it."""
        self._stopped.set()

    @property
    def last_error(self) -> str | None:
        """The text of the last failure of what has not succeeded since."""
        failures = [*self._failures.copy().values()]
        return failures[-1].text if failures else None

    def failed(self, kind: str, name: str, text: str) -> None:
        """Record a failure, and log it unless the same was the last of its kind."""
        before = self._failures.pop((kind, name), None)
        self._failures[kind, name] = _Failure(text, time.monotonic() + _RETRY_SECONDS)
        if before is None or before.text != text:
            _log.error("Background work failed, it is tried again: %s", text)

    def succeeded(self, kind: str, name: str) -> None:
        """Forget the failure there was."""
        self._failures.pop((kind, name), None)

    # What is due.

    def seal_delay(self) -> float | None:
        """Return in how many seconds a seal is due, 0 for now; None when no one can tell."""
        now = time.monotonic()
        seq = self._writer.view.seq
        if seq != self._seen_seq:
            self._seen_seq, self._quiet_since = seq, now
        names = self._worth_sealing()
        if not names or self._stopped.is_set():
            return None
        due = self._quiet_since + self._config().maintenance.quiet_seconds
        if any(len(self._growing(name)) > 1 or self._is_full(name) for name in names):
            due = now
        return max(0.0, due - now, self._retry_delay("seal", names))

    def compact_delay(self) -> float | None:
        """Return in how many seconds a compaction is due, 0 for now; None when none is."""
        names = [name for name in self._writer.view.vectors if self._to_compact(name)]
        if self._stopped.is_set() or not names:
            return None
        return self._retry_delay("compact", names)

    def pending(self) -> int:
        """Return the rows that wait for a seal or a compaction, or are inside one."""
        rows = sum(part.live for name in self._worth_sealing() for part in self._growing(name))
        compaction = self._running.get("compact")
        if compaction is not None:
            return rows + compaction[1]
        names = self._writer.view.vectors
        return rows + sum(part.live for name in names for part in self._to_compact(name))

    def running(self) -> list[str]:
        """Return a text for each running piece of work."""
        return [text for text, _ in self._running.copy().values()]

    def _retry_delay(self, kind: str, names: Sequence[str]) -> float:
        """Return in how many seconds the first of the names may be tried, 0 for now."""
        now = time.monotonic()
        failures = (self._failures.get((kind, name)) for name in names)
        return min(max(0.0, one.retry_at - now) if one else 0.0 for one in failures)

    def _growing(self, name: str) -> tuple[Growing, ...]:
        return self._writer.view.vectors[name].growing

    def _is_full(self, name: str) -> bool:
        return self._growing(name)[-1].n >= self._config().maintenance.seal_rows

    def _worth_sealing(self) -> list[str]:
        maintenance = self._config().maintenance
        enough = min(maintenance.quiet_rows, maintenance.seal_rows)
        return [
            name
            for name, vectors in self._writer.view.vectors.items()
            if len(vectors.growing) > 1 or vectors.growing[-1].n >= enough
        ]

    def _to_compact(self, name: str) -> list[SealedPart]:
        vectors = self._writer.view.vectors[name]
        return to_compact(vectors.sealed, vectors.config, self._config().maintenance)

    # What is done about it.

    def seal(self, *, at_once: bool = True) -> None:
        """Seal the growing rows of every vector name that has enough of them.

        Args:
            at_once: also try again what failed moments ago.
        """
        for name in self._worth_sealing():
            if not at_once and self._retry_delay("seal", [name]):
                continue
            rows = sum(part.live for part in self._growing(name))
            with _Attempt(self, "seal", name, f"sealing {rows} rows of {name!r}", 0):
                self._seal(name)

    def compact(self, *, at_once: bool = True) -> None:
        """Carry out the next compaction of every vector name that has one due.

        Args:
            at_once: also try again what failed moments ago.
        """
        for name in self._writer.view.vectors:
            parts = self._to_compact(name)
            if not parts or (not at_once and self._retry_delay("compact", [name])):
                continue
            rows = sum(part.live for part in parts)
            text = f"compacting {len(parts)} segments, {rows} rows of {name!r}"
            with _Attempt(self, "compact", name, text, rows):
                self._compact(name, parts)

    def _seal(self, name: str) -> None:
        part = self._writer.call(lambda: self._freeze(name)).result()
        if self._replace(name, [part], seals=part.last_slot):
            while self._writer.call(lambda: purge_some(self._writer.store)).result():
                pass

    def _compact(self, name: str, parts: Sequence[SealedPart]) -> None:
        if self._replace(name, parts, seals=None):
            for part in parts:
                remove_folder(self._segments / part.segment.name)

    def _freeze(self, name: str) -> Growing:
        """Stop the growing part from growing, unless one has been stopped before; a job."""
        if len(self._growing(name)) == 1:
            self._writer.publish(frozen(self._writer.view, name))
        return self._growing(name)[0]

    def _replace(self, name: str, parts: Sequence[Growing | SealedPart], seals: int | None) -> bool:
        """Write a segment of the parts' live rows and put it in their place; False if stopped."""
        sources = [part if isinstance(part, Growing) else part.segment for part in parts]
        entry, segment, folder = None, None, self._segments / uuid.uuid4().hex
        try:
            if any(part.live for part in parts):
                config = self._writer.view.vectors[name].config
                rows = live_rows([(s, p.dead) for s, p in zip(sources, parts, strict=True)])
                seed = int(rows.slots.min())
                build = Build(config, seed, self._threads, self._stopped.is_set)
                checksum = write_segment(folder, rows, build)
                if checksum is None:
                    return False
                del rows
                segment = Sealed.open(folder, checksum)
                entry = SegmentEntry(folder.name, self._number(name), checksum)
            publishing = self._writer.call(
                lambda: self._publish(name, sources, segment, entry, seals)
            )
        except BaseException:
            remove_folder(folder)
            raise
        try:
            publishing.result()
        except StorageFull:  # after other failures the manifest may name the folder
            remove_folder(folder)
            raise
        self._forget_dead(parts)
        return True

    def _number(self, name: str) -> int:
        return list(self._writer.view.vectors).index(name)

    def _publish(
        self,
        name: str,
        gone: Sequence[Growing | Sealed],
        segment: Sealed | None,
        entry: SegmentEntry | None,
        seals: int | None,
    ) -> None:
        """Replace parts by a segment, in the manifest and in the view; a job."""
        store = self._writer.store
        view = replaced(self._writer.view, name, gone, segment)
        with store.transaction():
            if entry is not None:
                store.add_segment(entry)
            if seals is not None:
                store.mark_sealed(self._number(name), seals)
            store.remove_segments([part.name for part in gone if isinstance(part, Sealed)])
        self._writer.publish(view)  # nothing from the commit on can fail

    def _forget_dead(self, parts: Sequence[Growing | SealedPart]) -> None:
        """Forget the dead slots whose rows were left out; until then they are merely useless."""
        for part in parts:
            slots = part.columns.slots if isinstance(part, Growing) else part.segment.slots
            dead = slots[part.dead.dead_rows(part.n)]
            for start in range(0, len(dead), _UNBURIED):
                some = dead[start : start + _UNBURIED]
                self._writer.call(lambda some=some: self._unbury(some)).result()  # type: ignore[misc]

    def _unbury(self, slots: Slots) -> None:
        with self._writer.store.transaction():
            self._writer.store.unbury(np.asarray(slots))


class _Attempt:
    """Shows work as running; keeps the text of its failure, and has it tried again later."""

    def __init__(self, upkeep: Upkeep, kind: str, name: str, text: str, rows: int) -> None:
        self._upkeep, self._kind, self._name, self._shown = upkeep, kind, name, (text, rows)

    def __enter__(self) -> None:
        self._upkeep._running[self._kind] = self._shown

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        upkeep = self._upkeep
        del upkeep._running[self._kind]
        if error is None:
            upkeep.succeeded(self._kind, self._name)
            return False
        if not isinstance(error, Exception):
            return False
        if not upkeep._stopped.is_set():
            what = str(error) if isinstance(error, PalimpsestError) else repr(error)
            upkeep.failed(self._kind, self._name, f"{self._shown[0]}: {what}")
        return True
