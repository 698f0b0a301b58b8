"""What a store says, against itself and against the rows of segments."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Damaged, check_directory
from palimpsest.index.storage.schema import connect
from palimpsest.index.storage.verify import check_store
from tests.crash.damaging import DAMAGE, Trial
from tests.damage import flip, swap_cells
from tests.unit.doctor.making import batch, copy, found, make, opened, unchanged, whole


def rewrite(data: Path, statement: str, *arguments: object) -> None:
    """Change a store behind its back, with checksums as if it had been meant."""
    path = data / "collections/c/store.sqlite3"
    with closing(connect(path)) as own:
        assert own.execute(statement, arguments).rowcount != 0
        own.execute(
            "UPDATE points SET checksum = row_sum('points', number, id, seq, slots)"
            " WHERE checksum <> row_sum('points', number, id, seq, slots)"
        )
        own.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def raw(data: Path, statement: str, *arguments: object) -> None:
    """Change a store behind its back, without a thought for checksums."""
    with closing(sqlite3.connect(data / "collections/c/store.sqlite3")) as own, own:
        own.create_function("row_sum", -1, lambda *_: 0)
        assert own.execute(statement, arguments).rowcount != 0
    with closing(sqlite3.connect(data / "collections/c/store.sqlite3")) as own:
        own.execute("PRAGMA wal_checkpoint(TRUNCATE)")


SLOT = "(SELECT slots FROM points WHERE number = 700)"
CONTRADICTIONS: dict[str, tuple[str, str]] = {
    "slots of another point": (
        f"UPDATE points SET slots = {SLOT} WHERE number = 701",
        "point 701 means a row of '' that is not there",
    ),
    "slots that are nowhere": (
        "UPDATE points SET slots = x'ffffff0000000000' WHERE number = 701",
        "point 701 means a row of '' that is not there",
    ),
    "no slots": ("UPDATE points SET slots = x'' WHERE number = 701", "point 701 holds a row of ''"),
    "a point gone": ("DELETE FROM points WHERE number = 701", "point 701 holds a row of ''"),
    "a dead row": (
        "INSERT INTO dead (slot) SELECT slot - 30 FROM position",
        "means a row of",
    ),
    "a write of the future": (
        "UPDATE points SET seq = 99999999 WHERE number = 701",
        "point of number 701 is stored with an id, a last write",
    ),
    "an earlier write": ("UPDATE points SET seq = 0 WHERE number = 701", "point 701 was last"),
    "a segment unlisted": (
        "DELETE FROM segments WHERE vector = 0",
        "means a row of '' that is not there",
    ),
    "the count of points": ("UPDATE position SET points = points + 1", "number of points"),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_contradiction_is_found_and_named(trial: Path, what: str) -> None:
    statement, expected = CONTRADICTIONS[what]
    try:
        rewrite(trial, statement)
    except sqlite3.Error as error:
        pytest.fail(str(error))
    report = check_directory(trial)
    assert report.exit_status == 1
    assert any(expected in text for text in found(report, "lost", "damage")), found(
        report, "lost", "damage"
    )


ROWS = {
    "payload": "UPDATE points SET payload = x'7b7d' WHERE number = 5",
    "id": "UPDATE points SET id = id + 1000000 WHERE number = 5",
    "staged": "UPDATE staged SET ids = zeroblob(length(ids))",
    "dead": "UPDATE dead SET slot = slot + 1",
    "sealed": "UPDATE sealed SET slot = 0",
    "fields": "UPDATE fields SET seq = 0",
    "edited": "INSERT INTO edited VALUES (5, 1, 0)",
    "config": "UPDATE settings SET value = replace(value, '1000', '1001') WHERE name = 'config'",
}

MADE_ANEW = ("fields",)  # by payloads; dead slots too, but these contradict the points here


@pytest.mark.parametrize("row", ROWS)
def test_a_row_that_is_not_as_it_was_written_is_found(trial: Path, row: str) -> None:
    raw(trial, ROWS[row])
    report = check_directory(trial)
    assert report.exit_status == 1, row
    assert report.status == ("damage" if row in MADE_ANEW else "lost")


def test_an_index_in_another_order_is_damage_but_no_loss(trial: Path) -> None:
    swap_cells(trial / "collections/c/store.sqlite3", "sqlite_autoindex_points_1")
    report = check_directory(trial)
    assert report.status != "ok"
    assert any("sqlite_autoindex_points_1" in text for text in found(report, "damage", "lost"))


def test_a_store_that_is_gone_or_empty_is_lost(trial: Path) -> None:
    store = trial / "collections/c/store.sqlite3"
    kept = store.read_bytes()
    for text in (None, b"", kept[:100], kept[: len(kept) // 2], bytes(len(kept))):
        store.unlink(missing_ok=True)
        if text is not None:
            store.write_bytes(text)
        report = check_directory(trial)
        assert report.status == "lost", text and len(text)
        assert "DATA IS LOST" in report.summary()


def kill(folder: Path, to: Path, rows: range) -> Path:
    """Write to a collection, and copy its folder as a kill would leave it."""
    with opened(folder) as collection:
        collection.upsert(batch(rows, 3)).result()
        copy(folder.parent.parent, to)
    return to


def test_a_log_is_read_with_its_store_and_left_as_it_is(trial: Path, tmp_path: Path) -> None:
    killed = kill(trial / "collections/c", tmp_path / "killed", range(4_000, 4_300))
    assert (killed / "collections/c/store.sqlite3-wal").stat().st_size > 0
    (killed / "collections/c/store.sqlite3-shm").unlink()
    before = unchanged(killed)
    report = whole(killed)
    assert [one.points for one in report.collections] == [1_818]
    assert unchanged(killed) == before


@pytest.mark.parametrize("what", DAMAGE)
def test_whatever_a_server_refuses_of_a_log_the_doctor_names(
    trial: Path, tmp_path: Path, what: str
) -> None:
    other = make(tmp_path / "other", sealed=0, staged=30)
    killed = kill(trial / "collections/c", tmp_path / "killed", range(4_000, 4_300))
    folder = killed / "collections/c"
    (folder / "store.sqlite3-shm").unlink()
    how = Trial(folder, trial / "collections/c", other, np.random.default_rng(11))
    named = 0
    for _ in range(6):
        kept = {name: (folder / name).read_bytes() for name in ("store.sqlite3", "store.reach")}
        kept["store.sqlite3-wal"] = (folder / "store.sqlite3-wal").read_bytes()
        DAMAGE[what](how)
        try:
            check_store(folder / "store.sqlite3")
        except Damaged:
            named += 1
            report = check_directory(killed)
            assert report.exit_status == 1 and report.status == "lost"
        else:
            whole(killed)
        for name, text in kept.items():
            (folder / name).write_bytes(text)
    assert named > 0 or what in MAY_BE_WHOLE


MAY_BE_WHOLE = (
    "a flipped bit in the record",  # said twice
    "noise behind the log",
    "frames behind the log",
    "an earlier record",
    "zeros in the record",
)


def test_a_flipped_bit_in_a_log_beside_its_record_is_lost(trial: Path, tmp_path: Path) -> None:
    killed = kill(trial / "collections/c", tmp_path / "killed", range(4_000, 4_300))
    flip(killed / "collections/c/store.sqlite3-wal", 8 * 2_000)
    report = check_directory(killed)
    assert report.status == "lost"
    assert any(one.check == "log" for one in report.findings)
