"""Checks every byte of the folders that a store lists: segments, payload indexes, adapters."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from index.checks.bytes_read import checksum_of
from index.checks.findings import BACKUP, Finding, Severity, Sink, telling
from index.errors import UnknownFormat
from index.segments import sealed
from index.sparse import sealed as sparse
from index.storage.files import DESCRIPTION, FORMAT
from index.storage.tidying import ADAPTERS, FIELDS

_ANEW = "the server makes it anew, as does `palimpsest doctor --repair`"
_AGAIN = "fitted again by the server if points hold both versions, else by POST adapters"


def check_folder(folder: Path, checksum: int, sink: Sink) -> None:
    """Check the description of a folder, and length and checksum of each of its files.

    Args:
        folder: of a segment, a payload index or an adapter.
        checksum: of its description, as its store lists it.
        sink: is told.
    """
    path = folder / DESCRIPTION
    severity, remedy = _loss_of(folder, None, {})
    description: Mapping[str, Any] | None = None
    with telling(sink, "files", path, severity):
        length, found = checksum_of(path, sink.read)
        if found != checksum:
            sink.found(_other(path, "checksum", checksum, found, severity, remedy))
            return
        description = json.loads(path.read_bytes())
    if description is None:
        return
    with telling(sink, "files", path, severity):
        if description["format"] not in range(1, FORMAT + 1):
            raise UnknownFormat(path, description["format"], FORMAT)
        for name, one in description["files"].items():
            _check_file(folder, name, one, description, sink)


def _check_file(
    folder: Path, name: str, one: Mapping[str, int], description: Mapping[str, Any], sink: Sink
) -> None:
    path = folder / name
    severity, remedy = _loss_of(folder, name, description)
    try:
        length, checksum = checksum_of(path, sink.read)
    except FileNotFoundError:
        sink.found(Finding(severity, "files", path, "file", "one", "none", remedy))
        return
    if length != one["bytes"]:
        sink.found(_other(path, "length", one["bytes"], length, severity, remedy))
    elif checksum != one["crc32"]:
        sink.found(_other(path, "checksum", one["crc32"], checksum, severity, remedy))


def _other(
    path: Path, what: str, expected: int, found: int, severity: Severity, remedy: str
) -> Finding:
    return Finding(severity, "files", path, what, str(expected), str(found), remedy)


def _loss_of(
    folder: Path, name: str | None, description: Mapping[str, Any]
) -> tuple[Severity, str]:
    """Return how bad the damage of a file is, and what to do about it.

    Args:
        folder: it is in.
        name: of the file; None for the description, without which the others are not known.
        description: of the folder.
    """
    kind = folder.parent.name
    if kind == FIELDS:
        return "damage", _ANEW
    if kind == ADAPTERS:
        return "damage", _AGAIN
    if name is not None and name in spare_of(description):
        return "damage", _ANEW
    return "lost", f"{BACKUP}; its rows are in no other file"


def spare_of(description: Mapping[str, Any]) -> Collection[str]:
    """Return the files of a segment that can be made anew from the others."""
    spare = sparse.spare if description.get("kind") == sparse.KIND else sealed.spare
    return spare(description.get("files", {}))
