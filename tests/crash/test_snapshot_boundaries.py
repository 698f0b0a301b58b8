"""The process ends while a snapshot is made, restored over a collection, and as one that is new.

Wherever it ends, each collection is wholly as it was or wholly as the snapshot has it, every
snapshot that is listed is whole, and nothing is left over. All boundaries of a swap alone are gone
through in ``tests/unit/snapshots/test_swapping.py``; here one in several of all of them, each time
with files as they are.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np

from palimpsest.index import Database, SearchRequest
from palimpsest.index.snapshots.archive import ArchiveReader
from palimpsest.index.snapshots.unpacking import verify
from tests.crash.boundaries import Boundaries
from tests.points import batch_of, config_of

SIZE, FIRST, MORE = 4, 120, 30
EVERY = 29  # boundaries; all of them take two minutes
LAST_STEP = 3


def rows(n: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(n).standard_normal((n, SIZE)).astype(np.float32)


def prepare(folder: Path) -> None:
    """Write a collection, a snapshot of it, and more points."""
    with Database.open(folder, threads=1) as database:
        collection = database.create("c", config_of(SIZE))
        payloads = [b'{"n":1}'] * FIRST
        collection.upsert(batch_of(list(range(FIRST)), rows(FIRST), payloads)).result()
        collection.upkeep.seal()
        database.snapshots.create("c")
        collection.upsert(batch_of(list(range(FIRST, FIRST + MORE)), rows(MORE))).result()


def script(folder: Path, last: int | None) -> None:
    """Restore and make snapshots up to a boundary, noting which steps were answered."""
    boundaries, write = Boundaries(last), os.write
    answers = os.open(folder / "answered", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Database.open(folder / "data", threads=1) as database:
        boundaries.install()
        snapshots = database.snapshots
        kept = snapshots.shelf.find("c", snapshots.shelf.list("c")[0].name)
        for step, run in enumerate(
            (
                lambda: snapshots.create("c"),
                lambda: snapshots.recover("new", kept),
                lambda: snapshots.recover("c", kept),
            ),
            1,
        ):
            run()
            write(answers, b"%d\n" % step)
    write(answers, b"%d\n" % boundaries.count)
    os._exit(0)


def run(template: Path, folder: Path, last: int | None) -> int:
    """Run the script to a boundary; return how many there are, when it ran to its end."""
    shutil.copytree(template, folder / "data")
    pid = os.fork()
    if pid == 0:
        try:
            script(folder, last)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    answered = [int(line) for line in (folder / "answered").read_text().split()]
    assert status == (0 if last is None else 9), answered
    check(folder / "data", LAST_STEP if last is None else max(answered, default=0))
    shutil.rmtree(folder)
    return answered[-1] if last is None else 0


def check(data: Path, answered: int) -> None:
    with Database.open(data, threads=1) as database:
        counts = {name: database.get(name).count() for name in database.names()}
        assert not database.damaged()
        for name, count in counts.items():
            asked = SearchRequest(rows(1)[0], k=1_000, exact=True)
            assert sorted(database.get(name).search(asked).ids) == list(range(count))
        assert counts["c"] in {0: (150,), 1: (150,), 2: (150, 120), 3: (120,)}[answered]
        assert counts.get("new") in {0: (None,), 1: (None, 120), 2: (120,), 3: (120,)}[answered]
        shelf = database.snapshots.shelf
        kept = shelf.list("c")
        assert len(kept) in ((1, 2) if answered == 0 else (2,))
        assert {one.checksum is None for one in kept} == {False}
        for one in kept:
            verify(ArchiveReader(data, [shelf.find("c", one.name).read_bytes()]), lambda _: None)
        assert len(shelf.of("c").list()) == 2 * len(kept)
        assert os.listdir(data / "unfinished") == []


def stop_at(folders: tuple[Path, Path], last: int) -> None:
    template, folder = folders
    own = folder / f"run{last}"
    own.mkdir()
    run(template, own, last)


def run_whole(template: Path, folder: Path) -> int:
    prepare(template)
    folder.mkdir()
    return run(template, folder, None)


def test_a_kill_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    template = tmp_path / "template"
    # Processes of their own, for only a program with a single thread may safely fork.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        boundaries = pool.submit(run_whole, template, tmp_path / "whole").result()
        assert boundaries > 100
        stops = range(1, boundaries + 1, EVERY)
        list(pool.map(stop_at, repeat((template, tmp_path)), stops))
