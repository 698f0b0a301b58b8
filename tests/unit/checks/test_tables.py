"""A store by itself: pages, counts and rows with checksums; each table has its own remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index.checks import tables
from palimpsest.index.checks.findings import Finding
from palimpsest.index.checks.stored import opened
from palimpsest.index.checks.tables import check_pages, check_position, check_rows, waiting_rows
from palimpsest.index.remedies import Act
from tests.damage import change, settle, swap_cells
from tests.unit.checks.test_collection import Told
from tests.unit.doctor.making import copied

Key = tuple[object, ...]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = copied(tmp_path / "data", sealed=0, staged=30) / "store.sqlite3"
    settle(made)
    return made


def rows(
    path: Path, after: tuple[object, ...] = ()
) -> tuple[list[Finding], list[tuple[object, ...]]]:
    told, reached = Told(), list[tuple[object, ...]]()
    with opened(path, in_use=False) as stored:
        check_rows(stored, told, after, reached.append)
    return told.findings, reached


def test_a_whole_store_says_nothing(path: Path) -> None:
    told = Told()
    with opened(path, in_use=False) as stored:
        assert check_pages(stored, told)
        with stored.snapshot():
            listing = stored.listing()
        check_position(stored, listing, told)
        assert waiting_rows(stored) == 60
    assert told.findings == [] and told.nbytes == path.stat().st_size
    assert rows(path)[0] == []


@pytest.mark.parametrize(
    ("statement", "severity", "remedy"),
    [
        ("UPDATE points SET payload = '{}' WHERE number = 3", "lost", tables.BACKUP),
        ("UPDATE fields SET declared = '{}'", "damage", Act.REOPEN),
        ("UPDATE dead SET seq = seq + 1", "damage", Act.REOPEN),
        ("UPDATE settings SET value = '{}' WHERE name = 'config'", "lost", tables.BACKUP),
    ],
)
def test_a_row_that_is_not_as_it_was_written(
    path: Path, statement: str, severity: str, remedy: object
) -> None:
    assert change(path, statement) > 0
    findings, _ = rows(path)
    assert {(one.severity, one.remedy) for one in findings} == {(severity, remedy)}


def test_of_very_many_damaged_rows_the_first_are_named_and_the_rest_counted(path: Path) -> None:
    change(path, "UPDATE points SET checksum = checksum + 1")
    findings, _ = rows(path)
    assert (
        len(findings) == 9
        and findings[-1].what == "21 further rows of points are other than was written"
    )


def test_a_check_goes_on_behind_the_row_it_reached(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_PIECE", 7)
    _, reached = rows(path)
    middle = reached[len(reached) // 2]
    assert rows(path, middle)[1] == reached[reached.index(middle) + 1 :]
    assert rows(path, ("no such table", 1))[1] == reached


def test_an_index_in_another_order_costs_no_data(path: Path) -> None:
    swap_cells(path, tables.INDEX)
    told = Told()
    with opened(path, in_use=False) as stored:
        assert not check_pages(stored, told)
    assert {(one.severity, one.remedy) for one in told.findings} <= {
        ("damage", Act.REINDEX), ("lost", tables.BACKUP),
    }  # fmt: skip


def test_a_count_that_is_wrong_and_a_column_nobody_declared(path: Path) -> None:
    change(path, "UPDATE position SET points = points + 1")
    change(path, "INSERT INTO segments (name, vector, crc32) VALUES ('ж', 7, 0)")
    told = Told()
    with opened(path, in_use=False) as stored:
        with stored.snapshot():
            listing = stored.listing()
        check_position(stored, listing, told)
    assert [one.what for one in told.findings] == [
        "number of points", "columns of segments that the collection does not declare",
    ]  # fmt: skip
