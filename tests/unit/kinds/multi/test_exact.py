"""Exact MaxSim is what a plain loop computes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index import Distance
from palimpsest.index.encoding.tokens import TokenEncoder
from palimpsest.index.kinds.multi.exact import CodedSets, Sets
from tests.unit.kinds.multi.twin import batch_of, distance_of, drawn

SIZE = 5


def sets_of(sets: list[np.ndarray], distance: Distance) -> Sets:  # type: ignore[type-arg]
    given = batch_of(sets, SIZE)
    return Sets(given.starts, given.values, distance)


@given(st.integers(0, 2**32), st.sampled_from([Distance.DOT, Distance.EUCLID, Distance.MANHATTAN]))
def test_distances(seed: int, distance: Distance) -> None:
    sets = [*drawn(range(12), SIZE, seed, most=7).values()]
    (query,) = drawn(range(3, 4), SIZE, seed + 1).values()
    rows = np.random.default_rng(seed).permutation(12)[:7]
    found = sets_of(sets, distance).distances(query, rows)
    expected = [distance_of(query, sets[row], distance) for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("distance", [*Distance])
def test_equal_sets_are_equally_far_wherever_they_stand(distance: Distance) -> None:
    (one,) = drawn(range(4, 5), SIZE).values()
    sets = [*drawn(range(40), SIZE, 1).values()]
    for place in (0, 7, 20, 39):
        sets[place] = one
    whole = sets_of(sets, distance).distances(one * 3, np.arange(40))
    assert len({*whole[[0, 7, 20, 39]].tolist()}) == 1
    some = sets_of(sets, distance).distances(one * 3, np.arange(39, -1, -3))
    np.testing.assert_array_equal(some, whole[39::-3])
    assert sets_of(sets, distance).distances(one, np.arange(0)).shape == (0,)


def test_a_set_is_at_no_distance_of_itself() -> None:
    (one,) = drawn(range(4, 5), SIZE).values()
    far = 1e6 * one
    for distance in (Distance.EUCLID, Distance.MANHATTAN):
        assert sets_of([far], distance).distances(far, np.arange(1))[0] == 0


def test_parts_are_the_first_of_the_best() -> None:
    query = np.eye(SIZE, dtype=np.float32)[:3]
    held = np.stack([query[1], query[0], query[1], 2 * query[2]])
    parts = sets_of([held[:1], held], Distance.DOT).parts(query, 1)
    assert parts.best.tolist() == [1, 0, 3]
    assert parts.distances.tolist() == [-1, -1, -2]
    assert parts.whole == 3
    assert sets_of([held], Distance.EUCLID).parts(2 * query, 0).distances.tolist() == [1, 1, 0]


@given(st.integers(0, 2**32), st.sampled_from([8, 4, 2]))
def test_coded_sets_are_compared_as_what_they_stand_for(seed: int, bits: int) -> None:
    sets = batch_of([*drawn(range(12), SIZE, seed, most=7).values()], SIZE)
    (query,) = drawn(range(3, 4), SIZE, seed + 1).values()
    encoder = TokenEncoder(SIZE, bits)
    codes = encoder.encode(sets.values)
    coded = CodedSets(sets.starts, codes, encoder)
    decoded = Sets(sets.starts, encoder.decode(codes), Distance.DOT)
    rows = np.arange(12)
    expected = decoded.distances(query, rows)
    np.testing.assert_allclose(coded.distances(query, rows), expected, atol=0.05 * len(query))
    assert len(coded.parts(query, 3).best) == len(query)
