"""Lengths of rows: near those of all rows by a sample, and no error where rows are damaged."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Collection, PointId
from palimpsest.index.storage.lengths import sampled_lengths
from palimpsest.index.storage.schema import connect_frozen
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    return collection_of(config_of(2))


def lengths_of(folder: Path) -> tuple[float, float] | None:
    connection = connect_frozen(folder / "store.sqlite3")
    try:
        found = sampled_lengths(connection)
        return None if found is None else (found.ids, found.payload)
    finally:
        connection.close()


def put(collection: Collection, ids: list[PointId], payloads: list[bytes | None]) -> None:
    collection.upsert(batch_of(ids, np.ones((len(ids), 2), np.float32), payloads)).result()


def test_a_sample_is_near_the_whole(collection: Collection) -> None:
    ids: list[PointId] = [*range(500), *(uuid.UUID(int=i) for i in range(500))]
    texts = [b'{"a":"%s"}' % (b"x" * (i % 40)) for i in range(1_000)]
    put(collection, ids, [None if i % 4 == 0 else text for i, text in enumerate(texts)])
    collection.close()
    found = lengths_of(collection.folder)
    assert found is not None
    whole = sum(len(text) for i, text in enumerate(texts) if i % 4) / 1_000
    assert found[1] == pytest.approx(whole, rel=0.25)
    assert found[0] == pytest.approx(2 * (8 + 16) / 2 + 8 + 36, rel=0.1)


def test_an_empty_store_has_no_lengths(collection: Collection) -> None:
    collection.close()
    assert lengths_of(collection.folder) is None


def test_damaged_rows_are_no_error(collection: Collection) -> None:
    put(collection, [*range(2_000)], [b'{"a": "%s"}' % (b"x" * 100)] * 2_000)
    collection.close()
    store = collection.folder / "store.sqlite3"
    content = bytearray(store.read_bytes())
    for page in range(8, len(content) // 4096):
        content[page * 4096] = 0x77  # no kind of page
    store.write_bytes(content)
    assert lengths_of(collection.folder) is None


def test_a_store_measures_before_it_rests(collection: Collection) -> None:
    store = collection.writer.store
    assert store.lengths is None
    put(collection, [1, 2], [b'{"a": "ab"}', b'{"a": "cd"}'])
    assert store.lengths is None
    assert collection.writer.call(store.rest).result()
    assert store.lengths is not None and store.lengths.payload == 11
