"""``palimpsest restore``: checks a snapshot, or puts it into the data directory of no server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from palimpsest.app.options.option import variable_of
from palimpsest.app.release import RELEASE
from palimpsest.app.remedies import help_of
from palimpsest.app.settings import Settings
from palimpsest.index import PalimpsestError, restore_snapshot, verify_snapshot

_VARIABLE = variable_of("data")
FAILED = 1  # status


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.description = (
        "Put a snapshot into a data directory that no server has open, or check it with --verify. "
        "A running server restores by its own calls. Exit status: 0 done, 1 the snapshot cannot be "
        "restored, 2 wrong use."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the snapshot")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="unpack it aside, check it as before a restore, and change nothing",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DATA", help="the directory (PALIMPSEST_DATA, or else ./data)"
    )
    parser.add_argument(
        "--collection",
        metavar="NAME",
        help="what the collection is to be called; of a snapshot of all the one to restore",
    )
    parser.add_argument(
        "--aside",
        type=Path,
        metavar="FOLDER",
        help="where --verify unpacks it; it needs the room of the largest collection ($TMPDIR)",
    )


def run(given: dict[str, Any]) -> int:
    """Check or restore, say what was found, and return the exit status."""
    file: Path = given["file"]
    try:
        lines = _verified(file, given["aside"]) if given["verify"] else _restored(file, given)
    except PalimpsestError as error:
        sys.stderr.write(f"palimpsest: {error.told(help_of)}\n")
        return FAILED
    with suppress(BrokenPipeError):
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
    return 0


def _verified(file: Path, aside: Path | None) -> list[str]:
    found = verify_snapshot(file, aside, progress=_progress())
    return [
        f"{file}: {one.collection!r} of release {one.release}, {one.points} points, "
        f"{one.nbytes} bytes: whole"
        for one in found
    ] or [f"{file}: no collections: whole"]


def _restored(file: Path, given: dict[str, Any]) -> list[str]:
    default = os.environ.get(_VARIABLE) or Settings.model_fields["data"].default
    data = Path(given["data"] or default)
    names = restore_snapshot(file, data, RELEASE, given["collection"])
    return [f"restored {name!r} in {data}" for name in names] or ["restored no collection"]


def _progress() -> Callable[[str, int], None]:
    """Return what shows how far a check is, where someone may look at it."""
    if not sys.stderr.isatty():
        return lambda name, nbytes: None

    def show(name: str, nbytes: int) -> None:
        sys.stderr.write(f"\r\x1b[K{name}: {nbytes / 1e6:.0f} MB read")

    return show
