"""Checks every byte of the folders that a store lists: segments, payload indexes, adapters."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from palimpsest.index.checks.findings import BACKUP, Finding, Severity, Sink, telling
from palimpsest.index.checks.stored import Listing, Stored
from palimpsest.index.errors import UnknownFormat
from palimpsest.index.kinds.registry import kind_named
from palimpsest.index.remedies import Act, Remedies
from palimpsest.index.storage.directory import checksum_of
from palimpsest.index.storage.files import DESCRIPTION, FORMAT
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.tidying import ADAPTERS, FIELDS, SEGMENTS


def check_folders(
    stored: Stored,
    sink: Sink,
    after: Sequence[str] = (),
    reached: Callable[[Sequence[str]], None] = lambda _: None,
) -> None:
    """Check the files of all folders that a store lists, in order, each while it is listed.

    Args:
        stored: the store.
        sink: is told.
        after: the kind, the folder and the file to go on behind.
        reached: is told the same of each file that was checked.
    """
    at = tuple(after)
    while True:
        with stored.snapshot():
            listed = folders_of(stored.listing())
        if at[:2] in listed and len(at) == 3:
            kind, name, file = at
        else:
            # In order of their names, and from a fresh listing each time: folders come and go for
            # as long as a check takes, and none that stays is passed over.
            left = [one for one in sorted(listed) if one > at[:2]]
            if not left:
                return
            (kind, name), file = left[0], ""
        found = _Kept(sink)
        check_folder(
            stored.path.parent / kind / name,
            listed[kind, name],
            found,
            file,
            lambda file, kind=kind, name=name: reached((kind, name, file)),  # type: ignore[misc]
        )
        at = (kind, name)
        if found.kept:  # it may have been replaced and deleted meanwhile
            with stored.snapshot():
                still = folders_of(stored.listing())
            for finding in found.kept if at in still else ():
                sink.found(finding)


def folders_of(listing: Listing) -> dict[tuple[str, ...], int]:
    """Return the kind, the name and the checksum of each folder that is listed."""
    found: dict[tuple[str, ...], int] = {}
    for one in listing.segments:
        found[SEGMENTS, one.name] = one.checksum
    for field in listing.fields:
        if field.folder is not None and field.checksum is not None:
            found[FIELDS, field.folder] = field.checksum
    for adapter in listing.adapters:
        found[ADAPTERS, adapter.folder] = adapter.checksum
    return found


class _Kept:
    """Keeps findings back until they are certain."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.kept: list[Finding] = []

    def found(self, finding: Finding) -> None:
        """Keep a finding."""
        self.kept.append(finding)

    def read(self, nbytes: int) -> None:
        """Pass on what was read."""
        self._sink.read(nbytes)


def check_folder(
    folder: Path,
    checksum: int,
    sink: Sink,
    after: str = "",
    reached: Callable[[str], None] = lambda _: None,
) -> None:
    """Check the description of a folder, and length and checksum of each of its files.

    Args:
        folder: of a segment, a payload index or an adapter.
        checksum: of its description, as its store lists it.
        sink: is told.
        after: the name of the file to go on behind.
        reached: is told the name of each file that was checked.
    """
    path = folder / DESCRIPTION
    severity, remedy = _loss_of(folder, None, {})
    description: Mapping[str, Any] | None = None
    with telling(sink, "files", path, severity):
        # As the disk has it, past the page cache; read a second time only once its checksum is
        # right.
        length, found = checksum_of(_told(folder, DESCRIPTION, sink))
        if found != checksum:
            sink.found(_other(path, "checksum", checksum, found, severity, remedy))
            return
        description = json.loads(Local(folder).read(DESCRIPTION))
    if description is None:
        return
    with telling(sink, "files", path, severity):
        if description["format"] not in range(1, FORMAT + 1):
            raise UnknownFormat(path, description["format"], FORMAT)
        for name, one in sorted(description["files"].items()):
            if name > after:
                _check_file(folder, name, one, description, sink)
                reached(name)


def _check_file(
    folder: Path, name: str, one: Mapping[str, int], description: Mapping[str, Any], sink: Sink
) -> None:
    path = folder / name
    severity, remedy = _loss_of(folder, name, description)
    try:
        length, checksum = checksum_of(_told(folder, name, sink))
    except FileNotFoundError:
        sink.found(Finding(severity, "files", path, "file", "one", "none", remedy))
        return
    if length != one["bytes"]:
        sink.found(_other(path, "length", one["bytes"], length, severity, remedy))
    elif checksum != one["crc32"]:
        sink.found(_other(path, "checksum", one["crc32"], checksum, severity, remedy))


def _told(folder: Path, name: str, sink: Sink) -> Iterator[bytes]:
    for piece in Local(folder).pieces(name):
        yield piece
        sink.read(len(piece))


def _other(
    path: Path, what: str, expected: int, found: int, severity: Severity, remedy: Remedies
) -> Finding:
    return Finding(severity, "files", path, what, str(expected), str(found), remedy)


def _loss_of(
    folder: Path, name: str | None, description: Mapping[str, Any]
) -> tuple[Severity, Remedies]:
    """Return how bad the damage of a file is, and what to do about it.

    Args:
        folder: it is in.
        name: of the file; None for the description, without which the others are not known.
        description: of the folder.
    """
    kind = folder.parent.name
    if kind == FIELDS:
        return "damage", Act.REMAKE
    if kind == ADAPTERS:
        return "damage", Act.FIT_AGAIN
    if name is not None and name in spare_of(description):
        return "damage", Act.REMAKE
    command = f"python -m palimpsest.index.doctor.restoring {folder.parent.parent}"
    without = f"without one, `{command}` gives its rows up"
    return "lost", f"{BACKUP}: its rows are in no other file; {without}"


def spare_of(description: Mapping[str, Any]) -> Collection[str]:
    """Return the files of a segment that can be made anew from the others."""
    kind = kind_named(description.get("kind", "dense"))
    return set() if kind is None else kind.spare(description.get("files", {}))
