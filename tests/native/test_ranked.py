"""Lists of rows that do not fit are refused before native code reads beyond them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index import _native

ROWS = np.array([0, 2, 1], dtype=np.uint32)
NUMBERS = np.array([7, 8, 9], dtype=np.uint32)
DISTANCES = np.array([-1, 0, 1], dtype=np.float32)
PLACES = np.zeros((3, 3), dtype=np.uint32)
COLUMN = np.arange(3, dtype=np.uint64)


def room(count: int) -> tuple[Any, Any]:
    return np.empty((3, count), np.uint32), np.empty(count, np.float32)


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ((ROWS, DISTANCES[:2], NUMBERS), "differ in length"),
        ((ROWS, DISTANCES, NUMBERS[:2]), "outside its part"),
        ((ROWS, DISTANCES.astype(np.float64), NUMBERS), "must be tuples"),
        ((ROWS, DISTANCES), "must be tuples"),
    ],
)
def test_parts_that_do_not_fit_are_refused(part: Any, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        _native.rank([part], *room(3))


@pytest.mark.parametrize(
    ("one", "what"),
    [
        ((PLACES, DISTANCES[:2], 1), "differ in length"),
        ((PLACES[:2], DISTANCES, 1), "must be tuples"),
        ((PLACES, DISTANCES, -1), "must be tuples"),
    ],
)
def test_lists_that_do_not_fit_are_refused(one: Any, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        _native.interleave([one], *room(3))


def test_room_for_more_than_there_is_is_refused() -> None:
    for places, distances in (room(4), (room(3)[0], room(2)[1])):
        with pytest.raises(ValueError, match="wrong length"):
            _native.rank([(ROWS, DISTANCES, NUMBERS)], places, distances)
        with pytest.raises(ValueError, match="wrong length"):
            _native.interleave([(PLACES, DISTANCES, 1)], places, distances)


def test_rows_that_are_not_there_are_not_gathered() -> None:
    places, out = np.stack([0 * ROWS, ROWS, NUMBERS]), np.empty(3, dtype=np.uint64)
    _native.gather([COLUMN], places, out)
    assert out.tolist() == ROWS.tolist()
    for columns in ([COLUMN[:2]], []):
        with pytest.raises(ValueError, match="no such row"):
            _native.gather(columns, places, out)
    with pytest.raises(ValueError, match="wrong length"):
        _native.gather([COLUMN], places[:, :2], out)
    with pytest.raises(ValueError, match="must be uint64"):
        _native.gather([ROWS], places, out)  # type: ignore[list-item]


def test_results_are_written_into_the_arrays_that_are_given_or_they_are_refused() -> None:
    with pytest.raises(TypeError):
        _native.rank([(ROWS, DISTANCES, NUMBERS)], room(3)[0].astype(np.int64), room(3)[1])
    with pytest.raises(TypeError):
        _native.interleave([(PLACES, DISTANCES, 1)], room(6)[0][:, ::2], room(3)[1])
