"""Reads everything of one collection in the background, in small steps: the scrub.

A pass reads the files that the store lists, then its tables, then holds points against the rows of
segments. It goes on where it stood when the server was ended. What it finds and what can be derived
is written anew from what is in memory, and what cannot is told until a pass finds it whole.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from palimpsest.index.checks.findings import Finding, telling
from palimpsest.index.checks.folders import check_folders
from palimpsest.index.checks.orphans import lost_of
from palimpsest.index.checks.points import Points
from palimpsest.index.checks.progress import Phase, Progress, read_progress, write_progress
from palimpsest.index.checks.stored import Stored, opened
from palimpsest.index.checks.tables import check_rows
from palimpsest.index.types import DamageKind, Integrity

Heal = Callable[[Finding], None]
DAY = 86_400.0  # seconds
_SOONER = 7.0  # times as soon, where something was found
_SAVE_SECONDS = 10.0
_AFTER: dict[Phase, Phase | None] = {"files": "rows", "rows": "points", "points": None}
_log = logging.getLogger(__name__)


class Ended(Exception):
    """The scrub is to end: the collection is closed, or the server stops."""


class Scrub:
    """Of one collection; ``run`` belongs to one thread, the rest may be asked by any."""

    def __init__(self, store: Path, heal: Heal) -> None:
        """Prepare it.

        Args:
            store: of the collection.
            heal: writes anew what a finding is about, where that can be derived.
        """
        self._store, self._folder, self._heal = store, store.parent, heal
        self._progress = read_progress(self._folder) or Progress(since=time.time())
        self._saved = 0.0
        self._inherited = bool(self._progress.found or self._progress.before)
        self._stopped, self._keeps = False, True
        self._lost = lost_of(self._folder)
        self._met: dict[DamageKind, int] = {"file": 0, "row": 0, "read": 0}

    def stop(self, *, keep: bool = True) -> None:
        """End a pass under way soon; where it stood is kept, unless the collection is dropped."""
        self._keeps = self._keeps and keep
        self._stopped = True

    def due_in(self, days: float) -> float:
        """Return in how many seconds a pass is due, or goes on; at most 0 for now."""
        own = self._progress
        if own.began is not None:
            return 0.0
        pause = days * DAY / (_SOONER if own.found else 1.0)
        last, now = own.finished or own.since, time.time()
        if last > now + DAY:  # the clock was ahead then: nothing is known of when that was
            return 0.0
        return last + pause - now

    def is_due(self, days: float) -> bool:
        """Tell whether a pass is due, or goes on.

        Where none is wanted (0 days) one is, after an opening, if an earlier one found something:
        else what has been mended since would be told for ever.
        """
        return self.due_in(days) <= 0 if days else self._inherited

    def integrity(self) -> Integrity:
        """Return what is known of the collection's files and rows."""
        own = self._progress
        found = [one for one in (*own.found, *own.before) if _is_there(one)]
        return Integrity(
            checked_at=own.finished,
            bytes_read=own.nbytes,
            damaged_files=len({one.file for one in found if one.check == "files"}),
            damaged_rows=sum(one.check != "files" for one in found),
            lost=any(one.severity == "lost" for one in found),
            findings=tuple({str(one): one for one in found}.values()),
            lost_found=self._lost[0],
            lost_found_bytes=self._lost[1],
            met=self._met.copy(),
        )

    def met(self, kind: DamageKind) -> None:
        """Count what was found damaged; each kind is told of by one thread."""
        self._met[kind] += 1

    def look(self) -> None:
        """Look at what lies in ``lost+found``, and keep when the collection was first seen."""
        self._lost = lost_of(self._folder)
        if not self._saved:
            self._save()

    def run(self, wait: Callable[[int], None]) -> None:
        """Carry out a pass, or the rest of one.

        Args:
            wait: called with bytes that were read, keeps to the budget; raises Ended to end it.
        """
        if self._progress.began is None:
            own = self._progress
            self._progress = replace(
                # What the last pass found stands until this one is over: it would else look whole
                # in between.
                own,
                began=time.time(),
                phase="files",
                at=(),
                found=(),
                before=own.found,
            )
        sink = _ScrubSink(self, wait)
        try:
            with telling(sink, "store", self._store), opened(self._store, in_use=True) as stored:
                self._pass(stored, sink)
            self._progress = replace(
                self._progress, began=None, finished=time.time(), at=(), before=()
            )
            self._inherited = False
        finally:
            self._save()

    def _pass(self, stored: Stored, sink: _ScrubSink) -> None:
        phases: dict[Phase, Callable[[Stored, _ScrubSink], None]] = {
            "files": self._files,
            "rows": self._rows,
            "points": self._points,
        }
        phase: Phase | None = self._progress.phase
        while phase is not None:
            self._progress = replace(self._progress, phase=phase)
            phases[phase](stored, sink)
            self._progress = replace(self._progress, at=())
            phase = _AFTER[phase]

    def _files(self, stored: Stored, sink: _ScrubSink) -> None:
        check_folders(stored, sink, self._progress.at, lambda at: self._reached(tuple(at)))

    def _rows(self, stored: Stored, sink: _ScrubSink) -> None:
        with telling(sink, "rows", self._store):
            check_rows(stored, sink, self._progress.at, self._reached)

    def _points(self, stored: Stored, sink: _ScrubSink) -> None:
        start = int(self._progress.at[0]) if self._progress.at else 0
        # Points are compared with rows of segments; in those that are known to be damaged each row
        # would be told of again.
        bad = {one.file.parent.name for one in self._progress.found if one.check == "files"}
        with telling(sink, "points", self._store):
            points = Points(stored, sink, bad, in_use=True, by_id=True)
            points.check(start, lambda number: self._reached((number,)))

    def _reached(self, at: tuple[Any, ...]) -> None:
        self._progress = replace(self._progress, at=at)
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self._save()

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self._keeps:
            write_progress(self._folder, self._progress)

    def note(self, finding: Finding) -> None:
        """Take a finding: log it once, and have written anew what can be."""
        own = self._progress
        # Each week's pass meets the same damage. The log says so once; `integrity` goes on saying
        # it.
        if finding not in (*own.found, *own.before):
            _log.error("Damage was found by the scrub: %s", finding)
            self.met("file" if finding.check == "files" else "row")
        self._progress = own.with_finding(finding)
        self._heal(finding)

    def add(self, nbytes: int) -> None:
        """Take note of bytes that were read. Raises Ended."""
        self._progress = replace(self._progress, nbytes=self._progress.nbytes + nbytes)
        # Asked where bytes are counted, which all checks do all the time, rather than in each of
        # them.
        if self._stopped:
            raise Ended


@dataclass(frozen=True, slots=True)
class _ScrubSink:
    scrub: Scrub
    wait: Callable[[int], None]

    def found(self, finding: Finding) -> None:
        if finding.severity in ("damage", "lost"):
            self.scrub.note(finding)
        elif finding.severity == "unchecked":
            _log.warning("The scrub could not read something: %s", finding)

    def read(self, nbytes: int) -> None:
        self.scrub.add(nbytes)
        self.wait(nbytes)


def _is_there(finding: Finding) -> bool:
    """Tell whether what a finding is about has not been replaced meanwhile."""
    return finding.check != "files" or finding.file.parent.exists()
