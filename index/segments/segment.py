"""Rows of any kind on disk that never change.

Files of every kind: ``slots`` (n,) u64, ``by_slot`` (n,) u32 (rows in ascending slot order),
``seqs`` (n,) u64, ``numbers`` (n,) u32 of the rows' points, ``ids``. A kind adds those of its
values, and says which are ``spare``: those are made anew from the others where they are damaged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeAlias, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.errors import Damaged
from palimpsest.index.segments.columns import require_columns
from palimpsest.index.segments.finding import find_sorted
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import Folder, open_folder
from palimpsest.index.storage.ids import Ids
from palimpsest.index.types import Numbers, Slots

NumbersOf: TypeAlias = Callable[[Ids], Numbers]
S = TypeVar("S", bound="Segment")

_SENSELESS = (LookupError, OverflowError, TypeError, ValueError)  # of contents that do not fit
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """An opened segment. A kind adds its values, and what they are searched by."""

    name: str
    n: int
    slots: Slots
    by_slot: NDArray[np.uint32]
    seqs: NDArray[np.uint64]
    numbers: Numbers
    ids: Ids
    description: Mapping[str, Any]
    bytes_by_component: Mapping[str, int]
    disk: Mapping[str, int]  # bytes of each file
    lacking: tuple[str, ...]  # damaged files that are made anew when it is written again

    @property
    def disk_bytes(self) -> int:
        """Bytes of all files."""
        return sum(self.disk.values())

    @property
    def columns(self) -> Self:
        """What is known of each row: its own columns."""
        return self

    @property
    def resident(self) -> Mapping[str, int]:
        """Bytes in memory by component, now; those under ``originals_mapped`` stay on disk."""
        return self.bytes_by_component

    @property
    def is_scanned(self) -> bool:
        """Whether it was written to have no graph, however many rows it has."""
        return False

    def is_outdated(self, config: Any) -> bool:
        """Tell whether it was written otherwise than its column is wanted now, or lacks files."""
        return bool(self.lacking)

    def find(self, slots: Slots) -> NDArray[np.intp]:
        """Return the row of each slot, -1 where it is not here."""
        return find_sorted(self.slots, self.by_slot, slots)


class OfPoints(TypedDict):
    """What every kind reads of a segment's files."""

    name: str
    n: int
    slots: Slots
    by_slot: NDArray[np.uint32]
    seqs: NDArray[np.uint64]
    numbers: Numbers
    ids: Ids
    description: Mapping[str, Any]
    disk: Mapping[str, int]
    lacking: tuple[str, ...]


def open_segment(
    folder: Directory,
    checksum: int,
    spare: Callable[[Collection[str]], set[str]],
    of: Callable[[Folder], S],
) -> S:
    """Open and check a segment.

    Args:
        folder: where it is.
        checksum: crc32 of its description.
        spare: tells which of its files can be made anew.
        of: makes it of its files; asked again without the spare ones where they make no sense.

    Raises:
        Damaged: a file is not what was written.
        UnknownFormat: a newer release wrote it.
    """
    files = open_folder(folder, checksum, spare)
    try:
        return of(files)
    except _SENSELESS as error:
        _log.warning("%s: contents that make no sense are made anew: %r", folder.path, error)
        whole = files.without(spare(files.description["files"]), repr(error))
    try:
        return of(whole)
    except _SENSELESS as error:
        raise Damaged(folder.path, "contents that fit", repr(error), "segment") from error


def of_points(files: Folder, numbers_of: NumbersOf | None = None) -> OfPoints:
    """Return what every kind has of its points; ids and numbers are read into memory.

    Args:
        files: of the segment.
        numbers_of: gives the numbers of a segment of format 1, whose dead rows may get any.

    Raises:
        ValueError: a column has another shape or dtype, or does not fit the others.
        KeyError: there are no ids or slots.
    """
    require_columns(files)
    ids, slots = files.loaded("ids"), files.mapped("slots")
    by_slot = files.mapped("by_slot") if files.has("by_slot") else None
    return {
        "name": files.path.name,
        "n": len(ids),
        "slots": slots,
        "by_slot": np.argsort(slots).astype(np.uint32) if by_slot is None else by_slot,
        "seqs": files.mapped("seqs"),
        "numbers": _numbers(files, ids, numbers_of),
        "ids": ids,
        "description": files.description,
        "disk": files.sizes,
        "lacking": tuple(files.lacking),
    }


def _numbers(files: Folder, ids: Ids, numbers_of: NumbersOf | None) -> Numbers:
    if files.has("numbers"):
        return files.loaded("numbers")
    if numbers_of is None:
        raise Damaged(files.path, "numbers of its points", "none", "array")
    return numbers_of(ids)
