"""The list of adapters: by the columns they lead between, damaged rows apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.adapter_table import AdapterEntry
from palimpsest.index.storage.store import Store
from tests.damage import change

ONE, BACK, OTHER = (
    AdapterEntry(0, 1, "ж", 2**32 - 1), AdapterEntry(1, 0, "a", 5), AdapterEntry(2, 1, "b", 0),
)  # fmt: skip


def listed(store: Store, *entries: AdapterEntry) -> None:
    with store.transaction():
        for entry in entries:
            store.adapters.put(entry)


def test_each_pair_of_columns_has_one_and_the_one_before_is_superseded(store: Store) -> None:
    listed(store, OTHER, BACK, ONE)
    assert store.adapters.entries() == [ONE, BACK, OTHER]
    listed(store, AdapterEntry(0, 1, "new", 7))
    assert store.adapters.entries()[0].folder == "new" and store.superseded.replaced() == {"ж"}
    store.require_counts("adapters")


def test_a_column_that_goes_takes_its_adapters_along(store: Store) -> None:
    listed(store, ONE, BACK, OTHER)
    with store.transaction():
        store.adapters.remove(1, 0)
        store.adapters.remove_column(2)
    assert store.adapters.entries() == [ONE]
    assert store.superseded.names() == {"a", "b"}


@pytest.mark.parametrize(("column", "ends"), [("folder", (0, 1)), ("queries", None)])
def test_damaged_rows_are_parted_from_whole_ones(
    path: Path, store: Store, column: str, ends: tuple[int, int] | None
) -> None:
    listed(store, ONE, BACK)
    store.close()
    change(path, f"UPDATE adapters SET {column} = 'x' WHERE folder = 'ж'")
    again = Store.open(path)
    whole, (bad,) = again.adapters.parted()
    assert whole == [BACK] and bad.ends == ends and "adapters" in str(bad.error)
    with pytest.raises(Damaged):
        again.adapters.entries()
    with again.transaction():
        again.adapters.put_anew([BACK])
    assert again.adapters.entries() == [BACK] and again.superseded.names() == set()
    again.require_counts("adapters")
    again.close()
