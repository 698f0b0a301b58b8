"""A database, or pages of it, put back from an older copy of the same store: told, never served.

An operator may bring back ``store.sqlite3`` alone from a backup, beside the log and the record of
today, or none; a disk may lose a write, and go on showing what was there before. Of pages that
agree with themselves only the rest of the collection says that they are old.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.index import check_directory
from palimpsest.index.errors import Damaged
from tests.conftest import open_collection
from tests.crash.damaging import LOG, STORE
from tests.crash.test_damaged_log import Points, begin, empty_log, held, index_payloads, seal

PAGE = 4_096
SHARED = f"{STORE}-shm"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path], Points]:
    """Copies of a folder as kills, and as clean stops, leave it; what the last one holds."""
    base = tmp_path_factory.mktemp("history")
    writing = begin(base / "open", 5)
    killed: list[Path] = []
    stopped: list[Path] = []

    def copy() -> None:
        folder = writing.collection.folder
        killed.append(Path(shutil.copytree(folder, base / f"killed-{len(killed)}")))
        writing.collection.close()
        stopped.append(Path(shutil.copytree(folder, base / f"stopped-{len(stopped)}")))
        writing.collection = open_collection(folder)

    writing.write_some(0)
    index_payloads(writing)
    copy()
    writing.write_some(100)
    seal(writing)
    copy()
    writing.write_some(130)
    empty_log(writing)
    copy()
    writing.overwrite(20)
    copy()
    writing.collection.close()
    return killed, stopped, writing.points


def outcome(folder: Path, points: Points) -> str:
    try:
        collection = open_collection(folder)
    except Damaged as error:
        assert str(folder) in str(error)
        return "refused"
    with closing(collection):
        assert held(collection) == points
    return "held"


@pytest.mark.parametrize("old", [0, 1, 2])
@pytest.mark.parametrize("old_is", ["killed", "stopped"])
@pytest.mark.parametrize("log", ["kept", "missing", "empty"])
@pytest.mark.parametrize("now_is", ["killed", "stopped"])
def test_an_older_database_alone(
    old: int,
    old_is: str,
    log: str,
    now_is: str,
    history: tuple[list[Path], list[Path], Points],
    tmp_path: Path,
) -> None:
    killed, stopped, points = history
    today = (killed if now_is == "killed" else stopped)[-1]
    folder = Path(shutil.copytree(today, tmp_path / "c"))
    shutil.copy((killed if old_is == "killed" else stopped)[old] / STORE, folder / STORE)
    (folder / SHARED).unlink(missing_ok=True)
    if log == "missing":
        (folder / LOG).unlink(missing_ok=True)
    elif log == "empty":
        (folder / LOG).write_bytes(b"")
    # the log of a kill may hold all that the older database lacks: then nothing is missing
    assert outcome(folder, points) == "refused" or (now_is, log) == ("killed", "kept")


def test_older_pages(history: tuple[list[Path], list[Path], Points], tmp_path: Path) -> None:
    """Each page that differs is put back alone: refused, without effect, or found by the doctor."""
    _, stopped, points = history
    data = tmp_path / "data"
    folder = data / "collections/kept"
    seen = []
    older, now = ((one / STORE).read_bytes() for one in (stopped[0], stopped[-1]))
    for start in range(0, min(len(older), len(now)), PAGE):
        page = slice(start, start + PAGE)
        if older[page] == now[page]:
            continue
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(stopped[-1], folder)
        (folder / STORE).write_bytes(now[:start] + older[page] + now[start + PAGE :])
        worst = check_directory(data).exit_status
        try:
            seen.append(outcome(folder, points))
        except (AssertionError, Damaged):
            assert worst == 1, f"page {start // PAGE + 1} is served as it was"
            seen.append("told")
    assert len(seen) >= 5
    assert "refused" in seen
