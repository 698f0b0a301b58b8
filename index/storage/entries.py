"""Rows of the store's tables, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from palimpsest.index.storage.ids import Ids
from palimpsest.index.types import Numbers, Slots


@dataclass(frozen=True, slots=True)
class Position:
    """Where the log stands: last seq, next slot, number of points."""

    seq: int
    slot: int
    points: int


class Held(NamedTuple):
    """A stored point as a write finds it; the payload only when asked for."""

    number: int
    slots: Slots
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class StagedRows:
    """Rows of one write and one vector name; their slots are ``first`` and up."""

    vector: int
    first: int
    seq: int
    ids: Ids
    numbers: Numbers
    value: bytes | memoryview  # the vectors, in the form their kind is kept in


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """One line of the manifest."""

    name: str
    vector: int
    checksum: int
