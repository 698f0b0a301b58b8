"""Folders that may be deleted: planned ones, and those whose line went, until they are listed."""

from __future__ import annotations

from pathlib import Path

from palimpsest.index.storage.entries import SegmentEntry
from palimpsest.index.storage.store import Store
from tests.damage import change


def test_a_folder_is_superseded_once_its_line_is_gone(store: Store) -> None:
    with store.transaction():
        store.superseded.plan("новый")
    assert store.superseded.names() == {"новый"} and store.superseded.replaced() == set()
    with store.transaction():
        store.add_segment(SegmentEntry("новый", 0, 1))
    assert store.superseded.names() == set()
    with store.transaction():
        store.remove_segments(["новый"])
    assert store.superseded.names() == store.superseded.replaced() == {"новый"}
    with store.transaction():
        store.superseded.forget(["новый", "never there"])
    assert store.superseded.names() == set()


def test_a_row_that_is_damaged_keeps_its_folder(path: Path, store: Store) -> None:
    with store.transaction():
        for name in ("a", "b"):
            store.superseded.plan(name)
    store.close()
    change(path, "UPDATE superseded SET planned = 0 WHERE name = 'a'")
    again = Store.open(path)
    assert again.superseded.names() == {"b"} and again.superseded.replaced() == set()
    again.close()
