"""The list of payload indexes, and which points changed since the folders they are in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.field_table import FieldEntry
from palimpsest.index.storage.store import Store
from tests.damage import change

SAVED = FieldEntry("цвет.色[]", '{"type": "keyword"}', "f1", 2**32 - 1, 2**53 + 1)
UNSAVED = FieldEntry("é", '{"type": "integer"}', None, None, 0)


@pytest.fixture
def filled(store: Store) -> Store:
    with store.transaction():
        store.fields.put(SAVED)
        store.fields.put(UNSAVED)
        for seq, numbers in ((5, [1, 2]), (2**53 + 1, [2**32 - 1]), (2**53 + 2, [])):
            store.fields.touch(seq, np.array(numbers, dtype=np.uint32))
    return store


def test_declared_indexes_come_back_and_go(filled: Store) -> None:
    assert sorted(one.key for one in filled.fields.entries()) == ["é", "цвет.色[]"]
    assert {*filled.fields.entries()} == {SAVED, UNSAVED}
    with filled.transaction():
        filled.fields.remove("цвет.色[]")
        filled.fields.remove("e\u0301")  # another key
    assert filled.fields.entries() == [UNSAVED]
    assert filled.superseded.names() == {"f1"}


def test_what_was_touched_is_forgotten_up_to_a_seq(filled: Store) -> None:
    found = [(seq, numbers.tolist()) for seq, numbers in filled.fields.touched()]
    assert found == [(5, [1, 2]), (2**53 + 1, [2**32 - 1]), (2**53 + 2, [])]
    assert filled.fields.count_touched() == 3
    with filled.transaction():
        filled.fields.forget_touched(2**53)
    assert [seq for seq, _ in filled.fields.touched()] == [2**53 + 1, 2**53 + 2]


def test_without_what_was_touched_no_folder_is_up_to_date(filled: Store) -> None:
    with filled.transaction():
        filled.fields.forget_all_touched()
    assert [one.folder for one in filled.fields.entries()] == [None, None]
    assert filled.fields.touched() == [] and filled.fields.count_touched() == 0


def test_a_damaged_row_is_parted_and_the_rest_listed_anew(path: Path, filled: Store) -> None:
    filled.close()
    change(path, "UPDATE fields SET declared = '{}' WHERE key = 'é'")
    again = Store.open(path)
    whole, (bad,) = again.fields.parted()
    assert whole == [SAVED] and (bad.key, bad.declared) == ("é", "{}")
    with pytest.raises(Damaged):
        again.fields.entries()
    with again.transaction():
        again.fields.put_anew(whole)
    assert again.fields.entries() == [SAVED] and again.superseded.names() == set()
    again.require_counts("fields")
    again.close()
