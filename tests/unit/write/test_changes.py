"""Views made of changes: applied twice, they leave what they left the first time."""

from __future__ import annotations

import numpy as np
from pyroaring import BitMap

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.config.vectors import MaintenanceConfig, SparseConfig, VectorConfig
from palimpsest.index.storage.ids import pack_ids
from palimpsest.index.types import Distance
from palimpsest.index.view.view import View
from palimpsest.index.write.changes import Changes, NewRows, Replaced, apply, frozen, is_cut

CONFIG = CollectionConfig(
    {"": VectorConfig(2, Distance.DOT)}, MaintenanceConfig(seal_rows=64, quiet_rows=1)
)


def new_rows(first: int, n: int) -> NewRows:
    slots = np.arange(first, first + n, dtype=np.uint64)
    values = np.full((n, 2), first, dtype=np.float32)
    ids = pack_ids([2**53 + int(one) for one in slots])
    return NewRows(0, slots, first, ids, slots.astype(np.uint32), values)


def empty() -> View:
    return apply(View(0, BitMap(), {}, CONFIG), Changes(0, config=CONFIG))


def state(view: View) -> list[tuple[list[int], int]]:
    return [
        (part.columns.slots[: part.n].tolist(), part.dead.count) for part in view.vectors[0].growing
    ]


def test_rows_and_deaths_are_applied_once_however_often_they_come() -> None:
    changes = Changes(
        5, rows=[new_rows(1, 3), new_rows(4, 2)], dead=np.array([2, 4], np.uint64),
        live=BitMap([1, 3, 5]),
    )  # fmt: skip
    once = apply(empty(), changes)
    twice = apply(apply(once, changes), Changes(2, rows=[new_rows(3, 3)]))
    assert state(once) == state(twice) == [([1, 2, 3, 4, 5], 2)]
    assert (twice.seq, twice.live) == (5, BitMap([1, 3, 5]))
    assert state(empty()) == [([], 0)]


def test_a_full_part_grows_no_further() -> None:
    view = apply(empty(), Changes(1, rows=[new_rows(1, 60), new_rows(61, 10), new_rows(71, 5)]))
    assert [len(slots) for slots, _ in state(view)] == [60, 15]
    over = apply(empty(), Changes(1, rows=[new_rows(1, 200), new_rows(201, 1)]))
    assert [len(slots) for slots, _ in state(over)] == [200, 1]


def test_growing_rows_that_are_sealed_go_and_later_ones_stay() -> None:
    view = frozen(apply(empty(), Changes(1, rows=[new_rows(1, 5)])), 0)
    view = apply(view, Changes(2, rows=[new_rows(6, 2)]))
    gone = Replaced(0, frozenset(), 5, ())
    then = apply(view, Changes(2, replaced=[gone]))
    assert state(then) == [([6, 7], 0)]
    assert apply(then, Changes(2, replaced=[gone])).vectors[0] is then.vectors[0]
    part = view.vectors[0].growing[0]
    assert is_cut(part, 3) and not is_cut(part, 5) and not is_cut(part, 0)
    cut = apply(view, Changes(2, replaced=[Replaced(0, frozenset(), 3, ())]))
    assert state(cut) == [([], 0)], "who cut it brings the rows that stay again"


def test_columns_come_and_go_with_the_config() -> None:
    view = apply(empty(), Changes(1, rows=[new_rows(1, 2)]))
    more = CONFIG.with_column("разреженный", SparseConfig())
    grown = apply(view, Changes(1, config=more))
    assert set(grown.vectors) == {0, 1} and state(grown) == state(view)
    assert grown.vectors[0] is view.vectors[0]
    left = apply(grown, Changes(1, config=more.without_columns({0})))
    assert set(left.vectors) == {1} and set(view.vectors) == {0}
