"""The files of a store against each other, before SQLite opens them; nothing is changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.reach import Reach, create_record, read_record, record_of
from palimpsest.index.storage.schema import create_store
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.verify import check_store, has_commits, is_log_of, log_of


@pytest.fixture
def live(path: Path, tmp_path: Path) -> Path:
    """A copy of the files of a store with three commits in its log, as a kill leaves them."""
    store, folder = Store.open(path), tmp_path / "killed"
    folder.mkdir()
    for n in range(3):
        shutil.copy(record_of(path), folder / "earlier.reach")
        with store.transaction():
            store.put_config({"vectors": {}, "declared": {"имя": n}})
    for file in (path, log_of(path), record_of(path)):
        shutil.copy(file, folder / file.name)
    store.close()
    return folder / path.name


def content(store: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in store.parent.iterdir()}


def test_a_whole_store_is_told_its_reach_and_left_alone(live: Path) -> None:
    before = content(live)
    reach = check_store(live)
    assert reach is not None and reach == read_record(record_of(live))
    assert has_commits(live) and is_log_of(live)
    assert content(live) == before


def test_a_lost_log_is_missed(live: Path) -> None:
    log_of(live).unlink()
    assert not has_commits(live)
    with pytest.raises(Damaged, match="answered commits up to number"):
        check_store(live)


def test_a_commit_nobody_was_answered_about_may_be_torn(live: Path) -> None:
    whole = check_store(live)
    assert whole is not None
    log = log_of(live)
    log.write_bytes(log.read_bytes()[:-10])
    with pytest.raises(Damaged, match="answered"):
        check_store(live)
    shutil.copy(live.with_name("earlier.reach"), record_of(live))
    torn = check_store(live)
    assert torn is not None and (torn.commit, torn.mark) == (whole.commit - 1, whole.before)


def test_a_log_of_another_store_is_none_of_this_one(live: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite3"
    create_store(other, {"vectors": {}})
    shutil.copy(other, live)
    assert not is_log_of(live)
    with pytest.raises(Damaged):
        check_store(live)


def test_a_record_that_is_gone_or_of_another_store_is_told(live: Path) -> None:
    record = record_of(live)
    kept = record.read_bytes()
    record.unlink()
    with pytest.raises(Damaged, match="record of how far"):
        check_store(live)
    record.write_bytes(bytes(len(kept)))
    with pytest.raises(Damaged, match="no whole one"):
        check_store(live)
    create_record(record, Reach.none().next())
    with pytest.raises(Damaged, match="commits up to"):
        check_store(live)


@pytest.mark.parametrize("content_of", [b"", b"SQLite format 3\0", bytes(4_096), b"x" * 200])
def test_what_is_no_database_is_damage_before_sqlite_takes_it_for_new(
    live: Path, content_of: bytes
) -> None:
    live.write_bytes(content_of)
    with pytest.raises(Damaged, match="a SQLite database"):
        check_store(live)
    assert log_of(live).exists()
