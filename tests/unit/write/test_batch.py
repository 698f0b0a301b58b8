from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from palimpsest.index import (
    CollectionConfig,
    Distance,
    NamedVectors,
    PointBatch,
    SparseConfig,
    VectorConfig,
)
from palimpsest.index.config.collection import VersionConfig
from palimpsest.index.config.versions import declared, shown
from palimpsest.index.encoding.normalise import check_query
from palimpsest.index.errors import (
    DimensionMismatch,
    InvalidId,
    InvalidInput,
    InvalidVector,
    UnknownVectorName,
)
from palimpsest.index.storage.ids import unpack_ids
from palimpsest.index.types import Vectors
from palimpsest.index.write.batch import check_deleted, check_upsert, check_whose
from tests.oracle import normalise
from tests.points import batch_of, config_of

COSINE = config_of(3)
EUCLID = config_of(3, Distance.EUCLID)
ROWS = np.array([[1, 2, 3], [4, 5, 6], [-1, 0, 1]], dtype=np.float32)


def changed(row: int, value: float) -> Vectors:
    rows = ROWS.copy()
    rows[row] = value
    return rows


def test_cosine_rows_are_normalised_and_the_callers_stay() -> None:
    rows = ROWS.copy()
    column = check_upsert(batch_of([1, 2, 3], rows), COSINE).columns[0]
    np.testing.assert_allclose(column.values, normalise(ROWS), rtol=1e-6)
    np.testing.assert_array_equal(rows, ROWS)


def test_other_rows_are_kept_bit_for_bit() -> None:
    column = check_upsert(batch_of([1, 2, 3], changed(0, 1e-30)), EUCLID).columns[0]
    np.testing.assert_array_equal(column.values, changed(0, 1e-30))


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e15, 1e25, 1e38])
def test_lengths_float32_cannot_square_are_normalised_too(scale: float) -> None:
    rows = (ROWS / 6 * scale).astype(np.float32)
    column = check_upsert(batch_of([1, 2, 3], rows), COSINE).columns[0]
    np.testing.assert_allclose(column.values, normalise(ROWS), rtol=1e-5)
    np.testing.assert_allclose(
        check_query(rows[0], COSINE.vectors[""]), normalise(ROWS)[0], rtol=1e-5
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("config", [COSINE, EUCLID])
def test_nan_and_inf_are_refused_by_point(value: float, config: CollectionConfig) -> None:
    with pytest.raises(InvalidVector, match="point 20 holds NaN or Inf"):
        check_upsert(batch_of([10, 20, 30], changed(1, value)), config)
    with pytest.raises(InvalidVector, match="query"):
        check_query(changed(1, value)[1], config.vectors[""])


@pytest.mark.parametrize("config", [COSINE, EUCLID])
def test_a_zero_vector_stays_zero_and_refuses_no_other(config: CollectionConfig) -> None:
    mixed = check_upsert(batch_of([10, 20, 30], changed(2, 0)), config).columns[0].values
    plain = check_upsert(batch_of([10, 20, 30], ROWS), config).columns[0].values
    np.testing.assert_array_equal(mixed[2], np.zeros(3))
    np.testing.assert_array_equal(mixed[:2], plain[:2])  # to the bit: others are not touched by it
    zero = check_query(np.zeros(3, dtype=np.float32), config.vectors[""])
    np.testing.assert_array_equal(zero, np.zeros(3))


def test_dimension_error_names_both_sizes_and_the_point() -> None:
    rows = np.ones((2, 4), dtype=np.float32)
    with pytest.raises(DimensionMismatch, match=r"expected dim: 3, got 4.*point 5"):
        check_upsert(batch_of([5, 6], rows), EUCLID)
    with pytest.raises(DimensionMismatch, match="expected dim: 3, got 4"):
        check_query(rows[0], EUCLID.vectors[""])


def test_unknown_names_empty_and_ragged_batches_are_refused() -> None:
    named = NamedVectors(np.arange(3), ROWS)
    with pytest.raises(UnknownVectorName, match="text"):
        check_upsert(PointBatch([1, 2, 3], {"text": named}, [None] * 3), COSINE)
    with pytest.raises(InvalidVector, match="Empty batch"):
        check_upsert(PointBatch([], {}, []), COSINE)
    with pytest.raises(InvalidInput, match="payload"):
        check_upsert(PointBatch([1, 2, 3], {"": named}, [None]), COSINE)
    with pytest.raises(InvalidVector, match="expected"):
        check_upsert(PointBatch([1, 2], {"": NamedVectors(np.arange(2), ROWS)}, [None] * 2), COSINE)
    with pytest.raises(InvalidId):
        check_upsert(batch_of([1, -2, 3], ROWS), COSINE)
    with pytest.raises(InvalidId):
        check_whose([1, -2], COSINE)


def test_of_equal_ids_the_last_wins() -> None:
    one = UUID(int=1)
    checked = check_upsert(batch_of([one, 7, one], ROWS, [b"a", b"b", b"c"]), EUCLID)
    assert unpack_ids(checked.ids) == [7, one]
    assert checked.payloads == [b"b", b"c"]
    np.testing.assert_array_equal(checked.columns[0].values, ROWS[1:])


def test_of_equal_ids_vectors_of_the_earlier_are_dropped() -> None:
    config = CollectionConfig({n: VectorConfig(3, Distance.DOT) for n in ("a", "b")})
    batch = PointBatch(
        [1, 2, 1],
        {
            "a": NamedVectors(np.array([0, 1]), ROWS[:2]),
            "b": NamedVectors(np.array([1, 2]), ROWS[1:]),
        },
        [None] * 3,
    )
    a, b = check_upsert(batch, config).columns
    assert (a.positions.tolist(), b.positions.tolist()) == ([0], [0, 1])
    np.testing.assert_array_equal(a.values, ROWS[1:2])
    np.testing.assert_array_equal(b.values, ROWS[1:])


def test_deletions_name_each_id_once() -> None:
    assert len(check_whose([4, 4, UUID(int=4)], COSINE)) == 2


def test_a_name_none_of_whose_vectors_wins_is_left_out() -> None:
    batch = PointBatch([1, 1], {"": NamedVectors(np.array([0]), ROWS[:1])}, [None] * 2)
    assert check_upsert(batch, EUCLID).columns == []


@pytest.mark.parametrize("config", [COSINE, EUCLID])
def test_the_callers_array_may_be_used_again(config: CollectionConfig) -> None:
    values = ROWS.copy()
    checked = check_upsert(batch_of([1, 2, 3], values), config)
    before = checked.columns[0].values.copy()
    values[:] = np.nan
    np.testing.assert_array_equal(checked.columns[0].values, before)


def test_deleted_vectors_are_those_of_every_version_but_under_the_names_of_one() -> None:
    space = COSINE.dense[""]
    config = CollectionConfig({"": space, "a": space, "words": SparseConfig()})
    new = declared(config, VersionConfig("a", "v2", "shadow"), space)
    assert new is not None
    assert check_deleted(["a"], new) == {"a": 1, "a@v2": 3}
    assert check_deleted(["a@v1"], new) == {"a": 1}
    assert check_deleted(["", "words", "a@v2", "@v1"], new) == {"": 0, "words": 2, "a@v2": 3}
    virtual = shown(new, "v2")
    assert check_deleted(["a"], virtual) == {"a": 3}
    assert check_deleted(["a@v1", ""], virtual) == {"a@v1": 1, "": 0}
    with pytest.raises(UnknownVectorName):
        check_deleted(["a", "b"], new)
