"""``palimpsest doctor``: checks a data directory, and says whether data is lost and what to do."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from palimpsest.app.options.option import variable_of
from palimpsest.app.remedies import help_of
from palimpsest.app.settings import Settings
from palimpsest.index import (
    CollectionNotFound,
    PalimpsestError,
    Report,
    check_directory,
    compact_directory,
    repair_directory,
)

_VARIABLE = variable_of("data")
WRONG_USAGE = 2  # status, as argparse has it
INTERRUPTED = 128 + signal.SIGINT  # status, as shells have it
_EVERY = 0.2  # seconds between two signs of life
_ORDER = ("lost", "damage", "unchecked", "note")
_WORDS = {"lost": "LOST", "damage": "DAMAGE", "unchecked": "UNCHECKED", "note": "note"}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.description = (
        "Check a data directory: every file, every row, and all of them against each other. "
        "Nothing is changed without --repair or --compact. A server may be running on it. Exit "
        "status: 0 healthy, 1 damage found (or left after a repair), 2 wrong use, 3 it could not "
        "be checked."
    )
    parser.add_argument(
        "data",
        type=Path,
        nargs="?",
        metavar="DATA",
        help="the directory (PALIMPSEST_DATA, or else ./data)",
    )
    parser.add_argument("--collection", metavar="NAME", help="check only this collection")
    changes = parser.add_mutually_exclusive_group()
    changes.add_argument(
        "--repair",
        action="store_true",
        help="make anew what can be derived, and bring back from segments what a store lost; no "
        "server may be running; nothing is removed that is not kept in lost+found/",
    )
    changes.add_argument(
        "--compact",
        action="store_true",
        help="write stores anew without the pages they keep free, and have them give such pages "
        "back by themselves from then on; no server may be running, and as much room as they use "
        "has to be free; one that was cut off goes on when asked again",
    )
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")


def run(given: dict[str, Any]) -> int:
    """Check, print the report, and return the exit status."""
    data = given["data"] or Path(os.environ.get(_VARIABLE) or Settings.model_fields["data"].default)
    examine = check_directory
    if given["repair"] or given["compact"]:
        examine = repair_directory if given["repair"] else compact_directory
    try:
        report = examine(data, given["collection"], progress=_progress(sys.stderr))
    except KeyboardInterrupt:
        return INTERRUPTED
    except CollectionNotFound as error:
        sys.stderr.write(f"palimpsest: {error.told(help_of)}\n")
        return WRONG_USAGE
    except PalimpsestError as error:  # a server holds it, or nothing can be written there
        report = Report(data)
        report.refuse(error)
    # The line of progress, which would else stand before the report.
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    text = json.dumps(report.to_json(help_of), indent=1) if given["json"] else told(report)
    with suppress(BrokenPipeError):  # whoever reads it has seen enough
        # names of files may be no text
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.buffer.flush()
    return report.exit_status


def told(report: Report) -> str:
    """Return the report as text, the worst first."""
    how = "a server is running on it" if report.mode == "online" else "at rest"
    if report.repairing:
        how = "a repair is running on it"
    lines = [report.summary(help_of), "", f"{report.data}, {how}, in {report.seconds:.1f} s"]
    for one in report.collections:
        lost = f", {one.lost_found} entries in lost+found" if one.lost_found else ""
        points = "unknown" if one.points is None else one.points
        lines.append(
            f"  {one.name}: {one.status}, {points} points, {one.segments} segments, "
            f"{one.bytes_read} bytes read{lost}"
        )
    lines += [f"repaired: {done}" for done in report.repaired]
    lines += [f"compacted: {done}" for done in report.compacted]
    for severity in _ORDER:
        for finding in report.findings:
            if finding.severity == severity:
                lines += ["", f"{_WORDS[severity]}  {finding.told(help_of)}"]
    return "\n".join(lines)


def _progress(terminal: TextIO) -> Callable[[str, int], None]:
    """Return what shows how far a check is, where someone may look at it."""
    shown = 0.0

    def show(name: str, nbytes: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _EVERY:
            shown = now
            terminal.write(f"\r\x1b[K{name}: {nbytes / 1e6:.0f} MB read")
            terminal.flush()

    return show if terminal.isatty() else lambda name, nbytes: None
