"""A schema is as it was written, or the store is refused; SQLite alone would not see it."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.index import Damaged, Database, check_directory
from palimpsest.index.storage.reach import read_record, record_of
from palimpsest.index.storage.schema import connect, connect_frozen, create_store, triggers
from palimpsest.index.storage.schema_sum import SETTING, require_schema
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.sums import TABLES
from palimpsest.index.upkeep.scrub import Scrub
from tests.damage import change, flip, settle
from tests.points import config_of
from tests.stores import bring_back_to_format_5

FLIPS = 500
SILENT = b"UPDATE position SET staged_rows = staged_rows + 1"  # one bit makes it minus


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_store(tmp_path / "store.sqlite3", {"vectors": {}})
    settle(tmp_path / "store.sqlite3")
    return tmp_path / "store.sqlite3"


def texts(path: Path) -> list[bytes]:
    with closing(connect_frozen(path)) as own:
        rows = own.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return [sql.encode() for (sql,) in rows]


def change_text(path: Path) -> None:
    """Let a trigger count backwards, which is good SQL."""
    file = path.read_bytes()
    assert file.count(SILENT) == 1
    place = file.index(SILENT) + len(SILENT) - 3
    assert file[place] == ord("+")
    path.write_bytes(file[:place] + b"-" + file[place + 1 :])


def test_every_flipped_bit_of_a_text_is_found(path: Path, tmp_path: Path) -> None:
    draw = random.Random(11)
    whole, trial = path.read_bytes(), tmp_path / "trial/store.sqlite3"
    trial.parent.mkdir()
    shutil.copy(record_of(path), record_of(trial))
    every = texts(path)
    assert len(every) == len(TABLES) + len([*triggers()])
    for _ in range(FLIPS):
        text = draw.choice(every)
        trial.write_bytes(whole)
        place = (whole.index(text) + draw.randrange(len(text))) * 8 + draw.randrange(8)
        flip(trial, place)
        with pytest.raises(Damaged):
            Store.open(trial)


def test_a_text_of_good_sql_is_told_as_the_schema(path: Path) -> None:
    change_text(path)
    with pytest.raises(Damaged, match="checksum of the schema"):
        Store.open(path)


@pytest.mark.parametrize(
    "statement", ["DROP TRIGGER staged_insert", "CREATE INDEX a ON dead (slot)"]
)
def test_what_is_gone_or_added_is_told(path: Path, statement: str) -> None:
    change(path, statement)
    with pytest.raises(Damaged, match="checksum of the schema"):
        Store.open(path)


def test_statistics_and_a_vacuum_by_hand_are_no_damage(path: Path) -> None:
    change(path, "ANALYZE")
    change(path, "VACUUM")
    Store.open(path).close()


def test_a_store_without_it_gets_it_once(path: Path) -> None:
    change(path, "DELETE FROM settings WHERE name = ?", SETTING)
    before = read_record(record_of(path))
    Store.open(path).close()
    after = read_record(record_of(path))
    assert before is not None and after is not None and after.commit == before.commit + 1
    Store.open(path).close()
    assert read_record(record_of(path)) == after
    settle(path)
    change_text(path)
    with pytest.raises(Damaged, match="checksum of the schema"):
        Store.open(path)


def test_a_store_of_an_earlier_format_gets_it(path: Path) -> None:
    bring_back_to_format_5(path)
    Store.open(path).close()
    with closing(connect(path)) as own:
        assert require_schema(path, own)


def test_a_store_that_is_only_read_is_checked_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palimpsest.index.storage.store.takes_no_writes", lambda folder: True)
    Store.open(path).close()
    change_text(path)
    with pytest.raises(Damaged, match="checksum of the schema"):
        Store.open(path)


def test_the_doctor_and_the_scrub_find_it(tmp_path: Path) -> None:
    with Database.open(tmp_path, threads=1) as database:
        store = database.create("c", config_of(4)).folder / "store.sqlite3"
    settle(store)
    assert check_directory(tmp_path).exit_status == 0
    change_text(store)
    report = check_directory(tmp_path)
    assert report.exit_status == 1
    told = [str(one) for one in report.findings if one.severity == "lost"]
    assert len(told) == 1 and "checksum of the schema" in told[0]
    scrub = Scrub(store, lambda finding: None)
    scrub.run(lambda nbytes: None)
    assert [one for one in scrub.integrity().findings if "checksum of the schema" in str(one)]


def test_sqlite_alone_sees_nothing(path: Path) -> None:
    change_text(path)
    with closing(sqlite3.connect(path)) as own:
        assert own.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
