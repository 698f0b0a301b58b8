"""The scrub: everything is read in small steps, named once, and made anew where it can be."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.app.health.conditions import status_of
from palimpsest.index import Collection, Database
from palimpsest.index.checks.findings import Finding
from palimpsest.index.checks.progress import FILE, Progress, read_progress, write_progress
from palimpsest.index.storage.schema import connect
from palimpsest.index.upkeep.scrub import Ended, Scrub
from tests.damage import flip, swap_cells
from tests.unit.doctor.making import CONFIG, batch, make, whole
from tests.unit.doctor.making import opened as alone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path / "data")


@pytest.fixture
def opened(folder: Path) -> Iterator[Collection]:
    with alone(folder) as collection:
        yield collection


def scrub(collection: Collection) -> None:
    collection.scrub.run(lambda nbytes: None)


def test_a_whole_collection_is_read_and_nothing_found(
    opened: Collection, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = opened.state().integrity
    assert (before.checked_at, before.bytes_read) == (None, 0)
    scrub(opened)
    after = opened.state().integrity
    assert after.checked_at is not None and after.checked_at <= time.time()
    segments = sum(p.stat().st_size for p in (folder / "segments").rglob("*") if p.is_file())
    assert after.bytes_read > segments
    assert (after.damaged_files, after.damaged_rows, after.lost, after.findings) == (
        0,
        0,
        False,
        (),
    )
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


@pytest.mark.parametrize("name", ["graph_", "codes", "by_slot", "ids", "numbers"])
def test_a_damaged_file_of_a_segment_that_is_in_memory_is_written_anew(
    opened: Collection, folder: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    [path] = [
        path
        for path in (folder / "segments").rglob(f"{name}*.npy")
        if (path.parent / "kept.npy").exists()
    ][:1]
    flip(path, 8 * path.stat().st_size - 3)
    scrub(opened)
    state = opened.state()
    assert state.integrity.damaged_files == 1 and path.name in str(state.integrity.findings[0])
    opened.upkeep.compact()
    assert not path.exists()
    assert opened.state().integrity.findings == ()
    scrub(opened)
    assert opened.state().integrity.damaged_files == 0
    said = [one.getMessage() for one in caplog.records if "found by the scrub" in one.getMessage()]
    assert len(said) == 1 and str(path) in said[0]
    opened.met_damage("a row is damaged")
    assert opened.state().integrity.met == {"file": 1, "row": 0, "read": 1}, "though it was mended"


def test_a_damaged_payload_index_is_written_anew_at_once(opened: Collection, folder: Path) -> None:
    path = sorted((folder / "fields").rglob("*.npy"))[0]
    flip(path, 8 * path.stat().st_size - 1)
    scrub(opened)
    assert not path.exists()
    assert opened.state().integrity.findings == ()
    scrub(opened)
    assert opened.state().integrity.damaged_files == 0


def test_what_is_derived_is_written_anew_of_a_collection_at_rest_too(
    opened: Collection, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = sorted((folder / "fields").rglob("*.npy"))[0]
    flip(path, 8 * path.stat().st_size - 1)
    opened.upkeep.close_files()
    assert not opened.writer.store.is_awake
    scrub(opened)
    assert not path.exists()
    opened.upkeep.close_files()
    gone = folder / "adapters" / "gone" / "description.json"
    opened.scrub._heal(Finding("damage", "files", gone, "is of an adapter that was dropped"))
    assert opened.writer.store.is_awake
    assert not [one for one in caplog.records if "could not be written anew" in one.message]


def test_originals_that_are_damaged_are_lost_and_stay_named(
    opened: Collection, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = next((folder / "segments").rglob("kept.npy"))
    flip(path, 8 * path.stat().st_size - 3)
    for _ in range(3):
        scrub(opened)
        integrity = opened.state().integrity
        assert integrity.lost and integrity.damaged_files == 1
    assert len([one for one in caplog.records if str(path) in one.getMessage()]) == 1
    assert opened.scrub.due_in(7) < 2 * 86_400  # sooner than a week from now


def test_a_segment_that_is_compacted_meanwhile_is_no_damage(opened: Collection) -> None:
    rounds = 0

    def write(nbytes: int) -> None:
        nonlocal rounds
        rounds += 1
        if rounds < 20:
            opened.upsert(batch(range(1_200), rounds)).result()
            opened.upkeep.seal()
            opened.upkeep.compact()

    opened.scrub.run(write)
    assert opened.state().integrity.findings == ()


def test_it_goes_on_where_it_stood_also_after_a_restart(folder: Path) -> None:
    def read_through(most: int) -> int:
        """Scrub, ending after so many pieces; return how many there were."""
        pieces = 0

        def wait(nbytes: int) -> None:
            nonlocal pieces
            pieces += 1
            if pieces > most:
                raise Ended

        with alone(folder) as collection:
            own = collection.scrub
            try:
                own.run(wait)
            except Ended:
                assert own.due_in(7) == 0
            own._save()
        return pieces

    whole_pass = read_through(10_000)
    assert whole_pass > 30
    counted, rounds = 0, 0
    before = read_progress(folder)
    assert before is not None and before.began is None
    while rounds < 20:
        counted += read_through(12)
        rounds += 1
        now = read_progress(folder)
        assert now is not None
        if now.began is None:
            break
    assert now is not None and now.finished != before.finished
    assert rounds > 2
    assert counted <= whole_pass + 3 * rounds  # the piece that was cut off, and descriptions


def test_a_progress_that_cannot_be_read_is_as_good_as_none(tmp_path: Path) -> None:
    write_progress(tmp_path, Progress(since=3.0, phase="rows", at=("points", [4])))
    kept = (tmp_path / FILE).read_bytes()
    found = read_progress(tmp_path)
    assert found is not None and found.at == ("points", [4])
    for place in range(0, 8 * len(kept), 5):
        flip(tmp_path / FILE, place)
        assert read_progress(tmp_path) in (None, found)
        (tmp_path / FILE).write_bytes(kept)


def test_a_dropped_collection_leaves_no_progress(tmp_path: Path) -> None:
    with Database.open(tmp_path / "data", threads=1) as database:
        collection = database.create("c", CONFIG)
        collection.upsert(batch(range(10))).result()
        scrub(collection)
        database.drop("c")
        collection.scrub._save()
        assert not (tmp_path / "data/collections/c").exists()


def wait_until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_background_scrubs_when_it_is_due_and_never_when_it_is_off(folder: Path) -> None:
    data = folder.parent.parent
    with Database.open(data, threads=1, scrub_days=0) as database:
        assert database.get("c").state().integrity.checked_at is None
    with Database.open(data, threads=1, scrub_days=1e-6) as database:
        own = database.get("c").state
        wait_until(lambda: own().integrity.checked_at is not None)
    with Database.open(data, threads=1, scrub_days=7) as database:
        assert 6 * 86_400 < database.get("c").scrub.due_in(7) <= 7 * 86_400
    whole(data)


def test_one_that_was_never_scrubbed_is_due_a_period_after_it_was_first_seen(
    tmp_path: Path,
) -> None:
    write_progress(tmp_path, Progress(since=time.time() - 5 * 86_400))
    own = Scrub(tmp_path / "store.sqlite3", lambda finding: None)
    assert 1.9 * 86_400 < own.due_in(7) < 2.1 * 86_400
    assert own.due_in(4) <= 0


def test_a_clock_that_was_years_ahead_puts_no_scrub_off(tmp_path: Path) -> None:
    ahead = time.time() + 3_000 * 86_400
    for progress in (Progress(since=ahead), Progress(since=3.0, finished=ahead)):
        write_progress(tmp_path, progress)
        assert Scrub(tmp_path / "store.sqlite3", lambda finding: None).due_in(7) <= 0
    write_progress(tmp_path, Progress(since=3.0, finished=time.time() + 60))  # a step of the clock
    assert 6 * 86_400 < Scrub(tmp_path / "store.sqlite3", lambda finding: None).due_in(7)


def test_a_row_that_is_not_what_was_written_is_named_until_a_pass_finds_it_whole(
    folder: Path,
) -> None:
    store = folder / "store.sqlite3"
    with closing(connect(store)) as own:
        own.execute("UPDATE points SET payload = x'7b7d' WHERE number = 5")
        own.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with alone(folder) as collection:
        scrub(collection)
        integrity = collection.state().integrity
        assert (integrity.damaged_rows, integrity.lost) == (1, True)
        assert "(point 5)" in str(integrity.findings[0])
        assert status_of(collection.state()) == "red"
    with alone(folder) as collection:
        assert collection.state().integrity.damaged_rows == 1  # over a restart
        collection.upsert(batch(range(5, 6))).result()
        scrub(collection)
        assert collection.state().integrity.findings == ()
        assert status_of(collection.state()) != "red"


def test_points_are_looked_up_by_their_ids(folder: Path) -> None:
    swap_cells(folder / "store.sqlite3", "sqlite_autoindex_points_1")
    with alone(folder) as collection:
        scrub(collection)
        findings = collection.state().integrity.findings
        assert any("not found by its id" in str(one) for one in findings)


def test_what_an_earlier_scrub_found_is_looked_at_again_though_none_is_wanted(folder: Path) -> None:
    """Or what was restored since would be told for ever."""
    path = next((folder / "segments").rglob("kept.npy"))
    before = path.read_bytes()
    with alone(folder) as collection:
        flip(path, 8 * len(before) - 3)
        scrub(collection)
        assert collection.state().integrity.lost
        assert not collection.scrub.is_due(0)
    path.write_bytes(before)
    with alone(folder) as collection:
        assert collection.state().integrity.lost
        assert collection.scrub.is_due(0)
        scrub(collection)
        assert collection.state().integrity.findings == ()
        assert not collection.scrub.is_due(0)
    with alone(folder) as collection:
        assert not collection.scrub.is_due(0)
