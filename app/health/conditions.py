"""What is wrong with which collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

from palimpsest.app.remedies import help_of
from palimpsest.index import Collection, CollectionInfo, Integrity

Status: TypeAlias = Literal["green", "yellow", "red"]  # as Qdrant's clients know them


class Condition(NamedTuple):
    """Of one collection."""

    name: str
    status: Status
    error: str | None  # what is wrong, the worst of it
    damaged: bool
    refuses_writes: str | None  # why
    put_off: str | None = None  # what waits for memory


def conditions(
    collections: Iterable[Collection], damaged: Mapping[str, str]
) -> Iterator[Condition]:
    """Yield the condition of every collection.

    Args:
        collections: those that could be opened.
        damaged: those that could not, and why.
    """
    for collection in collections:
        yield condition_of(collection.name, collection.state())
    yield from damaged_ones(damaged)


def condition_of(name: str, info: CollectionInfo) -> Condition:
    """Return the condition of an open collection."""
    refuses, put_off = info.refuses_writes, info.put_off
    return Condition(name, status_of(info), error_of(info), False, refuses, put_off)


def damaged_ones(damaged: Mapping[str, str]) -> Iterator[Condition]:
    """Yield the conditions of those that could not be opened."""
    for name, why in damaged.items():
        yield Condition(name, "red", why, True, why)


def error_of(info: CollectionInfo) -> str | None:
    """Return what is wrong with an open collection."""
    return info.refuses_writes or info.last_error or lost_of(info.integrity)


def lost_of(integrity: Integrity) -> str | None:
    """Return what the scrub found that cannot be made anew."""
    return f"the scrub found: {integrity.findings[0].told(help_of)}" if integrity.lost else None


def told_of(info: CollectionInfo) -> str | None:
    """Return what an operator is told of an open collection: what is wrong, else what waits."""
    return error_of(info) or info.put_off


def status_of(info: CollectionInfo) -> Status:
    """Return the status of an open collection: red when writes or background work fail.

    Yellow while some of it is due, which it may be for long when it waits for memory, and while
    files that the scrub found damaged have not been made anew.
    """
    if error_of(info):
        return "red"
    waits = info.pending > 0 or info.running or info.put_off or info.integrity.findings
    return "yellow" if waits else "green"
