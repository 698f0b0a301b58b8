"""Writes stores anew that hold free pages, and checks the directory after it.

Each collection for itself: what was done with those before stays where a later one fails, or where
it is killed; asked again, it goes on with those that are left.
"""

from __future__ import annotations

from pathlib import Path

from palimpsest.index.checks.collection import STORE
from palimpsest.index.checks.findings import Finding
from palimpsest.index.doctor.directory import (
    COLLECTIONS,
    Progress,
    change_directory,
    examine_directory,
)
from palimpsest.index.doctor.report import Report
from palimpsest.index.errors import PalimpsestError
from palimpsest.index.storage.causes import unreadable
from palimpsest.index.storage.compacting import compact
from palimpsest.index.storage.local import Local


def compact_directory(
    data: Path,
    collection: str | None = None,
    *,
    progress: Progress = lambda name, nbytes: None,
) -> Report:
    """Give the free pages of all stores back to the disk, and check the directory.

    Returns:
        What was given back, why something was not, and what was found after it.

    Arguments and errors are those of ``change_directory``.
    """

    def compact_all() -> Report:
        report = Report(data)
        names = Local(data / COLLECTIONS).list() if collection is None else [collection]
        for name in names:
            progress(name, 0)
            _compact(data / COLLECTIONS / name, report)
        return examine_directory(report, collection, progress)

    return change_directory(data, collection, progress, compact_all)


def _compact(folder: Path, report: Report) -> None:
    try:
        done = compact(folder / STORE)
    except (PalimpsestError, OSError) as error:
        told = unreadable(folder, error) if isinstance(error, OSError) else error
        what, helps = f"was not compacted: {told.problem}", told.remedies or None
        report.findings.append(
            Finding("unchecked", "store", folder / STORE, what, None, None, helps, folder.name)
        )
        return
    if done is not None:
        report.compacted.append(f"{folder.name}: {done.before} bytes are {done.after} now")
