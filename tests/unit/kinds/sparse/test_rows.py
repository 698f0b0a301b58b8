from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index.config.vectors import SparseConfig
from palimpsest.index.errors import InvalidConfig, InvalidVector
from palimpsest.index.kinds.sparse.rows import SparseRows, check_sparse, checked_rows, join_rows
from tests.unit.kinds.sparse.twin import as_dict, rows_of

ROWS = [{3: 0.5, 7: -1.0}, {}, {0: 2.0, 2**32 - 1: 4.0, 9: 0.0}, {7: 8.0}]


def test_a_modifier_is_none_or_idf() -> None:
    assert SparseConfig().modifier == "none"
    assert SparseConfig("idf").modifier == "idf"
    with pytest.raises(InvalidConfig, match="expected one of none, idf, got 'tf'"):
        SparseConfig("tf")  # type: ignore[arg-type]


def test_indices_are_sorted_with_their_values() -> None:
    found = check_sparse([9, 0, 2**32 - 1], [1.5, -2, 3])
    assert found.indices.dtype == np.uint32
    assert found.values.dtype == np.float32
    assert found.indices.tolist() == [0, 9, 2**32 - 1]
    assert found.values.tolist() == [-2, 1.5, 3]


def test_a_vector_may_be_empty() -> None:
    found = check_sparse([], [])
    assert found.indices.size == found.values.size == 0
    assert found.indices.dtype == np.uint32


@pytest.mark.parametrize(
    ("indices", "values", "text"),
    [
        ([1, 2], [1.0], "has 2 indices and 1 values: there must be one value per index"),
        ([1, 2, 1], [1.0, 2.0, 3.0], "holds index 1 more than once: indices must be unique"),
        ([1], [float("nan")], "holds NaN or Inf"),
        ([1], [float("-inf")], "holds NaN or Inf"),
        ([1], [1e39], "holds NaN or Inf"),
        ([-1], [1.0], "an index that is not an integer from 0 to 4294967295"),
        ([2**32], [1.0], "an index that is not an integer from 0 to 4294967295"),
        ([2**80], [1.0], "an index that is not an integer from 0 to 4294967295"),
        ([1.0], [1.0], "an index that is not an integer from 0 to 4294967295"),
        ([True], [1.0], "an index that is not an integer from 0 to 4294967295"),
        ([1], ["one"], "a value that is not a number"),
        ([1], [None], "a value that is not a number"),
        ([[1, 2]], [[1.0, 2.0]], "must be one value per index"),
    ],
)
def test_bad_vectors_are_refused(indices: Any, values: Any, text: str) -> None:
    with pytest.raises(InvalidVector, match=text):
        check_sparse(indices, values)


@pytest.mark.parametrize(
    ("row", "text"), [(([4, 4], [1.0, 2.0]), "more than once"), (([1], [np.inf]), "NaN or Inf")]
)
def test_an_error_names_the_row_at_fault(row: Any, text: str) -> None:
    indices, values = row
    bad = SparseRows(np.array([0, len(indices)]), np.uint32(indices), np.float32(values))
    rows = join_rows([rows_of([{1: 1.0}, {}]), bad, rows_of([{4: 1.0}])])
    with pytest.raises(InvalidVector, match=f"of point 2 holds .*{text}"):
        checked_rows(rows, lambda row: f"point {row}")


def test_sorted_rows_are_taken_as_they_are_and_others_left_alone() -> None:
    rows = rows_of(ROWS)
    assert checked_rows(rows, str) is rows
    indptr = np.array([0, 2], dtype=np.int64)
    falling = SparseRows(indptr, np.array([5, 1], np.uint32), np.array([1, 2], np.float32))
    assert as_dict(checked_rows(falling, str).vector(0)) == {1: 2, 5: 1}
    assert falling.indices.tolist() == [5, 1]


@pytest.mark.parametrize(
    ("indptr", "indices", "values"),
    [
        ([0, 2], np.array([1, 2], np.int64), np.ones(2, np.float32)),
        ([0, 2], np.array([1, 2], np.uint32), np.ones(2)),
        ([0, 2], np.array([1, 2], np.uint32), np.ones(1, np.float32)),
        ([0, 1], np.array([1, 2], np.uint32), np.ones(2, np.float32)),
        ([1, 2], np.array([1, 2], np.uint32), np.ones(2, np.float32)),
        ([0, 3], np.array([1, 2], np.uint32), np.ones(2, np.float32)),
        ([0, 2, 1, 2], np.array([1, 2], np.uint32), np.ones(2, np.float32)),
        ([], np.array([], np.uint32), np.ones(0, np.float32)),
    ],
)
def test_arrays_that_are_no_rows_are_refused(indptr: list[int], indices: Any, values: Any) -> None:
    rows = SparseRows(np.array(indptr, dtype=np.int64), indices, values)
    with pytest.raises(InvalidVector, match="Sparse rows: "):
        checked_rows(rows, str)


def test_rows_are_picked_in_any_order() -> None:
    rows = rows_of(ROWS)
    assert len(rows) == 4
    assert [as_dict(rows.vector(i)) for i in range(4)] == ROWS
    taken = rows.take(np.array([3, 1, 0, 3]))
    assert [as_dict(taken.vector(i)) for i in range(4)] == [ROWS[3], ROWS[1], ROWS[0], ROWS[3]]
    assert len(rows.take(np.array([], dtype=np.intp))) == 0
    part = rows.part(1, 3)
    assert [as_dict(part.vector(i)) for i in range(2)] == ROWS[1:3]
    assert part.indptr[0] == 0


def test_rows_are_joined() -> None:
    rows = rows_of(ROWS)
    joined = join_rows([rows, rows_of([]), rows.part(2, 4)])
    assert [as_dict(joined.vector(i)) for i in range(6)] == ROWS + ROWS[2:]
    assert len(join_rows([])) == 0


@pytest.mark.parametrize("some", [ROWS, [{}], []])
def test_bytes_give_the_rows_back(some: list[dict[int, float]]) -> None:
    stored = rows_of(some).to_bytes()
    assert len(stored) == 4 * len(some) + 8 * sum(map(len, some))
    read = SparseRows.from_bytes(stored, len(some))
    assert [as_dict(read.vector(i)) for i in range(len(some))] == some


@pytest.mark.parametrize("change", [lambda text: text[:-4], lambda text: text + b"0000"])
def test_bytes_of_another_length_are_refused(change: Any) -> None:
    with pytest.raises(ValueError, match="bytes"):
        SparseRows.from_bytes(change(rows_of(ROWS).to_bytes()), len(ROWS))
