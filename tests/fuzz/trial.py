"""One trial: a copy of a data directory, one file of it changed, opened and asked in a child.

A file may be changed as a disk does it, or *sealed* again: with every checksum over it made to fit,
as whoever made the file on purpose would. Then answers may be others, for it says something else;
but the process must not end, nor take memory without bound, and errors must be ours.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sys
import traceback
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from palimpsest.index import (
    Collection,
    Database,
    MultiVector,
    PalimpsestError,
    SearchRequest,
    check_directory,
)
from palimpsest.index.storage.schema import connect
from tests.fields import wait_until_built
from tests.formats.expected import NAME, describe
from tests.formats.write_sets import as_lists
from tests.fuzz.mutations import mutated

FORMATS = Path(__file__).parents[1] / "formats"
GOLDEN = ("collection_7", "sets_1")
SECONDS, MEMORY = 60, 2 << 30  # of one trial, and bytes of address space beyond what there was
RIGHT, REFUSED, WRONG, FAILED = range(4)  # exit statuses
Judge: TypeAlias = Callable[[Path, Any], int]
_LISTED = {"segments": "name", "fields": "folder", "adapters": "folder"}


@dataclass(frozen=True)
class Trial:
    """What is done, all of it drawn from one seed."""

    golden: str
    file: Path  # relative to the data directory
    sealed: bool
    seed: int

    def __str__(self) -> str:
        how = "sealed again" if self.sealed else "as it is"
        return f"seed {self.seed}: {self.file} of {self.golden}, {how}"


def unpack(golden: str, folder: Path) -> None:
    """Write a golden data directory, with what a server adds to one."""
    with zipfile.ZipFile(FORMATS / f"{golden}.zip") as archive:
        archive.extractall(folder)
    (folder / "expected.json").unlink()
    Database.open(folder, threads=1).close()
    (folder / "reserve").unlink(missing_ok=True)


@cache
def files_of(folder: Path) -> list[Path]:
    """Return the files of an unpacked directory that a server reads back, relative."""
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(path for path in files if path.name != "lock")


def drawn(seed: int, folders: dict[str, Path]) -> Trial:
    """Draw a golden directory, a kind of file, a file, and how it is changed."""
    rng = random.Random(seed)
    golden = rng.choice(sorted(folders))
    kinds: dict[tuple[str, str], list[Path]] = {}
    for file in files_of(folders[golden]):
        kinds.setdefault((file.parts[min(2, len(file.parts) - 1)], file.name), []).append(file)
    file = rng.choice(kinds[rng.choice(sorted(kinds))])
    in_folder = len(file.parts) > 3 and file.parts[2] in _LISTED
    return Trial(golden, file, in_folder and rng.random() < 0.6, seed)


def run(
    trial: Trial, source: Path, work: Path, expected: Any, judge: Judge | None = None
) -> tuple[int, str]:
    """Carry a trial out; return how its child ended, and what it said.

    The judge is given the directory and what it is to answer, None for anything.
    """
    data, said = work / "data", work / "said"
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(source, data)
    what = _change(data, trial)
    pid = os.fork()
    if not pid:
        _child(data, said, None if trial.sealed else expected, judge or judged)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), f"{what}: {said.read_text(errors='replace')}"


def _change(data: Path, trial: Trial) -> str:
    path = data / trial.file
    what, content = mutated(path.read_bytes(), random.Random(trial.seed))
    path.write_bytes(content)
    if trial.sealed:
        _seal(path)
    return what


def _seal(path: Path) -> None:
    """Let all checksums over a file of a folder be those of what it holds now."""
    folder, content = path.parent, path.read_bytes()
    description = folder / "segment.json"
    if path != description:
        said = json.loads(description.read_text())
        said["files"][path.name] = {"bytes": len(content), "crc32": zlib.crc32(content)}
        description.write_text(json.dumps(said))
    table = folder.parent.name
    checksum = zlib.crc32(description.read_bytes())
    with closing(connect(folder.parent.parent / "store.sqlite3")) as own:
        names = {
            "segments": "name, vector, crc32",
            "fields": "key, declared, folder, crc32, seq",
            "adapters": '"rows", queries, folder, crc32',
        }[table]
        where = f"WHERE {_LISTED[table]} = ?"
        own.execute(f"UPDATE {table} SET crc32 = ? {where}", (checksum, folder.name))
        own.execute(
            f"UPDATE {table} SET checksum = row_sum('{table}', {names}) {where}", (folder.name,)
        )


def _child(data: Path, said: Path, expected: Any, judge: Judge) -> None:
    """Open, ask and end; never returns."""
    status = FAILED
    try:
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        signal.alarm(SECONDS)
        limit = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (limit + MEMORY,) * 2)
        status = judge(data, expected)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def judged(data: Path, expected: Any) -> int:
    """Check a directory and ask it; return how that ended."""
    check_directory(data)
    try:
        answers = ask(data)
    except PalimpsestError as error:
        sys.stdout.write(f"{error}\n")
        return REFUSED
    if expected is None or answers == expected:
        return RIGHT
    sys.stdout.write(f"answers are {answers}\n")
    return WRONG


def ask(data: Path) -> dict[str, Any]:
    """Return what a directory answers; raises PalimpsestError."""
    with Database.open(data, threads=1) as database:
        collection = database.get(NAME)
        wait_until_built()  # of payload indexes, which are built again where they are damaged
        answers = (
            _of_sets(collection)
            if "sets" not in collection.config.vectors
            and any(kind.kind == "multi" for kind in collection.config.vectors.values())
            else describe(collection)
        )
        _ask_more(collection)
        return json.loads(json.dumps(answers))  # type: ignore[no-any-return]


def _of_sets(collection: Collection) -> dict[str, Any]:
    records, _ = collection.scroll(None, 2_000, with_vectors=True)
    held = [[r.id, {n: as_lists(v) for n, v in (r.vectors or {}).items()}] for r in records]
    found = {}
    for name, config in collection.config.vectors.items():
        rng = np.random.default_rng(3)
        query = MultiVector(rng.standard_normal((4, config.size)).astype(np.float32))
        exact = collection.search(SearchRequest(query, name, k=20, exact=True))
        collection.search(SearchRequest(query, name, k=20))  # over codes and graph
        found[name] = [[*exact.ids], exact.distances.round(4).tolist()]
    return {"points": held, "found": found}


def _ask_more(collection: Collection) -> None:
    """Ask what goes over codes, graphs and adapters; answers may be others."""
    for name, config in collection.config.dense.items():
        query = np.random.default_rng(4).standard_normal(config.size).astype(np.float32)
        for bridge in ("on", "off"):
            collection.search(SearchRequest(query, name, k=10, bridge=bridge))
    collection.upkeep.compact()
    collection.state()
    collection.sizes()
