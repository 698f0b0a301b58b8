"""The native search of one part: bound arrays, rows by number, and scores against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.types import Distance, Rows
from tests.oracle import distances

NONE = 2**32 - 1


def by_number(numbers: list[int], dead: Dead | None = None) -> tuple[Rows | None, int]:
    kept = np.ones((len(numbers), 1), dtype=np.float32)
    searcher = Searcher(Distance.DOT, 1, kept)
    live = None if dead is None else dead.allowed
    return searcher.rows_by_number(np.array(numbers, dtype=np.uint32), live)


def test_rows_by_the_numbers_of_their_points() -> None:
    found, base = by_number([70, 65, 68])
    assert base == 64 and found is not None
    assert found.tolist() == [NONE, 1, NONE, NONE, 2, NONE, 0]
    assert by_number([]) == (None, 0)
    assert by_number([0, 2**32 - 1]) == (None, 0), "too far apart"
    far, start = by_number([2**32 - 1])
    assert far is None or (far[-1] == 0 and start == 2**32 - 64)


def test_of_two_rows_of_a_point_the_living_one_is_found() -> None:
    dead = Dead().with_rows(np.array([1]), 3)
    found, _ = by_number([3, 3, 4], dead)
    assert found is not None and found[3] == 0
    gone, _ = by_number([3, 4], Dead().with_rows(np.array([0]), 2))
    assert gone is not None and gone[3] == 0, "to an older view it is alive"


@pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLID, Distance.MANHATTAN])
def test_exact_searches_agree_with_numpy(distance: Distance, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((50, 7)).astype(np.float32)
    rows[3], rows[4] = rows[2], 0
    query = rng.standard_normal(7).astype(np.float32)
    searcher = Searcher(distance, 7, rows)
    truth = distances(query[None], rows, distance)[0]
    hits = searcher.exact(query, 60, searcher.first(50))
    assert sorted(hits.rows.tolist()) == list(range(50))
    np.testing.assert_allclose(hits.distances, np.sort(truth), rtol=1e-4, atol=1e-5)
    some = np.array([4, 2, 3], dtype=np.uint32)
    scored = searcher.score(query[None], some, by_codes=False)
    np.testing.assert_allclose(scored[0], truth[[4, 2, 3]], rtol=1e-4, atol=1e-5)
    assert scored[0][1] == scored[0][2]
    assert (searcher.has_codes, searcher.has_graph, searcher.nbytes) == (False, False, 0)


def test_only_living_rows_are_found() -> None:
    rows = np.ones((70, 2), dtype=np.float32)
    searcher, dead = Searcher(Distance.EUCLID, 2, rows), Dead().with_rows(np.arange(1, 70), 70)
    hits = searcher.exact(rows[0], 5, searcher.first(70, dead.allowed))
    assert hits.rows.tolist() == [0]
    assert searcher.first(70) is searcher.first(70) is not searcher.first(69)
