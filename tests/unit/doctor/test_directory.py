"""Whatever a name may lead to: what is no data directory, and what lies in one that should not."""

from __future__ import annotations

import errno
import json
import os
import resource
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from palimpsest.app.cli import main
from palimpsest.app.doctor import told
from palimpsest.index import (
    CreateAlias,
    Database,
    DirectoryLocked,
    Report,
    check_directory,
    repair_directory,
)
from palimpsest.index.storage.directory_lock import Holder, lock_directory, repairing
from palimpsest.index.storage.schema import connect
from tests import forking
from tests.unit.doctor.making import copy, found, make, unchanged, whole


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("doctor") / "data"
    make(data, sealed=0)
    return data


@pytest.fixture
def trial(data: Path, tmp_path: Path) -> Path:
    return copy(data, tmp_path / "trial")


def test_what_is_no_data_directory_is_never_called_healthy(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name, said in (("missing", "no such"), ("empty", "no data"), ("file", "a file")):
        before = unchanged(tmp_path)
        report = check_directory(tmp_path / name)
        assert (report.status, report.exit_status) == ("unchecked", 3), name
        assert said in found(report, "unchecked")[0]
        assert unchanged(tmp_path) == before and not (tmp_path / "missing").exists()


def test_a_fresh_directory_is_healthy(tmp_path: Path) -> None:
    Database.open(tmp_path / "data", threads=1).close()
    assert whole(tmp_path / "data").collections == []


def test_strangers_among_collections_are_named(trial: Path) -> None:
    (trial / "collections/strange").mkdir()
    (trial / "collections/note.txt").write_text("")
    (trial / "collections/c/strange").write_text("")
    (trial / "strange").write_text("")
    report = check_directory(trial)
    assert report.status == "damage"
    assert [one.collection for one in report.findings if one.severity == "damage"] == [
        "note.txt",
        "strange",
    ]
    assert sum("strange: is not of the" in text for text in found(report, "note")) == 2


def test_a_later_format_is_unchecked(trial: Path) -> None:
    with closing(connect(trial / "collections/c/store.sqlite3")) as own:
        own.execute(
            "UPDATE settings SET value = 99, checksum = row_sum('settings', 'format', 99)"
            " WHERE name = 'format'"
        )
        own.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    report = check_directory(trial)
    assert report.exit_status == 3
    assert "format 99" in found(report, "unchecked")[0]


def test_aliases_that_lead_nowhere_are_told(trial: Path) -> None:
    with Database.open(trial, threads=1) as database:
        database.change_aliases([CreateAlias("other", "c")])
    (trial / "collections/c").rename(trial / "unfinished/c")
    report = check_directory(trial)
    assert any("alias 'other' means 'c'" in text for text in found(report, "note"))


def test_what_may_not_be_read_is_unchecked_and_not_damaged(
    trial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("palimpsest.index.checks.commits.check_store", refuse)
    report = check_directory(trial)
    assert report.exit_status == 3
    assert "store.sqlite3" in found(report, "unchecked")[0]


def test_where_nothing_can_be_written_a_log_is_read_all_the_same(
    trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database.open(trial, threads=1) as database:
        database.get("c").delete([3, 4]).result()
        killed = copy(trial, tmp_path / "killed")
    (killed / "collections/c/store.sqlite3-shm").unlink()
    monkeypatch.setattr("palimpsest.index.checks.stored.takes_no_writes", lambda folder: True)
    before = unchanged(killed)
    assert [one.points for one in whole(killed).collections] == [17]
    assert unchanged(killed) == before


def run(*arguments: str) -> tuple[int, str, str]:
    ran = forking.run("doctor", *arguments)
    return ran.returncode, ran.stdout, ran.stderr


def test_the_command_tells_in_words_and_as_json(trial: Path) -> None:
    status, said, progress = run(str(trial))
    assert (status, progress) == (0, "")
    assert said.startswith("HEALTHY: 1 collections, 19 points")
    status, said, _ = run(str(trial), "--json")
    told: dict[str, Any] = json.loads(said)
    assert status == told["exit_status"] == 0
    assert told.keys() == {
        "report",
        "data",
        "mode",
        "status",
        "exit_status",
        "summary",
        "collections",
        "findings",
        "repaired",
        "compacted",
        "bytes_read",
        "seconds",
    }
    (trial / "collections/c/store.reach").unlink()
    status, said, _ = run(str(trial))
    assert status == 1
    assert said.startswith("DATA IS LOST OR CONTRADICTS ITSELF in c: 1 findings.\nKeep a copy")
    assert "store.reach" in said


def test_wrong_use_has_a_status_of_its_own(trial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(trial), "--collection", "nothing"]) == 2
    assert "nothing" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main(["doctor", str(trial), "--mend"])
    assert left.value.code == 2


def test_the_directory_is_the_servers_own_unless_one_is_named(
    trial: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("PALIMPSEST_DATA", str(trial))
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["data"] == str(trial)


def test_names_that_are_no_text_are_told(trial: Path) -> None:
    os.mkdir(os.fsencode(trial / "collections") + b"/\xff\xfe")
    status, said, _ = run(str(trial))
    assert status == 1 and "\\udcff" in said


@pytest.mark.parametrize("holder", ["server", "repair"])
def test_who_holds_a_directory_is_told(trial: Path, holder: Holder) -> None:
    with lock_directory(trial, "server" if holder == "repair" else "repair"):
        pass  # what the last one said counts no more
    with lock_directory(trial, holder):
        before = unchanged(trial)
        report = check_directory(trial)
        assert (report.mode, report.exit_status) == ("online", 0)
        assert report.repairing is (holder == "repair")
        assert f"a {holder} is running on it" in told(report)
        assert len([one for one in found(report, "note") if "a repair" in one]) == report.repairing
        after = unchanged(trial)
        assert after.pop("collections/c/store.sqlite3-wal", b"") == b""  # of a store at rest
        after.pop("collections/c/store.sqlite3-shm", None)
        assert after == before
        refused = f"is {'served' if holder == 'server' else 'being repaired'} by another process"
        with pytest.raises(DirectoryLocked, match=refused) as error:
            repair_directory(trial)
        report = Report(trial)
        report.refuse(error.value)
        assert f"a {holder} is running on it" in told(report)
        assert ("stop it" in told(report)) is (holder == "server")
    whole(trial)


def test_a_full_disk_keeps_no_repair_from_ending_well(trial: Path) -> None:
    """That the lock says who holds it is a courtesy."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with repairing(trial):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with lock_directory(trial):
        assert (trial / "lock").read_bytes() == b""
