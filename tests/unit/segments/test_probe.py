"""What a probe measures, against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.originals import keep
from palimpsest.index.segments.probe import (
    FEWEST_ROWS,
    QUERIES,
    Cancelled,
    K,
    Recall,
    draw,
    resolution,
    source_of,
)
from palimpsest.index.types import Distance, Rows, Vector, Vectors
from tests.oracle import normalise
from tests.unit.segments.bad import clusters

DENSE = (Distance.COSINE, Distance.DOT, Distance.EUCLID)


def plain(query: Vector, rows: Vectors, distance: Distance) -> np.ndarray:
    """Return float64 distances (n,), squared under euclid, by differences."""
    wide, asked = rows.astype(np.float64), query.astype(np.float64)
    if distance is Distance.EUCLID:
        return np.square(wide - asked).sum(axis=1)
    return -(wide @ asked)


def rows_of(distance: Distance, n: int = 3_000, size: int = 24) -> Vectors:
    rows = np.random.default_rng(2).standard_normal((n, size)).astype(np.float32)
    return normalise(rows) if distance is Distance.COSINE else rows


@pytest.mark.parametrize("distance", DENSE)
@pytest.mark.parametrize("originals", ["float32", "float16", "int8"])
def test_the_closest_rows_are_those_of_plain_numpy(distance: Distance, originals: str) -> None:
    config = VectorConfig(24, distance, originals=originals)
    kept = keep(rows_of(distance), config.originals)
    assert kept is not None
    source = source_of(kept, config)
    sample = draw(source, [], seed=1)
    assert sample is not None and len(sample.queries) == QUERIES
    every = source.read(slice(None))
    for query, own, rows, nearest in zip(
        sample.queries, sample.own, sample.closest, sample.nearest, strict=True
    ):
        true = plain(query, every, distance)
        if own >= 0:
            true[own] = np.inf
        best = np.argsort(true, kind="stable")[: 2 * K]
        assert rows.tolist() == best.tolist()
        assert np.allclose(nearest, true[best], rtol=1e-9, atol=1e-12)


def test_a_probe_ends_when_it_is_cancelled() -> None:
    source = source_of(
        rows_of(Distance.EUCLID), VectorConfig(24, Distance.EUCLID), cancelled=lambda: True
    )
    with pytest.raises(Cancelled):
        draw(source, [], seed=1)


def test_a_quarter_of_the_queries_are_rows_left_out_of_their_answers() -> None:
    rows = rows_of(Distance.EUCLID)
    sample = draw(source_of(rows, VectorConfig(24, Distance.EUCLID)), [], seed=1)
    assert sample is not None
    own = sample.own[sample.own >= 0]
    assert len(own) == QUERIES // 4 == len(set(own.tolist()))
    assert np.array_equal(sample.queries[: len(own)], rows[own])
    assert (sample.nearest[: len(own), 0] > 0).all()
    beside = sample.queries[len(own) :]
    assert all(0 < plain(query, rows, Distance.EUCLID).min() for query in beside)


@pytest.mark.parametrize("distance", DENSE)
def test_recall_counts_hits_but_never_the_row_itself(distance: Distance) -> None:
    rows = rows_of(distance)
    sample = draw(source_of(rows, VectorConfig(24, distance)), [], seed=3)
    assert sample is not None

    def exact(query: Vector, k: int) -> Rows:
        return np.argsort(plain(query, rows, distance), kind="stable")[:k].astype(np.uint32)

    def half(query: Vector, k: int) -> Rows:
        return np.argsort(plain(query, rows, distance), kind="stable")[: 2 * k : 2].astype(
            np.uint32
        )

    assert (sample.recalls(exact) == 1.0).all()
    assert 0.4 <= sample.recalls(half).mean() <= 0.6
    assert (sample.recalls(lambda query, k: np.zeros(k, np.uint32)) <= 0.1).all()


def test_rows_found_twice_count_once() -> None:
    rows = rows_of(Distance.EUCLID)
    sample = draw(source_of(rows, VectorConfig(24, Distance.EUCLID)), [], seed=3)
    assert sample is not None

    def twice(query: Vector, k: int) -> Rows:
        best = np.argsort(plain(query, rows, Distance.EUCLID), kind="stable")[:k]
        return np.repeat(best[: k // 2], 2).astype(np.uint32)

    assert sample.recalls(twice).max() <= 0.5


def test_copies_of_the_last_hit_are_hits() -> None:
    rows = np.repeat(rows_of(Distance.EUCLID, 50), 40, axis=0)  # 40 copies of each
    sample = draw(source_of(rows, VectorConfig(24, Distance.EUCLID)), [], seed=3)
    assert sample is not None

    def any_copies(query: Vector, k: int) -> Rows:
        true = plain(query, rows, Distance.EUCLID)
        return np.argsort(true, kind="stable")[::-1][-40:][:k].astype(np.uint32)

    assert (sample.recalls(any_copies) == 1.0).all()


def test_far_from_the_origin_neighbours_are_still_told_apart() -> None:
    near = np.random.default_rng(4).standard_normal((2_000, 16)) * 1e-4
    rows = np.concatenate([near + 3.0, np.random.default_rng(5).standard_normal((2_000, 16))])
    rows = rows.astype(np.float32)
    sample = draw(source_of(rows, VectorConfig(16, Distance.EUCLID)), [], seed=3)
    assert sample is not None
    for query, own, closest in zip(sample.queries, sample.own, sample.closest, strict=True):
        true = plain(query, rows, Distance.EUCLID)
        if own >= 0:
            true[own] = np.inf
        assert closest[:K].tolist() == np.argsort(true, kind="stable")[:K].tolist()


def test_a_sample_is_the_same_each_time_and_another_by_another_seed() -> None:
    source = source_of(rows_of(Distance.DOT), VectorConfig(24, Distance.DOT))
    first, again, other = (draw(source, [], seed) for seed in (1, 1, 2))
    assert first is not None and again is not None and other is not None
    assert np.array_equal(first.queries, again.queries)
    assert not np.array_equal(first.queries, other.queries)


def test_recent_queries_come_last_and_odd_ones_are_left_out() -> None:
    rows = rows_of(Distance.COSINE)
    config = VectorConfig(24, Distance.COSINE)
    asked = [rows[0] + rows[1], np.zeros(24, np.float32), rows[5]]
    sample = draw(source_of(rows, config), asked, seed=1)
    assert sample is not None and sample.recent == 2
    assert (sample.own[-2:] == -1).all()
    assert np.allclose(np.linalg.norm(sample.queries, axis=1), 1, atol=1e-6)
    kinds = [len(one) for one in sample.split(np.ones(len(sample.queries)))]
    assert kinds == [40, 88, 2] and sum(kinds) == QUERIES + 2


@pytest.mark.parametrize("value", [0.0, 1e-30, 1e17, -3.0])
def test_rows_that_are_all_the_same_can_be_probed(value: float) -> None:
    rows = np.full((100, 8), value, dtype=np.float32)
    for distance in (Distance.DOT, Distance.EUCLID):
        sample = draw(source_of(rows, VectorConfig(8, distance)), [], seed=1)
        if value == 0:
            assert sample is None
        elif sample is not None:
            assert (sample.recalls(lambda query, k: np.arange(50, 50 + k)) == 1.0).all()


def test_few_rows_are_not_probed() -> None:
    rows = rows_of(Distance.COSINE, FEWEST_ROWS - 1)
    assert draw(source_of(rows, VectorConfig(24, Distance.COSINE)), [], seed=1) is None


def test_the_worst_twentieth_is_averaged() -> None:
    each = np.ones(100)
    each[:5] = (0.0, 0.1, 0.2, 0.3, 0.4)
    assert Recall.of(each) == pytest.approx((0.96, 0.2))
    assert Recall.of(np.array([0.3])) == (0.3, 0.3)


def test_the_resolution_falls_with_the_bits_and_the_gaps() -> None:
    apart = normalise(np.random.default_rng(1).standard_normal((4_000, 32)).astype(np.float32))
    close = normalise(clusters(8, 500, 128))
    found = {}
    for name, rows in (("apart", apart), ("close", close)):
        config = VectorConfig(rows.shape[1], Distance.COSINE)
        sample = draw(source_of(rows, config), [], seed=1)
        assert sample is not None
        for bits in (1, 4, 8):
            encoder = Encoder.fit(rows, Distance.COSINE, bits, seed=0)
            found[name, bits] = resolution(sample, encoder, encoder.encode(rows))
    assert found["apart", 1] < found["apart", 4] < found["apart", 8]
    assert found["close", 4] < 1 < found["apart", 4]
