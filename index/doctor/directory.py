"""Checks a data directory: its lock, what lies in it, and each of its collections.

While it is checked at rest its lock is held in common with other doctors, so that no server starts
in the middle. A directory that a server holds is read beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from palimpsest.index.aliases import FILE, read_aliases
from palimpsest.index.checks.collection import examine
from palimpsest.index.checks.findings import Finding, Severity, Sink, finding_of, telling
from palimpsest.index.doctor.report import Report
from palimpsest.index.errors import CollectionNotFound, Damaged, ReadOnlyDisk
from palimpsest.index.remedies import Act
from palimpsest.index.snapshots.swapping import left_behind
from palimpsest.index.storage.directory_lock import looking, repairing
from palimpsest.index.storage.doubled import copy_of
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.schema import takes_no_writes

COLLECTIONS, UNFINISHED = "collections", "unfinished"
_OWN = {COLLECTIONS, UNFINISHED, "lock", "reserve", FILE, copy_of(Path(FILE)).name, "lost+found"}
_OWN |= {"snapshots"}
_REPAIRING = "a repair is running on it: what is found may be of the middle of it"
Progress = Callable[[str, int], None]


def check_directory(
    data: Path,
    collection: str | None = None,
    *,
    progress: Progress = lambda name, nbytes: None,
) -> Report:
    """Check a data directory; nothing of it is changed.

    Args:
        data: the directory; a server may be running on it.
        collection: check only the one of this name.
        progress: called with what is checked and how many bytes of it have been read.

    Raises:
        CollectionNotFound: there is no collection of that name.
    """
    report = Report(data)
    with ExitStack() as held:
        with telling(_Sink(report, progress), "directory", data):
            in_use, report.repairing = held.enter_context(looking(data))
            report.mode = "online" if in_use else "offline"
        if report.repairing:
            report.findings.append(Finding("note", "directory", data, _REPAIRING))
        if report.of("unchecked"):  # the lock cannot be read
            return report
        return examine_directory(report, collection, progress)


def examine_directory(
    report: Report, collection: str | None, progress: Progress = lambda name, nbytes: None
) -> Report:
    """Check a directory whose lock the caller holds, or a server.

    Raises:
        CollectionNotFound: there is no collection of that name.
    """
    started, data = time.monotonic(), report.data
    sink = _Sink(report, progress)
    names: list[str] | None = None
    with telling(sink, "directory", data):
        names = _names(data, report)
    if names is None:
        return report
    if collection is not None and collection not in names:
        raise CollectionNotFound(collection)
    with telling(sink, "directory", data):
        _check(data, names if collection is None else [collection], report, sink)
        if collection is None:
            _check_aliases(data, names, sink)
            if report.mode == "offline":  # else one may be under way
                _check_cut_off(data, sink)
            _check_others(data, sink)
    report.seconds += time.monotonic() - started
    return report


def change_directory(
    data: Path, collection: str | None, progress: Progress, change: Callable[[], Report]
) -> Report:
    """Change a directory that nobody else holds; one that is none is only examined.

    Args:
        data: the directory; no server may run on it.
        collection: the one that is changed, None for all.
        progress: called with what is looked at and how many bytes of it have been read.
        change: does it, and returns what was done and what was found after it.

    Raises:
        DirectoryLocked: a server, or another doctor, holds it.
        CollectionNotFound: there is no collection of that name.
        ReadOnlyDisk: nothing can be written there.
    """
    if not (data / COLLECTIONS).is_dir():
        return examine_directory(Report(data), collection, progress)
    if takes_no_writes(data):
        raise ReadOnlyDisk(f"{data} takes no writes: nothing can be changed there")
    with repairing(data):
        if collection is not None and collection not in Local(data / COLLECTIONS).list():
            raise CollectionNotFound(collection)
        return change()


def _check(data: Path, names: list[str], report: Report, sink: _Sink) -> None:
    for name in names:
        sink.begin(name)
        folder = data / COLLECTIONS / name
        examined = examine(folder, sink, in_use=report.mode == "online")
        if report.mode == "online" and not folder.exists():  # dropped meanwhile
            report.findings = [one for one in report.findings if one.collection != name]
            continue
        report.collections.append(examined)


def _names(data: Path, report: Report) -> list[str] | None:
    """Return what is among the collections; None where this is no data directory."""
    try:
        return Local(data / COLLECTIONS).list()
    except (FileNotFoundError, NotADirectoryError):
        pass
    what = "no such directory" if not data.exists() else "no data directory: nothing was checked"
    if data.exists() and not data.is_dir():
        what = "a file, and no data directory: nothing was checked"
    helps = Act.NAME_DIRECTORY
    report.findings.append(Finding("unchecked", "directory", data, what, remedy=helps))
    return None


def _check_aliases(data: Path, names: list[str], sink: Sink) -> None:
    path = data / FILE
    with telling(sink, "aliases", path):
        mapping, wrong = read_aliases(path)
        for error in wrong:
            severity: Severity = "damage" if isinstance(error, Damaged) else "unchecked"
            one = finding_of(error, "aliases", path, severity)
            sink.found(
                replace(one, remedy="the server writes it anew from the other when it starts")
            )
        there = {*names, *Local(data / COLLECTIONS).list()}
        for alias, name in sorted(mapping.items()):
            if name not in there:
                what = f"alias {alias!r} means {name!r}, which does not exist"
                remedy = (
                    "restore the collection from a backup if it should: the server forgets the "
                    "alias when it starts"
                )
                sink.found(Finding("note", "aliases", path, what, remedy=remedy))


def _check_cut_off(data: Path, sink: Sink) -> None:
    """Tell of collections that a restore was taking the place of when it was cut off."""
    for path in left_behind(Local(data / UNFINISHED)):
        what = f"collection {path.name!r}, as it was before a restore that was cut off"
        remedy = "start the server, which puts it back"
        sink.found(Finding("damage", "directory", path, what, remedy=remedy))


def _check_others(data: Path, sink: Sink) -> None:
    for name in Local(data).list():
        if name not in _OWN and not name.endswith(".tmp"):
            what, remedy = "is not of the data directory", "move it elsewhere"
            sink.found(Finding("note", "directory", data / name, what, remedy=remedy))


class _Sink:
    def __init__(self, report: Report, progress: Progress) -> None:
        self._report, self._progress = report, progress
        self._name, self._read = "", 0

    def begin(self, name: str) -> None:
        self._name, self._read = name, 0
        self._progress(name, 0)

    def found(self, finding: Finding) -> None:
        self._report.findings.append(finding)

    def read(self, nbytes: int) -> None:
        self._read += nbytes
        self._progress(self._name, self._read)
