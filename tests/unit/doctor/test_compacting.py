"""``doctor --compact``: collection after collection, one doctor at a time, checked after it."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from palimpsest.index import CollectionNotFound, DirectoryLocked, compact_directory
from palimpsest.index.checks.findings import Finding
from palimpsest.index.storage.compacting import SUFFIX
from palimpsest.index.storage.directory_lock import is_for_repair, lock_directory
from palimpsest.index.storage.schema import connect
from tests.forking import start
from tests.unit.doctor.making import copied, copy, found, opened, unchanged, whole

IN_USE = "is read by something else"  # by the one that only checks
NOWHERE = (os.open(os.devnull, os.O_WRONLY),) * 2


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A data directory whose two stores do not give pages back, and hold free ones."""
    data = tmp_path / "old"
    folder = copied(data)
    with closing(connect(folder / "store.sqlite3")) as connection:
        connection.execute("CREATE TABLE filler (a)")
        connection.execute("INSERT INTO filler VALUES (zeroblob(4000000))")
        connection.execute("DROP TABLE filler")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
        connection.execute("PRAGMA journal_mode = WAL")
    copy(folder, folder.with_name("ж d"))
    return data


def answers(folder: Path) -> str:
    with opened(folder) as collection:
        records, _ = collection.scroll(None, 10_000, with_payload=True, with_vectors=True)
    return repr([(one.id, one.payload, one.vectors) for one in records])


def test_all_collections_are_compacted_and_checked(old: Path) -> None:
    folders = sorted((old / "collections").iterdir())
    before = [answers(folder) for folder in folders]
    report = compact_directory(old)
    assert [text.split(":")[0] for text in report.compacted] == ["c", "ж d"]
    assert report.exit_status == 0 and len(report.collections) == 2
    assert [answers(folder) for folder in folders] == before
    assert compact_directory(old).compacted == []
    whole(old)


def test_one_collection_is_compacted(old: Path) -> None:
    with pytest.raises(CollectionNotFound):
        compact_directory(old, "none")
    report = compact_directory(old, "ж d")
    assert len(report.compacted) == len(report.collections) == 1


def test_one_that_cannot_be_does_not_hinder_the_others(old: Path) -> None:
    store = old / "collections/c/store.sqlite3"
    store.write_bytes(store.read_bytes()[: 1 << 12])
    before = store.read_bytes()
    report = compact_directory(old)
    assert [text.split(":")[0] for text in report.compacted] == ["ж d"]
    assert report.exit_status != 0 and store.read_bytes() == before
    assert any("was not compacted" in text for text in found(report, "unchecked"))


def test_one_whose_restore_was_cut_off_is_left_alone(old: Path) -> None:
    (old / "collections/c/restoring.json").write_text("{}")
    assert [text.split(":")[0] for text in compact_directory(old).compacted] == ["ж d"]


def test_nothing_is_done_beside_a_server_or_another_doctor(old: Path) -> None:
    before = unchanged(old)
    for holder in ("server", "repair"):
        with lock_directory(old, holder), pytest.raises(DirectoryLocked):
            compact_directory(old)
    assert {k: v for k, v in unchanged(old).items() if k != "lock"} == {
        k: v for k, v in before.items() if k != "lock"
    }


def test_of_several_at_once_each_is_refused_or_does_its_work(old: Path, tmp_path: Path) -> None:
    expected = [answers(folder) for folder in sorted((old / "collections").iterdir())]
    ways = ("--compact", "--compact", "--repair", "--json")
    with ExitStack() as files:
        said = [files.enter_context(open(tmp_path / str(n), "w+b")) for n in range(len(ways))]
        doctors = [
            start(["doctor", str(old), way], os.environ, (file.fileno(), file.fileno()))
            for way, file in zip(ways, said, strict=True)
        ]
        statuses = [one.wait(120) for one in doctors]
        told = [Path(file.name).read_text() for file in said]
    for status, text in zip(statuses, told, strict=True):
        assert status == 0 or (status == 3 and ("another process" in text or IN_USE in text)), text
    assert 0 in statuses
    compact_directory(old)
    whole(old)
    assert [answers(folder) for folder in sorted((old / "collections").iterdir())] == expected


def test_what_was_killed_goes_on_when_asked_again(old: Path) -> None:
    expected = answers(old / "collections/c")
    for delay in (0.0, 0.01, 0.03, 0.06, 0.1):
        running = start(["doctor", str(old), "--compact", "--json"], os.environ, NOWHERE)
        until = time.monotonic() + 30
        while not is_for_repair(old) and running.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(delay)
        running.kill()
        running.wait()
    report = compact_directory(old)
    assert report.exit_status == 0 and answers(old / "collections/c") == expected
    for folder in (old / "collections").iterdir():
        assert not [name for name in os.listdir(folder) if SUFFIX in name]


def test_a_leftover_is_told_and_no_damage(old: Path) -> None:
    (old / f"collections/c/store.sqlite3{SUFFIX}").write_bytes(b"half")
    report = whole(old)
    notes: list[Finding] = [one for one in report.findings if one.check == "orphans"]
    assert any("cut off" in one.what for one in notes)
