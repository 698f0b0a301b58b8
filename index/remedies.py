"""What may help after an error, as values: what to do and to what, in no interface's words.

An error carries its remedies (``PalimpsestError.remedies``), of which one is enough. As texts they
are in the engine's own words, for logs and for callers in Python. Which call, which command or
which setting carries one out is known to whoever offers these, and worded there. A new remedy is a
class here, or a member of ``Act``, and a part of ``Remedy``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Act(Enum):
    """Remedies that need no names: the value is the text."""

    AWAIT_REPAIR = "wait until that has ended, or choose another directory"
    BRING_BACK = (
        "restore the file from a backup, or let a repair bring back what segments in lost+found/ "
        "hold of it"
    )
    CHOOSE_DIRECTORY = "stop it, or choose another directory"
    FIT_AGAIN = "it is fitted again if points hold both versions, else fit it anew"
    FORCE = "force it"
    GIVE_PAIRS = "give pairs"
    KEEP = (
        "keep it: it may hold what the store lost. It is moved to lost+found/ when the collection "
        "is opened, and by a repair"
    )
    LEAVE_OUT = "search without them"
    NAME_DIRECTORY = "name the directory that was served, and see that it is mounted"
    REINDEX = "let a repair make the index of ids anew"
    REMAKE = "it is made anew while the collection is open, and by a repair"
    REOPEN = "it is derived anew when the collection is next opened, and by a repair"
    REPAIR = "a repair"
    RESTORE = (
        "restore the collection's folder from a backup, or let a repair take the store for what it "
        "holds and bring back what the segments hold"
    )

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class FitAdapter:
    """Let queries of one version find rows of another."""

    vector: str
    rows: str
    queries: str

    def __str__(self) -> str:
        return f"fit an adapter from rows of {self.rows!r} to queries of {self.queries!r}"


@dataclass(frozen=True, slots=True)
class MigratePoints:
    """Write vectors of a version to points that lack it."""

    vector: str
    version: str

    def __str__(self) -> str:
        return f"migrate points that lack version {self.version!r}"


@dataclass(frozen=True, slots=True)
class PairPoints:
    """Write vectors of a version to some points that hold another, drawn at random."""

    vector: str
    version: str

    def __str__(self) -> str:
        return f"write vectors of {self.version!r} to some points that lack them, drawn at random"


@dataclass(frozen=True, slots=True)
class DropVersion:
    """Drop a version as a version; ``collection`` is None for the one that was asked."""

    vector: str
    version: str
    collection: str | None = None

    def __str__(self) -> str:
        return "drop it as a version"


Remedy: TypeAlias = Act | FitAdapter | MigratePoints | PairPoints | DropVersion


Remedies: TypeAlias = str | Remedy | tuple[Remedy, ...]  # a text where no interface is named


def in_words(remedies: Remedies, word: Callable[[Remedy], str] = str) -> str:
    """Return the text of what may help, each remedy in the words of ``word``."""
    if isinstance(remedies, str):
        return remedies
    return alternatives(map(word, remedies if isinstance(remedies, tuple) else (remedies,)))


def alternatives(texts: Iterable[str]) -> str:
    """Return texts as a choice: ``a``, ``a, or b``, ``a, b, or c``."""
    *others, last = texts
    return ", ".join([*others, f"or {last}"]) if others else last
