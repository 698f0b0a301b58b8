"""Writes the golden file of the newest format of snapshots: ``snapshot_<format>.zip``.

    .venv/bin/python -m tests.formats.write_snapshot FOLDER

It holds a snapshot of what ``write_collection`` writes, and what that answered. Run it when a
format is released, and check the file in beside this one: every later release restores it.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from palimpsest.index import Database
from palimpsest.index.snapshots.manifest import FORMAT
from palimpsest.index.storage.schema import FORMAT as STORE_FORMAT
from tests.formats import write_collection
from tests.formats.expected import NAME

SNAPSHOT, EXPECTED = "golden.snapshot", "expected.json"


def write(path: Path) -> None:
    """Write the golden file."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_collection.write(folder / "collection.zip")
        with zipfile.ZipFile(folder / "collection.zip") as archive:
            archive.extractall(folder / "data")
        with Database.open(folder / "data", threads=1, release="0.1.0") as database:
            made = database.snapshots.create(NAME)
            text = database.snapshots.shelf.find(NAME, made.name).read_bytes()
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.writestr(SNAPSHOT, text)
            archive.write(folder / "data" / EXPECTED, EXPECTED)


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 1:
        raise SystemExit(__doc__)
    write(Path(arguments[0]) / f"snapshot_{FORMAT}_{STORE_FORMAT}.zip")


if __name__ == "__main__":
    main(sys.argv[1:])
