"""How far a scrub got, and what it found: kept in a small file of the collection.

The file is written beside itself and renamed, without a sync: what a power loss takes of it is read
again. One that cannot be read is as good as none.

Formats: 1, the first.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from palimpsest.index.checks.findings import Finding
from palimpsest.index.remedies import Act, Remedies
from palimpsest.index.storage.directory import replace_file
from palimpsest.index.storage.local import Local

FORMAT = 1
FILE = "scrub.json"
Phase: TypeAlias = Literal["files", "rows", "points"]
MOST_KEPT = 64  # findings


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one collection. Times are in seconds since the epoch.

    ``since`` is when it was first seen, ``began`` when the pass under way did, None between two,
    ``finished`` when the last one ended. ``phase`` and ``at`` are where the pass goes on. ``found``
    is what was found by this pass, and by the last one where this one has not been yet.
    """

    since: float
    began: float | None = None
    finished: float | None = None
    phase: Phase = "files"
    at: tuple[Any, ...] = ()
    nbytes: int = 0  # read, by all passes
    found: tuple[Finding, ...] = ()
    before: tuple[Finding, ...] = field(default=())

    def with_finding(self, finding: Finding) -> Progress:
        """Return it with one more finding; of very many the first."""
        if len(self.found) >= MOST_KEPT or finding in self.found:
            return self
        return replace(self, found=(*self.found, finding))


def read_progress(folder: Path) -> Progress | None:
    """Return what the file says, None where there is none that can be read."""
    try:
        stored: Mapping[str, Any] = json.loads(Local(folder).read(FILE))
        said = stored["progress"]
        if stored["format"] != FORMAT or stored["crc32"] != _checksum(said):
            return None
        both = {name: tuple(map(_finding, said[name])) for name in ("found", "before")}
        return Progress(**{**said, **both, "at": tuple(said["at"])})
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write_progress(folder: Path, progress: Progress) -> None:
    """Write the file; where nothing can be written there is none."""
    said = asdict(progress) | {
        name: [one.to_json() for one in getattr(progress, name)] for name in ("found", "before")
    }
    said = json.loads(json.dumps(said))
    stored = {"format": FORMAT, "crc32": _checksum(said), "progress": said}
    with suppress(OSError):
        replace_file(Local(folder), FILE, json.dumps(stored).encode(), synced=False)


def _finding(said: Mapping[str, Any]) -> Finding:
    remedy = said["remedy"]
    kept: Remedies | None = next((one for one in Act if str(one) == remedy), remedy)
    return Finding(**{**said, "file": Path(said["file"]), "remedy": kept})


def _checksum(said: object) -> int:
    return zlib.crc32(json.dumps(said, sort_keys=True).encode())
