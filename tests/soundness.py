"""Whether a collection's folder is whole, as the doctor sees it: for the end of other tests."""

from __future__ import annotations

from pathlib import Path

from palimpsest.index.checks.collection import Examined, examine
from palimpsest.index.checks.findings import Finding


class _Kept:
    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def found(self, finding: Finding) -> None:
        self.findings.append(finding)

    def read(self, nbytes: int) -> None:
        pass


def require_sound(folder: Path) -> Examined:
    """Check a collection at rest; return what was looked at."""
    kept = _Kept()
    examined = examine(folder, kept, in_use=False)
    wrong = [str(one) for one in kept.findings if one.severity != "note"]
    assert wrong == []
    return examined
