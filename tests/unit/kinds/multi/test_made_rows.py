"""Rows are the same in any pieces, and come in the order of their graph."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import Distance, FdeConfig, MultiConfig
from palimpsest.index.kinds.multi.generators import MEAN, RowMaker, generators_of
from palimpsest.index.kinds.multi.made_rows import MadeRows, bytes_of
from palimpsest.index.kinds.multi.rows import MultiRows
from palimpsest.index.segments.build import Build
from tests.unit.kinds.multi.corpus import SIZE, texts
from tests.unit.kinds.multi.test_finding import CONFIG
from tests.unit.kinds.multi.twin import batch_of

BATCH = batch_of([*texts(300).values()], SIZE)
SETS = MultiRows(BATCH.starts, BATCH.values)


def made(pieces: int, *, linked: bool, place: int = 0) -> MadeRows:
    maker = RowMaker(generators_of(CONFIG)[place], SIZE)
    rows = MadeRows.begun(maker, SETS, len(SETS), Build(CONFIG), linked=linked)
    for piece in np.array_split(np.arange(len(SETS)), pieces):
        first, last = int(piece[0]), int(piece[-1]) + 1
        rows.fill(slice(first, last), SETS.part(first, last))
    return rows


@pytest.mark.parametrize("place", [0, 1])
def test_pieces_do_not_change_rows(place: int) -> None:
    whole, pieces = made(1, linked=True, place=place), made(7, linked=True, place=place)
    np.testing.assert_array_equal(whole.codes, pieces.codes)
    assert whole.linked is not None and pieces.linked is not None
    np.testing.assert_array_equal(whole.linked, pieces.linked)
    query = SETS.part(4, 5).values
    rows = whole.maker.documents(SETS)
    expected = -(rows @ whole.maker.query(query))
    np.testing.assert_allclose(whole.estimates(query), expected, atol=0.1 * np.abs(expected).max())


def test_what_is_written_is_in_the_order_of_the_graph() -> None:
    rows = made(1, linked=True)
    assert rows.name == MEAN
    finished = rows.finished(Build(CONFIG), 70)
    assert finished is not None and finished.order is not None and finished.said["depth"] == 70
    np.testing.assert_array_equal(finished.files["rows_codes"], rows.codes[finished.order])
    plain = made(1, linked=False).finished(Build(CONFIG), 70)
    assert plain is not None and plain.order is None and plain.said["graph"] is None


def test_memory_grows_by_rows() -> None:
    (rows, _) = (one.rows(CONFIG) for one in generators_of(CONFIG))
    assert bytes_of(rows, 2_000) == 2 * bytes_of(rows, 1_000) > 0


@pytest.mark.parametrize("factor", [1e-30, 1e15, 1e18, 1e37])
def test_rows_are_the_same_however_long_all_vectors_are(factor: float) -> None:
    config = MultiConfig(SIZE, Distance.DOT, fde=FdeConfig(8, 16, 1), encoding="4")
    power = np.float32(2.0 ** round(np.log2(factor)))
    codes = []
    for values in (SETS.values, SETS.values * power):
        for generator in generators_of(config):
            sets = MultiRows(SETS.starts, values)
            maker = RowMaker(generator, SIZE)
            rows = MadeRows.begun(maker, sets, len(sets), Build(config), linked=True)
            rows.fill(slice(0, len(sets)), sets)
            assert rows.linked is not None and np.isfinite(rows.linked).all()
            assert np.isfinite(rows.estimates(values[:3])).all()
            codes.append(rows.codes)
    for plain, far in zip(codes[:2], codes[2:], strict=True):
        np.testing.assert_array_equal(plain, far)
