"""Sets in two arrays: cut, joined, stored and read back, and checked as they come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index import CollectionConfig, Distance, MultiConfig
from palimpsest.index.kinds.kind import Whose
from palimpsest.index.kinds.multi.rows import MultiRows, checked_rows, join_rows, starts_of
from tests.unit.kinds.multi.twin import batch_of, drawn

SIZE = 4


def rows_of(n: int, seed: int = 0, *, lengths: bool = False) -> MultiRows:
    batch = batch_of([*drawn(range(n), SIZE, seed).values()], SIZE)
    own = np.arange(len(batch.values), dtype=np.float32) if lengths else None
    return MultiRows(batch.starts, batch.values, own)


def require_equal(one: MultiRows, other: MultiRows) -> None:
    np.testing.assert_array_equal(one.starts, other.starts)
    np.testing.assert_array_equal(one.values, other.values)
    assert (one.lengths is None) == (other.lengths is None)
    if one.lengths is not None and other.lengths is not None:
        np.testing.assert_array_equal(one.lengths, other.lengths)


@given(st.lists(st.integers(0, 8), max_size=12), st.booleans())
def test_some_rows_are_those_asked_for(places: list[int], lengths: bool) -> None:
    rows = rows_of(9, lengths=lengths)
    some = rows[np.array(places, dtype=np.intp)]
    for row, place in enumerate(places):
        require_equal(some.part(row, row + 1), rows.part(place, place + 1))
    assert len(some) == len(places)


@given(st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_cut_and_joined_they_are_the_same(first: int, second: int, lengths: bool) -> None:
    rows, (start, stop) = rows_of(9, lengths=lengths), sorted((first, second))
    require_equal(join_rows([rows[:start], rows[start:stop], rows[stop:]], SIZE), rows)


@pytest.mark.parametrize("datatype", ["float32", "uint8"])
def test_stored_and_read_back(datatype: str) -> None:
    config = MultiConfig(SIZE, Distance.COSINE, datatype)  # type: ignore[arg-type]
    rows = rows_of(7, lengths=datatype == "uint8")
    stored = rows.to_bytes()
    require_equal(MultiRows.from_bytes(stored, 7, config), rows)
    for wrong in (stored[:-4], stored + b"1234"):
        with pytest.raises(ValueError):
            MultiRows.from_bytes(wrong, 7, config)


def test_counts_say_where_sets_start() -> None:
    assert starts_of(np.array([2, 1, 4])).tolist() == [0, 2, 3, 7]
    assert starts_of(np.array([], dtype=np.int64)).tolist() == [0]


@pytest.mark.parametrize("distance", [*Distance])
def test_what_is_checked_shares_nothing_with_what_came(distance: Distance) -> None:
    given_ = batch_of([np.ones((3, SIZE), np.float32)], SIZE)
    declared = CollectionConfig({"t": MultiConfig(SIZE, distance)})
    whose = Whose("t", [1], declared)
    rows = checked_rows(given_, whose, MultiConfig(SIZE, distance))
    given_.values[:] = 7
    given_.starts[:] = 7
    assert rows.starts.tolist() == [0, 3]
    assert (rows.values == (0.5 if distance is Distance.COSINE else 1)).all()
