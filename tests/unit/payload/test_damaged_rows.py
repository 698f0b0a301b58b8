"""A damaged row of the store's list of payload indexes costs time, or that index, by name."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Collection, Damaged, Database, FieldIndex, check_directory
from tests.damage import change, settle
from tests.points import batch_of, config_of

KEPT = {
    "another folder": "UPDATE fields SET folder = 'z' || substr(folder, 2) WHERE key = 'a'",
    "a folder of no text": "UPDATE fields SET folder = CAST(X'FF' AS TEXT) WHERE key = 'a'",
    "another checksum of it": "UPDATE fields SET crc32 = crc32 + 1 WHERE key = 'a'",
    "another seq": "UPDATE fields SET seq = seq + 4096 WHERE key = 'a'",
    "another checksum": "UPDATE fields SET checksum = checksum + 1 WHERE key = 'a'",
}
GONE = {
    "no declaration": "UPDATE fields SET declared = 'integes' WHERE key = 'a'",
    "a declaration of no text": "UPDATE fields SET declared = X'00' WHERE key = 'a'",
    "a key of no text": "UPDATE fields SET key = CAST(X'FF' AS TEXT) WHERE key = 'a'",
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("c", config_of(4))
        vectors = np.ones((50, 4), dtype=np.float32)
        payloads = [b'{"a":%d,"b":%d}' % (n, n % 5) for n in range(50)]
        collection.upsert(batch_of(range(50), vectors, payloads)).result()
        for key in "ab":
            collection.create_index(key, FieldIndex.from_declared("integer")).result()
        path = collection.folder / "store.sqlite3"
    settle(path)
    return path


def wait_for(collection: Collection, expected: dict[str, int]) -> None:
    until = time.monotonic() + 60
    while {key: one.points for key, one in collection.state().fields.items()} != expected:
        assert time.monotonic() < until, collection.state().fields
        time.sleep(0.02)


@pytest.mark.parametrize("damage", KEPT.values(), ids=list(KEPT))
def test_the_index_is_built_again(
    damage: str, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert change(store, damage) == 1
    data = store.parents[2]
    report = check_directory(data)
    assert {one.severity for one in report.findings if one.check == "rows"} == {"damage"}
    with Database.open(data, threads=1) as database:
        wait_for(database.get("c"), {"a": 50, "b": 50})
    assert "The payload index of 'a' is built again as its row reads" in caplog.text
    assert str(store) in caplog.text
    caplog.clear()
    with Database.open(data, threads=1) as database:
        wait_for(database.get("c"), {"a": 50, "b": 50})
    assert "row" not in caplog.text
    settle(store)
    assert check_directory(data).exit_status == 0


@pytest.mark.parametrize("damage", GONE.values(), ids=list(GONE))
def test_an_index_that_is_not_known_is_named_and_can_be_declared(
    damage: str, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert change(store, damage) == 1
    with Database.open(store.parents[2], threads=1) as database:
        wait_for(database.get("c"), {"b": 50})
        assert "A payload index is gone; declare it again" in caplog.text
        database.get("c").create_index("a", FieldIndex.from_declared("integer")).result()
        wait_for(database.get("c"), {"a": 50, "b": 50})


def test_where_nothing_can_be_written_it_is_refused(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(store, KEPT["another checksum"])
    before = store.read_bytes()
    monkeypatch.setattr("palimpsest.index.storage.store.takes_no_writes", lambda folder: True)
    with (
        Database.open(store.parents[2], threads=1) as database,
        pytest.raises(Damaged, match="row of fields"),
    ):
        database.get("c")
    assert store.read_bytes() == before
