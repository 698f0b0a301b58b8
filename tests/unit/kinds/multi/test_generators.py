"""Rows of sets: what makes them is what a description says, and folding keeps products."""

from __future__ import annotations

import json

import numpy as np
import pytest

from palimpsest.index import Distance, MultiConfig
from palimpsest.index.errors import StorageError
from palimpsest.index.kinds.multi.generators import RowMaker, folded, generators_of, unit_rows
from palimpsest.index.kinds.multi.rows import MultiRows
from tests.unit.kinds.multi.twin import batch_of, drawn

SIZE = 8


def test_the_mean_is_tried_before_what_costs_more() -> None:
    names = [one.name for one in generators_of(MultiConfig(SIZE, Distance.COSINE))]
    assert names == ["mean", "fde"]
    assert generators_of(MultiConfig(SIZE, Distance.EUCLID)) == []


@pytest.mark.parametrize("place", [0, 1])
def test_a_maker_is_made_again_from_what_it_says(place: int) -> None:
    sets = batch_of([*drawn(range(9), SIZE).values()], SIZE)
    maker = RowMaker(generators_of(MultiConfig(SIZE, Distance.COSINE))[place], SIZE)
    said = json.loads(json.dumps(maker.to_json()))
    again = RowMaker.from_json(said)
    rows = MultiRows(sets.starts, sets.values)
    np.testing.assert_array_equal(again.documents(rows), maker.documents(rows))
    query = maker.query(sets.values[:4])
    np.testing.assert_array_equal(again.query(sets.values[:4]), query)
    assert abs(float(np.square(query, dtype=np.float64).sum()) - 1) < 1e-5
    said["encoder"]["digest"] = "0" * 64
    with pytest.raises(StorageError, match="digest"):
        RowMaker.from_json(said)


def test_a_row_of_the_mean_points_where_its_vectors_do() -> None:
    (one,) = drawn(range(4, 5), SIZE).values()
    maker = RowMaker(generators_of(MultiConfig(SIZE, Distance.COSINE))[0], SIZE)
    (row,) = maker.documents(MultiRows(np.array([0, len(one)]), one))
    mean = one.mean(axis=0)
    assert row @ mean / np.linalg.norm(row) / np.linalg.norm(mean) > 1 - 1e-5


def test_nothing_is_asked_for_by_a_query_of_zeros() -> None:
    for generator in generators_of(MultiConfig(SIZE, Distance.DOT)):
        assert not RowMaker(generator, SIZE).query(np.zeros((3, SIZE), np.float32)).any()


def test_folded_rows_have_about_the_products_of_the_rows() -> None:
    rows = np.random.default_rng(0).standard_normal((40, 5_000)).astype(np.float32)
    few = folded(rows)
    assert few.shape == (40, 2_048) and folded(few) is few
    lengths = np.linalg.norm(unit_rows(np.concatenate([few, 0 * few])), axis=1)
    np.testing.assert_allclose(lengths, [1] * 40 + [0] * 40, rtol=1e-6)
    error = (few @ few.T - rows @ rows.T) / 5_000
    assert np.abs(error).max() < 0.25 and abs(float(error.mean())) < 0.01
