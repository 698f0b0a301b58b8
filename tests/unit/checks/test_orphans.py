"""What lies in a collection's folder that no table lists: useless, unknown, strange, set aside."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index.checks.orphans import check_lost, check_orphans, lost_of
from palimpsest.index.checks.stored import opened
from tests.unit.checks.test_findings import Told
from tests.unit.doctor.making import make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path / "data", sealed=0, staged=3)


def orphans(folder: Path) -> dict[str, str]:
    told = Told()
    with opened(folder / "store.sqlite3", in_use=False) as stored:
        check_orphans(stored, told)
    return {one.file.name: one.severity for one in told.findings}


def test_a_collections_own_files_are_no_orphans(folder: Path) -> None:
    for name in ("scrub.json", "scrub.tmp", "restoring.json.tmp", "store.sqlite3-journal"):
        (folder / name).write_text("x")
    assert orphans(folder) == {}


def test_folders_no_table_lists_and_files_of_others(folder: Path) -> None:
    (folder / "segments" / "нет").mkdir()
    (folder / "segments" / "half.tmp").mkdir()
    (folder / "notes.txt").write_text("x")
    assert orphans(folder) == {"нет": "damage", "half.tmp": "note", "notes.txt": "note"}


def test_what_was_set_aside_is_counted_whatever_it_is(folder: Path) -> None:
    assert lost_of(folder) == (0, 0)
    lost = folder / "lost+found"
    (lost / "a" / "b").mkdir(parents=True)
    (lost / "a" / "b" / "ж").write_bytes(bytes(7))
    (lost / "c").write_bytes(bytes(5))
    (lost / "dangling").symlink_to(lost / "nowhere")
    entries, nbytes = lost_of(folder)
    assert entries == 3 and nbytes >= 12
    told = Told()
    check_lost(folder, told)
    assert told.findings[0].severity == "note" and "3 entries" in told.findings[0].what
    assert lost_of(lost / "c") == (0, 0), "a file has nothing in it"
