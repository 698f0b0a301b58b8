"""Snapshots that someone made on purpose: every checksum fits, and a file of them says otherwise.

The same trials as of files on a disk, but packed into an archive whose manifest tells what is in it
and restored into an empty data directory: refused, or answered, and nothing worse.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from palimpsest.index import Database, PalimpsestError
from palimpsest.index.checks.folders import folders_of
from palimpsest.index.checks.stored import Stored
from palimpsest.index.snapshots.archive import END, member
from palimpsest.index.snapshots.manifest import MANIFEST, STORE, Kept, Manifest
from palimpsest.index.storage.files import DESCRIPTION
from palimpsest.index.storage.schema import connect_reading
from tests.formats.expected import NAME
from tests.fuzz.test_fuzz import SEED, expected, folders  # noqa: F401  (fixtures)
from tests.fuzz.trial import REFUSED, RIGHT, Trial, drawn, judged, run

TRIALS = int(os.environ.get("PALIMPSEST_FUZZ", "6"))
CREATED = 1_700_000_000  # in seconds since the epoch


def packed(folder: Path) -> bytes:
    """Return the snapshot of a folder as it is. Raises what keeps it from being one."""
    with closing(connect_reading(folder / STORE)) as own:
        listing = Stored(folder / STORE, own).listing()
    assert listing.reach is not None
    places = [STORE]
    for kind, name in sorted(folders_of(listing)):
        names = sorted(one.name for one in (folder / kind / name).iterdir())
        names.sort(key=lambda one: one != DESCRIPTION)
        places += [f"{kind}/{name}/{one}" for one in names]
    contents = {place: (folder / place).read_bytes() for place in places}
    manifest = Manifest(
        "1",
        NAME,
        CREATED,
        listing.format,
        listing.position.points,
        listing.reach.to_json(),
        listing.config,
        tuple(Kept(place, len(text), zlib.crc32(text)) for place, text in contents.items()),
    )
    members = {MANIFEST: manifest.to_bytes(), **contents}
    return b"".join(b"".join(member(name, CREATED, text)) for name, text in members.items()) + END


def restored(data: Path, wanted: Any) -> int:
    """Restore the snapshot of a directory into an empty one, and judge that."""
    try:
        text = packed(data / "collections" / NAME)
    except Exception as error:  # it is no snapshot at all
        sys.stdout.write(f"not packed: {error!r}\n")
        return REFUSED
    (data / "x.snapshot").write_bytes(text)
    fresh = data / "fresh"
    with Database.open(fresh, threads=1) as database:
        try:
            database.snapshots.recover(NAME, data / "x.snapshot")
        except PalimpsestError as error:
            sys.stdout.write(f"{error}\n")
            assert database.names() == [] and os.listdir(fresh / "unfinished") == []
            return REFUSED
    return judged(fresh, wanted)


def test_a_snapshot_made_on_purpose_is_refused_or_answered(
    folders: dict[str, Path],  # noqa: F811
    expected: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    ended, failures = Counter[int](), []
    for seed in range(SEED, SEED + TRIALS):
        trial = drawn(seed, folders)
        source, wanted = folders[trial.golden], expected[trial.golden]
        status, said = run(trial, source, tmp_path, wanted, restored)
        ended[status] += 1
        if status not in (RIGHT, REFUSED):
            failures.append(f"{trial}\nended with {status}: {said[-3_000:]}")
    assert not failures, f"{len(failures)} of {TRIALS}\n" + "\n\n".join(failures[:10])


@pytest.mark.parametrize("golden", ["collection_7", "sets_1"])
def test_one_that_nobody_changed_is_restored(
    golden: str,
    folders: dict[str, Path],  # noqa: F811
    expected: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    (file,) = (folders[golden] / "collections" / NAME).glob(STORE)
    trial = Trial(golden, file.relative_to(folders[golden]), False, 1)

    def unchanged(data: Path, wanted: Any) -> int:
        (data / trial.file).write_bytes(file.read_bytes())
        return restored(data, wanted)

    status, said = run(trial, folders[golden], tmp_path, expected[golden], unchanged)
    assert status == RIGHT, said
