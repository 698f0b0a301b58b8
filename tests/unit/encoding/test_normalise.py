"""What vectors become as they come: numbers of a datatype, of unit length, no longer than 1e18."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index import Distance, QueryRequest, VectorConfig, answer, queries
from palimpsest.index.config.vectors import Datatype
from palimpsest.index.encoding.normalise import (
    LONGEST,
    as_given,
    check_query,
    check_rows,
    rounded,
    without_lengths,
)
from palimpsest.index.errors import InvalidConfig, InvalidVector
from palimpsest.index.types import Vectors
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

ODD = np.array(
    [[3.7, -2.0, 300.0, 0.99], [1e10, -1e10, 65_519.0, 0.1], [0.0, 255.0, 254.999, 1.0]],
    dtype=np.float32,
)
AS_BYTES = [[3, 0, 255, 0], [255, 0, 255, 0], [0, 255, 254, 1]]


def taken(values: Vectors, config: VectorConfig) -> Vectors:
    return check_rows(np.asarray(values, dtype=np.float32), config, str)


@pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLID, Distance.MANHATTAN])
def test_bytes_lose_fractions_and_end_at_0_and_255(distance: Distance) -> None:
    config = VectorConfig(4, distance, originals="float16", datatype="uint8")
    assert taken(ODD, config).tolist() == AS_BYTES
    assert [check_query(one, config).tolist() for one in ODD] == AS_BYTES


def test_bytes_are_cut_before_they_are_normalised() -> None:
    config = VectorConfig(2, Distance.COSINE, datatype="uint8")
    given = np.array([[3.9, 4.2], [0.9, 0.2]], dtype=np.float32)
    expected = [np.array([0.6, 0.8], dtype=np.float32), np.zeros(2)]
    stored = taken(given, config)
    rows, lengths = without_lengths(stored, config)
    assert lengths is not None and lengths.tolist() == [5, 0]
    assert as_given(rows, lengths).tolist() == [[3, 4], [0, 0]]
    for row, one, wanted in zip(rows, given, expected, strict=True):
        np.testing.assert_allclose(row, wanted, rtol=1e-7)
        np.testing.assert_allclose(check_query(one, config), wanted, rtol=1e-7)


def test_halves_round_to_the_nearest_and_end_at_the_largest() -> None:
    config = VectorConfig(4, Distance.EUCLID, originals="float16", datatype="float16")
    expected = [[3.69921875, -2, 300, 0.990234375], [65504, -65504, 65504, 0.0999755859375]]
    assert taken(ODD[:2], config).tolist() == expected
    assert [check_query(one, config).tolist() for one in ODD[:2]] == expected


def test_originals_that_hold_halves_round_rows_and_leave_queries() -> None:
    config = VectorConfig(4, Distance.DOT, originals="float16")
    assert taken(ODD[1:2], config)[0, 0] == 65504
    np.testing.assert_array_equal(check_query(ODD[1], config), ODD[1])


@pytest.mark.parametrize("datatype", ["float16", "uint8", "float32"])
@pytest.mark.parametrize("distance", Distance)
def test_rows_that_are_rounded_stay_as_they_are(datatype: Datatype, distance: Distance) -> None:
    config = VectorConfig(4, distance, datatype=datatype)
    rows = taken(ODD, config)
    np.testing.assert_array_equal(rounded(rows, config), rows)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 384, 1536])
def test_rows_of_unit_length_stay_as_they_are_to_the_last_bit(size: int) -> None:
    config = VectorConfig(size, Distance.COSINE)
    rng = np.random.default_rng(size)
    drawn = rng.standard_normal((2_000, size)) * 10.0 ** rng.uniform(-20, 17, (2_000, 1))
    once = check_rows(drawn.astype(np.float32), config, str)
    lengths = np.linalg.norm(once.astype(np.float64), axis=1)
    assert np.abs(lengths - 1).max() < 1.3e-7
    assert np.array_equal(check_rows(once, config, str), once)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("datatype", ["float16", "uint8", "float32"])
@pytest.mark.parametrize("distance", Distance)
def test_what_is_not_finite_is_refused(
    distance: Distance, datatype: Datatype, value: float
) -> None:
    config = VectorConfig(4, distance, datatype=datatype)
    rows = ODD.copy()
    rows[1, 2] = value
    with pytest.raises(InvalidVector, match="The vector of 1 holds NaN or Inf"):
        taken(rows, config)
    with pytest.raises(InvalidVector, match="query vector holds NaN or Inf"):
        check_query(rows[1], config)


@pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLID, Distance.MANHATTAN])
def test_vectors_are_as_long_as_1e18_and_no_longer(distance: Distance) -> None:
    config = VectorConfig(2, distance)
    for row in ([LONGEST, 0], [LONGEST / 2**0.5, -LONGEST / 2**0.5], [1e-40, 0]):
        given = np.array([row], dtype=np.float32)
        np.testing.assert_array_equal(taken(given, config), given)
        np.testing.assert_array_equal(check_query(given[0], config), given[0])
    for row in ([1.001e18, 0], [1e18, 1e18], [3e38, 3e38]):
        given = np.array([[1, 1], row], dtype=np.float32)
        with pytest.raises(InvalidVector, match=r"vector of 1 is longer than 1e\+18"):
            taken(given, config)
        with pytest.raises(InvalidVector, match=r"query vector is longer than 1e\+18"):
            check_query(given[1], config)


def test_an_unknown_datatype_and_odd_ms_are_refused() -> None:
    with pytest.raises(InvalidConfig, match="datatype"):
        VectorConfig(2, Distance.DOT, datatype="float8")  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match="4 to 64, or 0 for no graph"):
        VectorConfig(2, Distance.DOT, M=3)


@pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLID, Distance.MANHATTAN])
@pytest.mark.parametrize("encoding", ["4", "float32"])
def test_the_average_of_the_longest_vectors_is_searched(
    collection_of: OpenCollection, distance: Distance, encoding: Any
) -> None:
    """It is up to three times as long; an example that is too long itself stays refused."""
    collection = collection_of(config_of(2, distance, encoding=encoding))
    rows = np.array([[LONGEST, 0], [-LONGEST, 0], [0, LONGEST]], dtype=np.float32)
    collection.upsert(batch_of([1, 2, 3], rows)).result()

    def recommended(*positive: Any) -> list[tuple[object, float]]:
        reading = collection.reading()
        query = queries.Recommend(positive=positive, negative=(rows[1],))
        found = answer(reading, QueryRequest(queries.Prefetch(query=query)), lambda _: reading)
        return [*zip([record.id for record in found.records], found.scores, strict=True)]

    third = {Distance.DOT: 0, Distance.EUCLID: 10**0.5 * 1e18, Distance.MANHATTAN: 4e18}
    for _ in range(2):
        expected = [(1, 3e36 if distance is Distance.DOT else 2e18), (3, third[distance])]
        (one, own), (other, far), _ = recommended(rows[0])
        assert [one, other] == [1, 2 if distance is Distance.MANHATTAN else 3]  # a tie there
        np.testing.assert_allclose([own, far], [score for _, score in expected], rtol=1e-5)
        with pytest.raises(InvalidVector, match=r"longer than 1e\+18"):
            recommended(rows[0], rows[0] * 2)
        collection.upkeep.seal()
