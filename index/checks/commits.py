"""Checks how far a store reaches, at rest and while a server writes to it."""

from __future__ import annotations

from pathlib import Path

from palimpsest.index.checks.findings import Finding, Sink, telling
from palimpsest.index.checks.stored import Stored
from palimpsest.index.remedies import Act
from palimpsest.index.storage.files import described
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reach import Reach, read_record, record_of
from palimpsest.index.storage.tidying import SEGMENTS
from palimpsest.index.storage.unfinished import require_restored
from palimpsest.index.storage.verify import check_store


def check_at_rest(path: Path, sink: Sink) -> bool:
    """Check log, chain of commits, record and segments against each other; tell of success."""
    told = _Once(sink)
    with telling(told, "log", path):
        require_restored(path.parent)
        check_store(path)
    return not told.any


def check_in_use(stored: Stored, sink: Sink) -> None:
    """Check record and segments against the store that a server writes to."""
    record = record_of(stored.path)
    # Before the snapshot: the server commits meanwhile, and what a file says now must be in the
    # store by then. In the other order a healthy store would look as if it were behind.
    before, segments = _recorded(record), _of_segments(stored.path.parent)
    with stored.snapshot():
        reach = stored.reach()
    for place, known in (*before, *segments):
        if reach is not None and known.store == reach.store and known.commit > reach.commit:
            what = "commits up to number"
            sink.found(
                Finding(
                    "lost", "log", place, what, str(known.commit), str(reach.commit), Act.RESTORE
                )
            )
    if reach is None and before:
        what = "position says how far the store reaches"
        sink.found(
            Finding("lost", "log", stored.path, what, str(before[0][1]), "none", Act.RESTORE)
        )


def _recorded(record: Path) -> list[tuple[Path, Reach]]:
    try:
        reach = read_record(record)
    except FileNotFoundError:
        return []  # of an earlier format
    return [] if reach is None else [(record, reach)]


def _of_segments(folder: Path) -> list[tuple[Path, Reach]]:
    segments = Local(folder) / SEGMENTS
    names = segments.list() if segments.exists() else []
    said = [(segments.path / name, described(segments / name).get("reach")) for name in names]
    reaches = [(path, Reach.from_json(one)) for path, one in said]
    return [(path, one) for path, one in reaches if one is not None]


class _Once:
    """Notes whether anything was found, and gives what to do about it."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self.any = sink, False

    def found(self, finding: Finding) -> None:
        self.any = True
        self._sink.found(finding)

    def read(self, nbytes: int) -> None:
        self._sink.read(nbytes)
