"""What a run of the doctor found, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from palimpsest.index.checks.collection import Examined
from palimpsest.index.checks.findings import Finding, Severity, worst
from palimpsest.index.errors import DirectoryLocked, PalimpsestError
from palimpsest.index.remedies import Act, Remedy

FORMAT = 1  # of the report as JSON
Mode: TypeAlias = Literal["offline", "online"]
HEALTHY, DAMAGED, UNCHECKED = 0, 1, 3  # exit statuses; 2 is wrong use


@dataclass
class Report:
    """Of one run; ``repaired`` and ``compacted`` say what was done."""

    data: Path
    mode: Mode = "offline"
    repairing: bool = False  # who holds it is no server, but a repair
    collections: list[Examined] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    compacted: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def refuse(self, error: PalimpsestError) -> None:
        """Note why nothing was done at all."""
        if isinstance(error, DirectoryLocked):
            self.mode, self.repairing = "online", error.repairing
        what, helps = f"nothing was done: {error.problem}", error.remedies or None
        self.findings.append(Finding("unchecked", "directory", self.data, what, remedy=helps))

    @property
    def status(self) -> Severity:
        """The worst that was found; notes are none of it."""
        found = worst("ok", *(one.severity for one in self.findings))
        return "ok" if found == "note" else found

    @property
    def exit_status(self) -> int:
        """What the command ends with."""
        return {"lost": DAMAGED, "damage": DAMAGED, "unchecked": UNCHECKED}.get(
            self.status, HEALTHY
        )

    @property
    def bytes_read(self) -> int:
        """Bytes that were read and compared."""
        return sum(one.bytes_read for one in self.collections)

    def of(self, *severities: Severity) -> Sequence[Finding]:
        """Return the findings of some severities."""
        return [one for one in self.findings if one.severity in severities]

    def summary(self, word: Callable[[Remedy], str] = str) -> str:
        """Return the first lines: whether data is lost, and what to do in the words of ``word``."""
        return "\n".join(self._summary(word(Act.REPAIR)))

    def _summary(self, repair: str) -> Sequence[str]:
        points = sum(one.points or 0 for one in self.collections)
        seen = f"{len(self.collections)} collections, {points} points, {self.bytes_read} bytes read"
        lost, damaged, unread = self.of("lost"), self.of("damage"), self.of("unchecked")
        if self.repaired and lost and all(one.check == "log" for one in lost) and not damaged:
            return (
                f"REPAIRED, BUT DATA IS LOST in {_names(lost)}: see what is gone below.",
                "What is there is whole and can be served; a backup may have the rest.",
            )
        if lost:
            return (
                f"DATA IS LOST OR CONTRADICTS ITSELF in {_names(lost)}: {len(lost)} findings.",
                "Keep a copy of the directory before anything else. Then restore what is named "
                f"below from a backup; without one, {repair} with the server stopped brings back "
                "what other files hold, and names what they do not.",
            )
        if damaged:
            return (
                f"DAMAGED, but nothing is lost, in {_names(damaged)}: {len(damaged)} findings.",
                f"A server mends most of this by itself while it serves; {repair} does it now, "
                "with the server stopped.",
            )
        if unread:
            return (
                f"NOT WHOLLY CHECKED: {len(unread)} findings.",
                "Nothing that could be read is damaged. See below for what could not, and why.",
            )
        done = f" {len(self.repaired)} repairs were made, see below." if self.repaired else ""
        return (f"HEALTHY: {seen}.{done}",)

    def to_json(self, word: Callable[[Remedy], str] = str) -> dict[str, Any]:
        """Return it as JSON values; keys are stable, and all there in every report.

        Args:
            word: gives the text of a remedy.
        """
        return {
            "report": FORMAT,
            "data": str(self.data),
            "mode": self.mode,
            "status": self.status,
            "exit_status": self.exit_status,
            "summary": self.summary(word),
            "collections": [one.to_json() for one in self.collections],
            "findings": [one.to_json(word) for one in self.findings],
            "repaired": list(self.repaired),
            "compacted": list(self.compacted),
            "bytes_read": self.bytes_read,
            "seconds": round(self.seconds, 3),
        }


def _names(findings: Sequence[Finding]) -> str:
    names = list(dict.fromkeys(one.collection or "the data directory" for one in findings))
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
