from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index.segments.dead import Dead


@given(st.integers(1, 300), st.data())
def test_dead_rows_are_those_marked(n: int, drawn: st.DataObject) -> None:
    dead, marked = Dead(), set[int]()
    for rows in drawn.draw(st.lists(st.lists(st.integers(0, n - 1)), max_size=4)):
        before = dead
        copy = None if before.allowed is None else before.allowed.copy()
        dead = dead.with_rows(np.array(rows, dtype=np.intp), n)
        marked |= set(rows)
        if copy is not None:
            np.testing.assert_array_equal(before.allowed, copy)
    assert dead.count == len(marked)
    assert dead.dead_rows(n).tolist() == sorted(marked)
    assert dead.live_rows(n).tolist() == sorted(set(range(n)) - marked)


def test_nothing_dead_needs_no_bitmap() -> None:
    assert Dead().with_rows(np.arange(0), 10).allowed is None
    assert Dead().with_capacity(1_000).allowed is None


def test_rows_past_the_end_stay_allowed() -> None:
    dead = Dead().with_rows(np.array([3]), 5).with_capacity(1_000)
    assert dead.dead_rows(1_000).tolist() == [3]


@given(st.data(), st.integers(1, 200))
def test_only_some_rows_stay(data: st.DataObject, n: int) -> None:
    gone = data.draw(st.lists(st.integers(0, n - 1)))
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    dead = Dead().with_rows(np.array(gone, dtype=np.intp), n).only(kept)
    expected = [row for row in range(n) if kept[row] and row not in gone]
    assert dead.live_rows(n).tolist() == expected
    assert dead.count == n - len(expected)
    later = np.arange(n, 64 * len(dead.allowed)) if dead.allowed is not None else np.arange(0)
    assert np.isin(later, dead.live_rows(n + len(later))).all()  # rows still to come are alive
