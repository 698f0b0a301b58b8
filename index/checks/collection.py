"""All checks of one collection, one after the other, and what they tell of it besides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from palimpsest.index.checks.commits import check_at_rest, check_in_use
from palimpsest.index.checks.findings import Finding, Severity, Sink, telling, worst
from palimpsest.index.checks.folders import check_folders
from palimpsest.index.checks.orphans import check_lost, check_orphans, lost_of
from palimpsest.index.checks.points import Points
from palimpsest.index.checks.stored import Listing, Stored, opened
from palimpsest.index.checks.tables import check_pages, check_position, check_rows, waiting_rows
from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.remedies import FitAdapter, MigratePoints
from palimpsest.index.storage.schema import FORMAT
from palimpsest.index.storage.tidying import ADAPTERS, FIELDS, SEGMENTS

STORE = "store.sqlite3"
_NUMBERED = 2  # the format from which on points have numbers


@dataclass
class Examined:
    """What was looked at of one collection."""

    name: str
    status: Severity = "ok"
    format: int | None = None
    points: int | None = None
    segments: int = 0
    staged_rows: int = 0
    bytes_read: int = 0
    lost_found: int = 0
    lost_found_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, every key always there."""
        return {
            "name": self.name,
            "status": self.status,
            "format": self.format,
            "points": self.points,
            "segments": self.segments,
            "staged_rows": self.staged_rows,
            "bytes_read": self.bytes_read,
            "lost_found": {"count": self.lost_found, "bytes": self.lost_found_bytes},
        }


def examine(folder: Path, sink: Sink, *, in_use: bool) -> Examined:
    """Check everything of a collection.

    Args:
        folder: the collection's.
        sink: is told what is found.
        in_use: whether a server may be writing to it.
    """
    examined = Examined(folder.name)
    own = _Named(sink, examined)
    if not folder.is_dir() or not (folder / STORE).exists():
        _tell_absent(folder, own)
    elif in_use or check_at_rest(folder / STORE, own):
        with telling(own, "store", folder / STORE), opened(folder / STORE, in_use=in_use) as stored:
            _examine(stored, own, examined, in_use)
    check_lost(folder, own)
    examined.lost_found, examined.lost_found_bytes = lost_of(folder)
    return examined


def _tell_absent(folder: Path, sink: Sink) -> None:
    """Tell of what stands where a collection should, and has no store."""
    if folder.is_dir() and any((folder / kind).exists() for kind in (SEGMENTS, FIELDS, ADAPTERS)):
        what, remedy = "the store of a collection", "restore the collection's folder from a backup"
        sink.found(Finding("lost", "store", folder / STORE, what, "a file", "none", remedy))
        return
    what, remedy = "is no collection, and holds no store", "move it out of the data directory"
    sink.found(Finding("damage", "directory", folder, what, remedy=remedy))


def _examine(stored: Stored, sink: _Named, examined: Examined, in_use: bool) -> None:
    with stored.snapshot():
        listing = stored.listing()
    examined.format, examined.segments = listing.format, len(listing.segments)
    examined.points = listing.position.points
    if in_use:
        with telling(sink, "log", stored.path):
            check_in_use(stored, sink)
    # Before any row: where SQLite's own pages are damaged each table would be told of once more, in
    # worse words.
    whole = check_pages(stored, sink)
    check_folders(stored, sink)
    check_position(stored, listing, sink)
    if whole:
        with telling(sink, "rows", stored.path):
            check_rows(stored, sink)
            examined.staged_rows = waiting_rows(stored)
    if whole and listing.format >= _NUMBERED:
        with telling(sink, "points", stored.path):
            points = Points(stored, sink, sink.distrusted, in_use=in_use)
            points.check()
            _check_versions(stored, listing, points, sink)
    check_orphans(stored, sink)
    _check_backlog(stored, listing, examined, sink)


def _check_versions(stored: Stored, listing: Listing, points: Points, sink: Sink) -> None:
    """Tell of points that queries of the active version do not lead to."""
    config = CollectionConfig.from_json(listing.config)
    leading = {(one.rows, one.queries) for one in listing.adapters}
    for (active, other), count in sorted(points.counted.without.items()):
        if count and (other, active) not in leading:
            ends = config.version_columns
            what = (
                f"{count} points hold {config.columns[other]!r} and not {config.columns[active]!r},"
                " and no adapter leads there: searches do not find them"
            )
            new, old = ends[active], ends[other]
            remedy = (
                FitAdapter(new.vector, old.version, new.version),
                MigratePoints(new.vector, new.version),
            )
            sink.found(Finding("note", "versions", stored.path, what, remedy=remedy))


def _check_backlog(stored: Stored, listing: Listing, examined: Examined, sink: Sink) -> None:
    waiting = []
    if listing.format < FORMAT:
        waiting.append(f"the store has format {listing.format}, this release writes {FORMAT}")
    if examined.staged_rows:
        waiting.append(f"{examined.staged_rows} rows are not sealed yet")
    if listing.summing:
        waiting.append("rows of an earlier release are being given their checksums")
    unbuilt = [one.key for one in listing.fields if one.folder is None]
    if unbuilt:
        waiting.append(f"payload indexes {', '.join(unbuilt)} are not on disk yet")
    for what in waiting:
        remedy = "the server sees to it while it runs"
        sink.found(Finding("note", "backlog", stored.path, what, remedy=remedy))


class _Named:
    """Gives findings the name of the collection, notes the worst, and which folders to trust."""

    def __init__(self, sink: Sink, examined: Examined) -> None:
        self._sink, self._examined = sink, examined
        self.distrusted: set[str] = set()

    def found(self, finding: Finding) -> None:
        self._examined.status = worst(self._examined.status, finding.severity)
        if finding.check == "files":
            self.distrusted.add(finding.file.parent.name)
        self._sink.found(replace(finding, collection=self._examined.name))

    def read(self, nbytes: int) -> None:
        self._examined.bytes_read += nbytes
        self._sink.read(nbytes)
