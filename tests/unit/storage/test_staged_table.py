"""Staged rows come back as they were written, until they are sealed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.entries import StagedRows
from palimpsest.index.storage.ids import pack_ids
from palimpsest.index.storage.schema import connect
from palimpsest.index.storage.store import Store


def staged(first: int, n: int = 3, vector: int = 0) -> StagedRows:
    value = np.random.default_rng(first).standard_normal((n, 4), dtype=np.float32).tobytes()
    numbers = np.arange(n, dtype=np.uint32) + 7
    return StagedRows(vector, first, 1, pack_ids(list(range(n))), numbers, value)


def test_staged_rows_come_back_until_they_are_sealed(store: Store) -> None:
    with store.transaction():
        for first, vector in ((1, 0), (4, 1), (7, 0), (10, 0)):
            store.staged.add(staged(first, vector=vector))
        store.staged.mark_sealed(0, 9)
    assert [(rows.vector, rows.first) for rows in store.staged.rows()] == [(1, 4), (0, 10)]
    first = next(store.staged.rows())
    assert first.value == staged(4).value
    np.testing.assert_array_equal(first.numbers, staged(4).numbers)
    with store.transaction():
        assert store.staged.purge(1)  # one entry is more than that many bytes
    assert store._connection.execute("SELECT count(*) FROM staged").fetchone()[0] == 3
    with store.transaction():
        assert not store.staged.purge(1 << 20)
    assert store._connection.execute("SELECT count(*) FROM staged").fetchone()[0] == 2


def test_flipped_staged_bytes_are_found(store: Store, path: Path) -> None:
    with store.transaction():
        store.staged.add(staged(1))
    connection = connect(path)
    connection.execute("UPDATE staged SET value = zeroblob(length(value))")
    connection.close()
    with pytest.raises(Damaged, match="slot 1"):
        list(store.staged.rows())
