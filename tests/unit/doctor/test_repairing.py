"""Repairs: what can be derived is made anew, what a log lost comes back, nothing is removed."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from palimpsest.index import (
    CollectionNotFound,
    CreateAlias,
    Damaged,
    Database,
    DirectoryLocked,
    OutOfDescriptors,
    PointBatch,
    check_directory,
    repair_directory,
)
from palimpsest.index.doctor import restoring
from palimpsest.index.storage import accept as accepting
from palimpsest.index.storage.entries import Position
from palimpsest.index.storage.unfinished import note_restore
from tests.damage import flip, swap_cells
from tests.unit.doctor.making import batch, copy, found, opened, unchanged, whole


def answers(data: Path) -> str:
    """Return what the collection answers, all of it."""
    with opened(data / "collections/c") as collection:
        records, _ = collection.scroll(None, 10_000, with_payload=True, with_vectors=True)
        assert collection.state().last_error is None
    return repr([(one.id, one.payload, one.vectors) for one in records])


def sums(data: Path) -> set[str]:
    """Return the checksum of every file, wherever it is."""
    files = [path for path in data.rglob("*") if path.is_file()]
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_whole_directory_is_left_alone(trial: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in trial.rglob("*") if path.is_file()}
    report = repair_directory(trial)
    assert report.repaired == [] and report.exit_status == 0
    after = {path: path.stat().st_mtime_ns for path in trial.rglob("*") if path.is_file()}
    assert {k: v for k, v in after.items() if k.name != "lock"} == {
        k: v for k, v in before.items() if k.name != "lock"
    }


@pytest.mark.parametrize("name", ["graph_", "codes", "by_slot", "postings_", "fields"])
def test_what_can_be_derived_is_made_anew_and_the_damaged_file_kept(trial: Path, name: str) -> None:
    expected = answers(trial)
    folder = trial / "collections/c"
    paths = (folder / "segments").rglob(f"{name}*.npy")
    path = sorted((folder / "fields").rglob("*.npy") if name == "fields" else paths)[0]
    flip(path, 8 * path.stat().st_size - 2)
    damaged = hashlib.sha256(path.read_bytes()).hexdigest()
    report = repair_directory(trial)
    assert found(report, "lost", "damage", "unchecked") == []
    assert report.exit_status == 0 and report.repaired
    assert damaged in sums(folder / "lost+found")
    whole(trial)
    assert answers(trial) == expected


def test_a_lost_log_gives_back_what_segments_hold(trial: Path, tmp_path: Path) -> None:
    folder = trial / "collections/c"
    before = copy(trial, tmp_path / "before")
    with opened(folder) as collection:
        collection.upsert(batch(range(5_000, 6_200), 9)).result()
        collection.upkeep.seal()
        killed = copy(trial, tmp_path / "killed")
    (killed / "collections/c/store.sqlite3-wal").unlink(missing_ok=True)
    store = (before / "collections/c/store.sqlite3").read_bytes()
    (killed / "collections/c/store.sqlite3").write_bytes(store)
    damaged = check_directory(killed)
    assert damaged.status == "lost"
    report = repair_directory(killed)
    [gone] = found(report, "lost", "damage", "unchecked")
    assert "1200 points have no payload" in gone and report.exit_status == 1
    assert any("brought back" in text for text in report.repaired)
    assert hashlib.sha256(store).hexdigest() in sums(killed / "collections/c/lost+found")
    [examined] = whole(killed).collections
    assert examined.points == 1_518 + 1_200 and examined.lost_found > 0


def cut_back(trial: Path, base: Path) -> Path:
    """Return a killed directory whose store lacks 1,200 points that are in segments."""
    folder = trial / "collections/c"
    store = (folder / "store.sqlite3").read_bytes()
    with opened(folder) as collection:
        collection.upsert(batch(range(5_000, 6_200), 9)).result()
        collection.upkeep.seal()
        killed = copy(trial, base / "killed")
    (killed / "collections/c/store.sqlite3-wal").unlink(missing_ok=True)
    (killed / "collections/c/store.sqlite3").write_bytes(store)
    return killed


@pytest.mark.parametrize("pieces", [0, 1, 7, 20])
def test_a_restore_that_was_cut_off_is_refused_and_goes_on(
    trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    killed = cut_back(trial, tmp_path)
    whole_one = copy(killed, tmp_path / "uncut")
    repair_directory(whole_one)
    monkeypatch.setattr(restoring, "_PIECE", 100)
    child = os.fork()
    if child == 0:
        try:
            die_after(pieces)
            repair_directory(killed)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with Database.open(killed, threads=1) as database, pytest.raises(Damaged, match="--repair"):
        database.get("c")
    assert any("cut off" in text for text in found(check_directory(killed), "lost"))
    report = repair_directory(killed)
    assert any("are gone" in text for text in found(report, "lost"))
    [examined] = whole(killed).collections
    assert examined.points == 1_518 + 1_200
    assert answers(killed) == answers(whole_one)


def die_after(pieces: int) -> None:
    """End this process on the spot once so many pieces have been written."""
    batch_of, left = restoring._batch, [pieces]

    def counted(*given: Any) -> PointBatch:
        if not left[0]:
            os._exit(9)
        left[0] -= 1
        return batch_of(*given)

    restoring._batch = counted


def test_aliases_that_cannot_be_set_aside_are_told(
    trial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trial / "aliases.json").write_text("damaged")

    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", refuse)
    report = repair_directory(trial)
    assert report.exit_status == 1
    assert any("could not be set aside" in text for text in report.repaired)
    assert (trial / "aliases.json").read_text() == "damaged"


@pytest.mark.parametrize("harm", ["flip", "empty"])
def test_a_note_of_a_restore_that_cannot_be_read_is_named(trial: Path, harm: str) -> None:
    folder = trial / "collections/c"
    note_restore(folder, Position(3, 4, 5))
    assert note_restore(folder, Position(6, 7, 8)) == Position(3, 4, 5)
    if harm == "flip":
        flip(folder / "restoring.json", 8 * 40)
    else:
        (folder / "restoring.json").write_bytes(b"")
    before = unchanged(folder / "segments")
    assert any("restoring.json" in text for text in found(check_directory(trial), "lost"))
    with Database.open(trial, threads=1) as database, pytest.raises(Damaged, match="restoring"):
        database.get("c")
    assert repair_directory(trial).exit_status == 1
    assert unchanged(folder / "segments") == before


def test_a_segment_that_cannot_be_read_just_now_is_not_given_up(
    trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = cut_back(trial, tmp_path)

    def refused(path: Path, checksum: int) -> None:
        raise OutOfDescriptors("too many open files")

    monkeypatch.setattr(accepting, "open_folder", refused)
    with pytest.raises(OutOfDescriptors):
        restoring.restore(killed / "collections/c")
    monkeypatch.undo()
    restoring.restore(killed / "collections/c")
    assert whole(killed).collections[0].points == 1_518 + 1_200


def test_originals_that_are_damaged_are_named_and_left(trial: Path) -> None:
    path = next((trial / "collections/c/segments").rglob("kept.npy"))
    flip(path, 8 * path.stat().st_size - 2)
    before = sums(trial)
    report = repair_directory(trial)
    assert report.exit_status == 1 and report.status == "lost"
    assert any(str(path) in text for text in found(report, "lost"))
    assert before <= sums(trial)


def test_the_index_of_ids_is_made_anew(trial: Path) -> None:
    expected = answers(trial)
    store = trial / "collections/c/store.sqlite3"
    swap_cells(store, "sqlite_autoindex_points_1")
    damaged = hashlib.sha256(store.read_bytes()).hexdigest()
    assert check_directory(trial).exit_status == 1
    report = repair_directory(trial)
    assert found(report, "lost", "damage", "unchecked") == []
    assert damaged in sums(trial / "collections/c/lost+found")
    whole(trial)
    assert answers(trial) == expected


def test_an_unlisted_folder_is_set_aside(trial: Path) -> None:
    strange = trial / "collections/c/segments/strange"
    strange.mkdir()
    (strange / "file").write_text("kept")
    assert check_directory(trial).status == "damage"
    assert repair_directory(trial).exit_status == 0
    kept = trial / "collections/c/lost+found/segments-strange/file"
    assert kept.read_text() == "kept"
    assert any("1 entries" in text for text in found(whole(trial), "note"))


@pytest.mark.parametrize("wrong", [("aliases.json",), ("aliases.json", "aliases.copy.json")])
def test_aliases_that_cannot_be_read_are_set_aside(trial: Path, wrong: tuple[str, ...]) -> None:
    with Database.open(trial, threads=1) as database:
        database.change_aliases([CreateAlias("a", "c")])
    for name in wrong:
        flip(trial / name, 8 * 40)
    damaged = check_directory(trial)
    assert damaged.exit_status == 1
    assert damaged.status == ("lost" if len(wrong) > 1 else "damage")
    report = repair_directory(trial)
    assert report.exit_status == 0
    assert sorted(path.name for path in (trial / "lost+found").iterdir()) == sorted(wrong)
    whole(trial)
    with Database.open(trial, threads=1) as database:
        assert database.aliases() == ({} if len(wrong) > 1 else {"a": "c"})


def test_nothing_is_repaired_beside_a_server(trial: Path) -> None:
    path = next((trial / "collections/c/segments").rglob("codes.npy"))
    flip(path, 8 * path.stat().st_size - 2)
    before = sums(trial)
    there = {path for path in trial.rglob("*") if path.is_file()}
    with open(trial / "lock", "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DirectoryLocked, match="served by another process"):
            repair_directory(trial)
        assert check_directory(trial).mode == "online"
    # beside a server, which may wake at any moment, an empty log and its index are left
    left = {path for path in trial.rglob("*") if path.is_file()} - there
    assert {path.name for path in left} <= {"store.sqlite3-wal", "store.sqlite3-shm"}
    for path in left:
        path.unlink()
    assert sums(trial) == before


def test_a_collection_that_is_not_there_is_an_error(trial: Path) -> None:
    for run in (check_directory, repair_directory):
        with pytest.raises(CollectionNotFound):
            run(trial, "other")
    assert [one.name for one in check_directory(trial, "c").collections] == ["c"]
