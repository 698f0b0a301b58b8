"""Writes stores anew that hold free pages, and checks the directory after it.

Each collection for itself: what was done with those before stays where a later one fails, or where
it is killed; asked again, it goes on with those that are left.
"""

from __future__ import annotations

from pathlib import Path

from palimpsest.index.checks.collection import STORE
from palimpsest.index.checks.findings import Finding
from palimpsest.index.doctor.directory import COLLECTIONS, Progress, examine_directory
from palimpsest.index.doctor.report import Report
from palimpsest.index.errors import CollectionNotFound, PalimpsestError, ReadOnlyDisk
from palimpsest.index.storage.causes import unreadable
from palimpsest.index.storage.compacting import compact
from palimpsest.index.storage.directory_lock import repairing
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.schema import takes_no_writes


def compact_directory(
    data: Path,
    collection: str | None = None,
    *,
    progress: Progress = lambda name, nbytes: None,
) -> Report:
    """Give the free pages of all stores back to the disk, and check the directory.

    Args:
        data: the directory; no server may run on it.
        collection: compact only the one of this name.
        progress: called with what is looked at and how many bytes of it have been read.

    Returns:
        What was given back, why something was not, and what was found after it.

    Raises:
        DirectoryLocked: a server, or another doctor, holds it.
        CollectionNotFound: there is no collection of that name.
        ReadOnlyDisk: nothing can be written there.
    """
    if not (data / COLLECTIONS).is_dir():
        return examine_directory(Report(data), collection, progress)
    if takes_no_writes(data):
        raise ReadOnlyDisk(f"{data} takes no writes: nothing can be compacted there")
    with repairing(data):
        names = Local(data / COLLECTIONS).list()
        if collection is not None and collection not in names:
            raise CollectionNotFound(collection)
        report = Report(data)
        for name in names if collection is None else [collection]:
            progress(name, 0)
            _compact(data / COLLECTIONS / name, report)
        return examine_directory(report, collection, progress)


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
