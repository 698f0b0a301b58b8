"""The log of a SQLite database, read without SQLite: the same commits, and what is behind them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.index.storage.reach import Reach, read_record, record_of
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.verify import log_of
from palimpsest.index.storage.wal import Log, reach_in, read_log
from tests.damage import flip


def facts(path: Path) -> tuple[int, int]:
    """Return the size of pages, and the page that ``position`` is on."""
    with closing(sqlite3.connect(path)) as own:
        (size,) = own.execute("PRAGMA page_size").fetchone()
        (root,) = own.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'position'"
        ).fetchone()
    return size, root


@pytest.fixture
def log(path: Path, tmp_path: Path) -> tuple[Path, int, int]:
    """A log of five commits beside the store that it is of."""
    store = Store.open(path)
    size, root = facts(path)
    for n in range(5):
        with store.transaction():
            store.put_config({"vectors": {}, "declared": {"имя": "ж" * 3_000 * n}})
    kept = tmp_path / "kept-wal"
    kept.write_bytes(log_of(path).read_bytes())
    store.close()
    return kept, size, root


def whole(log: tuple[Path, int, int]) -> Log:
    found = read_log(*log)
    assert found is not None
    return found


def test_commits_follow_one_another_up_to_what_the_record_says(
    path: Path, log: tuple[Path, int, int]
) -> None:
    found = whole(log)
    assert len(found.commits) == 5 and found.torn == found.frames and found.beyond is None
    reaches = [one for one in found.commits if one is not None]
    assert [one.commit for one in reaches] == list(range(2, 7))
    assert all(b.before == a.mark for a, b in zip(reaches, reaches[1:], strict=False))
    recorded = read_record(record_of(path))
    assert recorded is not None and recorded.commit >= reaches[-1].commit and not found.goes_on


def test_a_flipped_bit_ends_the_log_before_it_and_later_commits_are_told(
    log: tuple[Path, int, int],
) -> None:
    kept, size, _ = log
    frame = 24 + size
    for place in (32, 32 + frame + 100, kept.stat().st_size - 1):
        flip(kept, 8 * place)
        found = whole(log)
        assert found.torn == (place - 32) // frame < found.frames
        flip(kept, 8 * place)
    flip(kept, 8 * (32 + 30))
    found = whole(log)
    assert found.commits == [] and found.goes_on
    assert found.beyond is not None and found.beyond.commit == 6


@pytest.mark.parametrize("cut", [1, 24, 25, 5_000])
def test_a_log_that_is_cut_short_keeps_the_commits_before(
    log: tuple[Path, int, int], cut: int
) -> None:
    kept, *_ = log
    kept.write_bytes(kept.read_bytes()[:-cut])
    found = whole(log)
    assert len(found.commits) == 4 and not found.goes_on


@pytest.mark.parametrize("place", [0, 4, 8, 16, 24])
def test_a_header_that_does_not_fit_holds_nothing(log: tuple[Path, int, int], place: int) -> None:
    flip(log[0], 8 * place)
    found = whole(log)
    assert (found.commits, found.torn) == ([], 0)


def test_no_log_and_an_empty_one_are_none(log: tuple[Path, int, int], tmp_path: Path) -> None:
    kept, size, root = log
    assert read_log(tmp_path / "none", size, root) is None
    kept.write_bytes(kept.read_bytes()[:32])
    assert read_log(*log) is None


def test_a_page_of_another_table_has_no_reach() -> None:
    reach = Reach.none().next()
    for page in (
        b"",
        bytes(4_096),
        b"\x0d\0\0\0\1\0\0\0\0\x20" + bytes(22) + b"pRch",
        b"\x0d" * 10,
    ):
        assert reach_in(page) is None
    leaf = b"\x0d\0\0\0\1\0\0\0\0\x20".ljust(0x20, b"\0") + b"row" + reach.to_bytes()
    assert reach_in(leaf) == reach
