"""Growing rows are those that came, in every view that took them."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import Distance, MultiConfig
from palimpsest.index.encoding.tokens import TokenEncoder
from palimpsest.index.kinds.multi.growing import MultiGrowing
from palimpsest.index.kinds.multi.rows import MultiRows
from tests.unit.kinds.multi.twin import batch_of, drawn

SIZE = 4


def test_large_sets_count_as_several_rows() -> None:
    part = MultiGrowing.empty(MultiConfig(SIZE, Distance.DOT))
    assert part.weight == 0
    sets = batch_of([np.ones((t, SIZE), np.float32) for t in (1, 200, 7)], SIZE)
    ids = np.arange(3, dtype=np.uint64)
    rows = MultiRows(sets.starts, sets.values)
    part = part.extended(ids + 1, 1, ids, ids.astype(np.uint32), rows)
    assert (part.n, part.weight) == (3, 13)
    small = part.extended(ids + 4, 2, ids, ids.astype(np.uint32), rows[np.array([0, 0, 0])])
    assert (small.n, small.weight) == (6, 13)


def test_a_view_keeps_the_rows_it_took() -> None:
    part, sets, parts = MultiGrowing.empty(MultiConfig(SIZE, Distance.DOT)), drawn(range(0), 1), []
    for first in range(0, 900, 90):
        fresh = drawn(range(first, first + 90), SIZE, first)
        sets |= fresh
        batch = batch_of([*fresh.values()], SIZE)
        ids = np.arange(first, first + 90, dtype=np.uint64)
        rows = MultiRows(batch.starts, batch.values)
        part = part.extended(ids + 1, first, ids, ids.astype(np.uint32), rows)
        parts.append(part)
    for n, one in enumerate(parts):
        assert one.n == len(one.rows) == 90 * (n + 1)
        expected = np.concatenate([sets[i] for i in range(one.n)])
        np.testing.assert_array_equal(one.rows.values, expected)
    assert part.columns.nbytes >= part.rows.values.nbytes
    some = part.without(np.array([5, 6], dtype=np.uint64))
    assert some.live == 898 and part.live == 900
    np.testing.assert_array_equal(some.rows_of(np.array([700])).values, sets[700])


@pytest.mark.parametrize("bits", [4, 8])
def test_codes_are_those_of_all_rows_at_once(bits: int) -> None:
    config = MultiConfig(SIZE, Distance.DOT, token_bits=bits)
    part = MultiGrowing.empty(config)
    for first in range(0, 300, 60):
        batch = batch_of([*drawn(range(first, first + 60), SIZE, first).values()], SIZE)
        ids = np.arange(first, first + 60, dtype=np.uint64)
        rows = MultiRows(batch.starts, batch.values)
        part = part.extended(ids + 1, first, ids, ids.astype(np.uint32), rows)
    coded = part.coded
    assert coded is not None and coded.encoder.bits == bits
    np.testing.assert_array_equal(coded.codes, TokenEncoder(SIZE, bits).encode(part.rows.values))
    np.testing.assert_array_equal(coded.starts, part.rows.starts)


def test_what_is_not_coded_has_no_codes() -> None:
    assert MultiGrowing.empty(MultiConfig(SIZE, Distance.EUCLID)).coded is None
