"""What a check finds, and whom it tells.

Severities, from harmless on:
  ok         looked at, and as it was written
  note       worth knowing; nothing is wrong
  unchecked  could not be read: nothing is said of it
  damage     wrong, and can be derived from what is there, or costs no data that was acknowledged
  lost       acknowledged data is gone, or contradicts itself, unless a backup has it
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from palimpsest.index.errors import Damaged, PalimpsestError, UnknownFormat
from palimpsest.index.remedies import Remedies, Remedy, in_words
from palimpsest.index.storage.causes import unreadable

Severity: TypeAlias = Literal["ok", "note", "unchecked", "damage", "lost"]
SEVERITIES: tuple[Severity, ...] = ("ok", "note", "unchecked", "damage", "lost")
Check: TypeAlias = Literal[
    "directory",
    "aliases",
    "log",
    "store",
    "index",
    "files",
    "rows",
    "points",
    "orphans",
    "versions",
    "backlog",
]
BACKUP = "restore the file from a backup"
_CONTENTS = (LookupError, TypeError, ValueError, OverflowError, RecursionError, AssertionError)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: where, what, and what to do about it."""

    severity: Severity
    check: Check
    file: Path
    what: str
    expected: str | None = None
    found: str | None = None
    remedy: Remedies | None = None
    collection: str | None = None

    def to_json(self, word: Callable[[Remedy], str] = str) -> dict[str, Any]:
        """Return it as JSON values, every key always there, remedies in the words of ``word``."""
        return {
            "severity": self.severity,
            "check": self.check,
            "collection": self.collection,
            "file": str(self.file),
            "what": self.what,
            "expected": self.expected,
            "found": self.found,
            "remedy": None if self.remedy is None else in_words(self.remedy, word),
        }

    def __str__(self) -> str:
        return self.told()

    def told(self, word: Callable[[Remedy], str] = str) -> str:
        """Return it as a line, remedies in the words of ``word``."""
        said = f"{self.file}: {self.what}"
        if self.expected is not None or self.found is not None:
            said += f": expected {self.expected}, found {self.found}"
        return said if self.remedy is None else f"{said}; {in_words(self.remedy, word)}"


class Sink(Protocol):
    """Whom checks tell what they find, and how far they are."""

    def found(self, finding: Finding) -> None:
        """Take a finding."""

    def read(self, nbytes: int) -> None:
        """Take note of bytes that were read; called after each bounded piece of work.

        May wait, to keep to a budget, or raise to end the check.
        """


def severity_of(error: BaseException) -> Severity:
    """Return how bad it is that a file that cannot be derived cannot be read."""
    if isinstance(error, Damaged):
        return "lost"
    return "unchecked"


def finding_of(
    error: PalimpsestError, check: Check, file: Path, severity: Severity | None = None
) -> Finding:
    """Return what an error of the engine says, as a finding."""
    severity = severity or severity_of(error)
    if isinstance(error, Damaged):
        what = error.finding.removeprefix(f"{error.path} is damaged: ")
        remedy = str(error).removeprefix(error.finding).lstrip("; ")
        return Finding(severity, check, error.path, what, remedy=remedy)
    where = error.path if isinstance(error, UnknownFormat) else file
    return Finding("unchecked", check, where, str(error), remedy=_unread(error))


def _unread(error: PalimpsestError) -> str:
    if isinstance(error, UnknownFormat):
        return "check it with the release that wrote it, or a newer one"
    return "mend the cause, and check again: the file may be whole"


@contextmanager
def telling(sink: Sink, check: Check, file: Path, severity: Severity = "lost") -> Iterator[None]:
    """Tell of whatever goes wrong in the block, which ends with it.

    Args:
        sink: is told.
        check: what the block checks.
        file: what it reads.
        severity: of contents that are not as they were written.
    """
    try:
        yield
    except PalimpsestError as error:
        damaged = severity if isinstance(error, Damaged) else None
        sink.found(finding_of(error, check, file, damaged))
    except OSError as error:
        where = Path(error.filename or file)
        sink.found(finding_of(unreadable(where, error), check, where))
    except sqlite3.Error as error:
        sink.found(Finding(severity, check, file, f"SQLite cannot read it: {error}", remedy=BACKUP))
    except _CONTENTS as error:
        what = f"its contents are not as they were written: {error!r}"
        sink.found(Finding(severity, check, file, what, remedy=BACKUP))


def worst(*severities: Severity) -> Severity:
    """Return the worst of some severities."""
    return max(severities, key=SEVERITIES.index)
