"""What can be asked of a writer, as values: each kind of write, and whose points it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from palimpsest.index.filters.expression import Filter
from palimpsest.index.storage.ids import Key
from palimpsest.index.write.batch import Upsert, VectorUpdate

Keys: TypeAlias = Sequence[Key]


Edit: TypeAlias = Callable[[bytes | None], bytes | None]  # a payload to the one in its place


@dataclass(frozen=True, slots=True, eq=False)
class Deletion:
    """Delete the points that exist."""

    whose: Keys | Filter


@dataclass(frozen=True, slots=True, eq=False)
class PayloadEdit:
    """Replace payloads by what ``edit`` makes of them."""

    whose: Keys | Filter
    edit: Edit
    frees: bool = False  # it only takes away


@dataclass(frozen=True, slots=True, eq=False)
class VectorDeletion:
    """Delete the vectors of some names, each with its number, from points."""

    whose: Keys | Filter
    names: Mapping[str, int]


Write: TypeAlias = Upsert | VectorUpdate | Deletion | PayloadEdit | VectorDeletion


def filter_of(write: Write) -> Filter | None:
    """Return the filter a write depends on, for which it must see all writes before it."""
    if isinstance(write, (Upsert, VectorUpdate)):
        return write.condition
    return write.whose if isinstance(write.whose, Filter) else None


def frees(write: Write) -> bool:
    """Tell whether a write only takes away, so that a full disk is no reason to refuse it."""
    # An edit that clears payloads frees; one that sets a shorter one may, but nobody knows before
    # it is tried.
    return isinstance(write, (Deletion, VectorDeletion)) or (
        isinstance(write, PayloadEdit) and write.frees
    )


def whose_of(write: Write) -> Keys:
    """Return the keys of the points that a write without a filter is about."""
    if isinstance(write, (Upsert, VectorUpdate)):
        return write.keys
    assert not isinstance(write.whose, Filter)
    return write.whose


def part_of(write: Write, keys: Keys) -> Write:
    """Return a write that only takes away, for some of its points. Raises TypeError for others."""
    if isinstance(write, (Upsert, VectorUpdate)):
        raise TypeError(f"Only writes that take away have parts, not {type(write).__name__}")
    return replace(write, whose=keys)


def names_of(write: Write) -> Mapping[str, int]:
    """Return the vector names a write is about, and their numbers when it was checked."""
    if isinstance(write, (Upsert, VectorUpdate)):
        return {column.name: column.number for column in write.columns}
    return write.names if isinstance(write, VectorDeletion) else {}


def size_of(write: Write) -> int:
    """Return how many points a write is about, 1 where a filter says so."""
    if isinstance(write, (Upsert, VectorUpdate)):
        return len(write.keys)
    return 1 if isinstance(write.whose, Filter) else len(write.whose)
