"""Seals and compacts one collection.

Long work happens here, beside the writer; what changes the collection (starting a new growing
part, putting a segment in the place of its parts) is short and runs as a job of the writer. If the
program dies in between, the folder written so far is deleted on the next open. ``seal`` and
``compact`` may run at the same time, each in one thread at most.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
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
        self._retry_at = 0.0
        self.last_error: str | None = None

    def stop(self) -> None:
        """End running work soon; nothing is lost by it."""
        self._stopped.set()

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
        return max(0.0, due - now, self._retry_at - now)

    def compact_delay(self) -> float | None:
        """Return in how many seconds a compaction is due, 0 for now; None when none is."""
        if self._stopped.is_set() or not any(map(self._to_compact, self._writer.view.vectors)):
            return None
        return max(0.0, self._retry_at - time.monotonic())

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

    def seal(self) -> None:
        """Seal the growing rows of every vector name that has enough of them."""
        for name in self._worth_sealing():
            rows = sum(part.live for part in self._growing(name))
            with _Attempt(self, "seal", f"sealing {rows} rows of {name!r}", 0):
                self._seal(name)

    def compact(self) -> None:
        """Carry out the next compaction of every vector name that has one due."""
        for name in self._writer.view.vectors:
            parts = self._to_compact(name)
            if not parts:
                continue
            rows = sum(part.live for part in parts)
            text = f"compacting {len(parts)} segments, {rows} rows of {name!r}"
            with _Attempt(self, "compact", text, rows):
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

    def _replace(
        self, name: str, parts: Sequence[Growing | SealedPart], seals: int | None
    ) -> bool:
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
            self._writer.call(lambda: self._publish(name, sources, segment, entry, seals)).result()
        except StorageFull:
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
        with store.transaction():
            if entry is not None:
                store.add_segment(entry)
            if seals is not None:
                store.mark_sealed(self._number(name), seals)
            store.remove_segments([part.name for part in gone if isinstance(part, Sealed)])
        self._writer.publish(replaced(self._writer.view, name, gone, segment))

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
    """Shows work as running and keeps the text of its failure."""

    def __init__(self, upkeep: Upkeep, kind: str, text: str, rows: int) -> None:
        self._upkeep, self._kind, self._shown = upkeep, kind, (text, rows)

    def __enter__(self) -> None:
        self._upkeep._running[self._kind] = self._shown

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        upkeep = self._upkeep
        del upkeep._running[self._kind]
        if error is None:
            upkeep.last_error = None
            return False
        if not isinstance(error, PalimpsestError):
            return False
        if not upkeep._stopped.is_set():
            upkeep.last_error = f"{self._shown[0]}: {error}"
            upkeep._retry_at = time.monotonic() + _RETRY_SECONDS
        return True
