"""Stores of format 5 get their checksums in the background, a little at a time."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Collection, Damaged, Database, Filter, HasId
from palimpsest.index.storage import summing
from palimpsest.index.storage.checked import bad_rows
from palimpsest.index.storage.schema import connect, connect_frozen
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.sums import TABLES
from tests.damage import change
from tests.points import batch_of, config_of
from tests.stores import bring_back_to_format_5

SIZE = 4
POINTS = 2_500
EVERYTHING = Filter(must_not=(HasId(frozenset({999_999})),))


def write_old(folder: Path) -> Path:
    """Write a collection of format 5 with sealed, staged, deleted and edited points."""
    with Database.open(folder, threads=1) as database:
        path = database.create("c", config_of(SIZE)).folder
    collection = Collection.open("c", path, threads=1, changed=lambda: None)
    vectors = np.random.default_rng(3).standard_normal((POINTS, SIZE)).astype(np.float32)
    payloads = [b'{"n":%d}' % n for n in range(POINTS)]
    collection.upsert(batch_of(range(POINTS), vectors, payloads)).result()
    collection.upkeep.seal()
    collection.upsert(batch_of(range(50), vectors[:50], payloads[:50])).result()
    collection.delete([70]).result()
    collection.set_payload([80, 81], b'{"edited":1}').result()
    collection.close()
    bring_back_to_format_5(path / "store.sqlite3")
    return path


def told(collection: Collection) -> list[object]:
    records, _ = collection.scroll(None, POINTS, with_vectors=True)
    return [(one.id, one.seq, one.payload, str(one.vectors)) for one in records]


def lacking(path: Path) -> int:
    with closing(connect_frozen(path)) as own:
        return sum(
            own.execute(
                f"SELECT count(*) FROM {table.name} WHERE {check.stored} IS NULL"
            ).fetchone()[0]
            for table in TABLES.values()
            for check in table.checks
        )


def wait_until_summed(collection: Collection) -> None:
    until = time.monotonic() + 30
    while not collection.writer.store.summed.complete:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_old_store_opens_at_once_and_is_summed_in_the_background(tmp_path: Path) -> None:
    path = write_old(tmp_path)
    collection = Collection.open("c", path, threads=1, changed=lambda: None)
    before = told(collection)
    assert len(before) == POINTS - 1 and not collection.writer.store.summed.complete
    collection.upsert(batch_of([5_000], np.ones((1, SIZE), dtype=np.float32))).result()
    collection.delete([5_000]).result()
    collection.close()
    with Database.open(tmp_path, threads=1) as database:
        wait_until_summed(database.get("c"))
        assert told(database.get("c")) == before
    assert lacking(path / "store.sqlite3") == 0
    with closing(connect_frozen(path / "store.sqlite3")) as own:
        for table in TABLES.values():
            assert bad_rows(own, table, None, 10**6) == (None, [])
    with Database.open(tmp_path, threads=1) as database:
        assert told(database.get("c")) == before


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_summing_goes_on_where_it_was_ended(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_old(tmp_path) / "store.sqlite3"
    monkeypatch.setattr(summing, "_ROWS", 2 * rows + 400)
    monkeypatch.setattr(summing, "_FEW", rows)
    left, steps = lacking_after(path), 0
    for _ in range(POINTS):
        with closing(Store.open(path)) as store:
            more = store.sum_some()
        steps += 1
        now = lacking_after(path)
        assert now <= left
        left = now
        if not more:
            break
    assert left == 0 and steps > 6
    with closing(Store.open(path)) as store:
        assert store.summed.complete and not store.sum_some()


def lacking_after(path: Path) -> int:
    with closing(Store.open(path)):
        pass
    return lacking(path)


def test_a_row_without_a_checksum_is_damaged_once_all_have_theirs(tmp_path: Path) -> None:
    path = write_old(tmp_path)
    with Database.open(tmp_path, threads=1) as database:
        wait_until_summed(database.get("c"))
    for statement in (
        "UPDATE points SET checksum = NULL WHERE number = 7",
        "UPDATE points SET payload_checksum = NULL WHERE number = 7",
    ):
        assert change(path / "store.sqlite3", statement)
        with Database.open(tmp_path, threads=1) as database:
            with pytest.raises(Damaged, match="point 7 "):
                database.get("c").retrieve([7])


def test_what_is_seen_to_be_damaged_gets_no_checksum(tmp_path: Path) -> None:
    path = write_old(tmp_path)
    with closing(connect(path / "store.sqlite3")) as own:
        own.execute("UPDATE points SET slots = 'text' WHERE number = 7")
    with Database.open(tmp_path, threads=1) as database:
        wait_until_summed(database.get("c"))
        with pytest.raises(Damaged, match="point 7 "):
            database.get("c").retrieve([7], with_payload=False)
        assert len(database.get("c").retrieve([6, 8])) == 2


def test_points_written_meanwhile_are_verified_at_once(tmp_path: Path) -> None:
    path = write_old(tmp_path)
    collection = Collection.open("c", path, threads=1, changed=lambda: None)
    collection.upsert(batch_of([3], np.ones((1, SIZE), dtype=np.float32), [b"{}"])).result()
    collection.close()
    assert change(path / "store.sqlite3", "UPDATE points SET payload = x'7b7e' WHERE number = 3")
    collection = Collection.open("c", path, threads=1, changed=lambda: None)
    with pytest.raises(Damaged, match="point 3 "):
        collection.retrieve([3])
    collection.close()
