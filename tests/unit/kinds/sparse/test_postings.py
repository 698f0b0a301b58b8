from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.index import _native
from palimpsest.index.kinds.sparse.postings import Among, PostingLists, best_of
from palimpsest.index.kinds.sparse.rows import SparseRows
from palimpsest.index.types import SparseVector
from tests.unit.kinds.sparse.twin import Row, as_dict, dot, rows_of, vector

INDICES = st.sampled_from([0, 1, 2, 3, 2_047, 2_048, 70_000, 2**31, 2**32 - 1])
VALUES = st.integers(-64, 64).map(lambda eighths: eighths / 8)  # sums of products are exact
ROW = st.dictionaries(INDICES, VALUES, max_size=6)


def all_of(n: int) -> Among:
    return Among(None, np.arange(n, dtype=np.uint32), None)


def random_rows(rng: np.random.Generator, n: int, dims: int, length: int) -> SparseRows:
    lengths = rng.integers(0, length, n)
    indices = [np.sort(rng.choice(dims, m, replace=False)) for m in lengths]
    values = [rng.standard_normal(m) for m in lengths]
    return SparseRows(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate(indices).astype(np.uint32),
        np.concatenate(values).astype(np.float32),
    )


@given(st.lists(ROW, max_size=12), st.integers(0, 5))
def test_inverted_rows_are_the_transpose(rows: list[Row], first: int) -> None:
    postings = PostingLists.of(rows_of(rows), first)
    expected: dict[int, list[tuple[int, float]]] = {}
    for place, row in enumerate(rows):
        for index in sorted(row):
            expected.setdefault(index, []).append((first + place, row[index]))
    assert postings.terms.tolist() == sorted(expected)
    for place, term in enumerate(postings.terms.tolist()):
        held = slice(postings.starts[place], postings.starts[place + 1])
        held_rows, held_values = postings.rows[held].tolist(), postings.values[held].tolist()
        assert list(zip(held_rows, held_values, strict=True)) == expected[term]


@given(st.lists(ROW, min_size=1, max_size=30), ROW, st.integers(1, 8))
def test_the_best_are_those_of_the_plain_twin(rows: list[Row], query: Row, k: int) -> None:
    found = PostingLists.of(rows_of(rows), 0).best(vector(query), k, all_of(len(rows)))
    scores = {place: dot(query, row) for place, row in enumerate(rows)}
    expected = {place: np.float32(one) for place, one in scores.items() if one is not None}
    limit = sorted(expected.values(), reverse=True)[:k][-1:]
    assert dict(zip(found.rows.tolist(), found.scores.tolist(), strict=True)) == {
        place: one for place, one in expected.items() if one >= limit[0]
    }
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    assert found.read == sum(index in row for row in rows for index in query)


@given(st.lists(ROW, max_size=30), ROW)
def test_sums_are_those_of_the_plain_twin(rows: list[Row], query: Row) -> None:
    sums = PostingLists.of(rows_of(rows), 7).sums(vector(query))
    assert sums.tolist() == [dot(query, row) or 0.0 for row in rows]


@given(st.lists(ROW, min_size=1, max_size=30), ROW, st.data())
def test_only_rows_that_pass_are_found_and_counted(
    rows: list[Row], query: Row, data: st.DataObject
) -> None:
    flags = st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))
    alive, chosen = data.draw(flags), data.draw(flags)
    numbers = np.array(data.draw(st.permutations(range(len(rows)))), dtype=np.uint32)
    known = data.draw(st.integers(0, len(rows)))  # numbers past the flags are not chosen
    words = np.packbits([*alive, *[True] * (-len(rows) % 64)], bitorder="little").view(np.uint64)
    among = Among(words, numbers, np.array(chosen[:known], dtype=np.uint8))
    passing = [
        place
        for place in range(len(rows))
        if alive[place] and numbers[place] < known and chosen[numbers[place]]
    ]
    postings = PostingLists.of(rows_of(rows), 0)
    found = postings.best(vector(query), len(rows), among)
    assert sorted(found.rows.tolist()) == [p for p in passing if rows[p].keys() & query.keys()]
    counts = postings.counts(vector(query).indices, among)
    assert counts.tolist() == [sum(i in rows[p] for p in passing) for i in sorted(query)]
    counts = postings.counts(vector(query).indices, all_of(len(rows)))
    assert counts.tolist() == [sum(i in row for row in rows) for i in sorted(query)]


def test_a_score_of_zero_is_a_result_and_nothing_shared_is_not() -> None:
    rows: list[Row] = [{1: 1.0, 2: -1.0}, {3: 1.0}, {1: 0.0}, {1: -0.0}, {}]
    found = PostingLists.of(rows_of(rows), 0).best(vector({1: 1.0, 2: 1.0}), 10, all_of(5))
    assert found.rows.tolist() == [0, 2, 3]
    assert [math.copysign(1, score) for score in found.scores.tolist()] == [1, 1, 1]


def test_scores_stay_finite() -> None:
    large = float(np.finfo(np.float32).max)
    rows: list[Row] = [{1: large}, {1: -large}, {1: 1.0}]
    postings = PostingLists.of(rows_of(rows), 0)
    found = postings.best(vector({1: large}), 3, all_of(3))
    assert found.rows.tolist() == [0, 2, 1]
    assert found.scores.tolist() == [large, large, -large]
    assert postings.sums(vector({1: large})).tolist() == [large, -large, large]


def test_many_rows_equal_a_product_of_matrices(rng: np.random.Generator) -> None:
    """More rows than are added up at a time, more results than are kept before pruning."""
    n, dims = 20_000, 100
    rows = random_rows(rng, n, dims, 10)
    matrix = np.zeros((n, dims))
    matrix[np.repeat(np.arange(n), rows.lengths), rows.indices] = rows.values
    postings = PostingLists.of(rows, 0)
    for k in (1, 10, 3_000):
        query = random_rows(rng, 2, dims, 30).vector(1)
        dense = np.zeros(dims)
        dense[query.indices] = query.values
        scores = matrix @ dense
        found = postings.best(query, k, all_of(n))
        assert len(set(found.rows.tolist())) == len(found.rows) >= k
        assert np.allclose(found.scores, scores[found.rows], atol=1e-5)
        shared = (matrix != 0) @ (dense != 0)
        expected = np.sort(scores[shared])[::-1][:k]
        assert np.allclose(found.scores[:k], expected, atol=1e-5)
        assert np.allclose(postings.sums(query), scores, atol=1e-5)


def test_stretches_answer_as_one(rng: np.random.Generator) -> None:
    rows = random_rows(rng, 300, 20, 8)
    whole = PostingLists.of(rows, 0)
    cuts = [0, 1, 9, 170, 300]
    stretches = [PostingLists.of(rows.part(a, b), a) for a, b in zip(cuts, cuts[1:], strict=False)]
    for k in (1, 7, 300):
        query = random_rows(rng, 1, 20, 10).vector(0)
        one, several = whole.best(query, k, all_of(300)), best_of(stretches, query, k, all_of(300))
        assert one.rows.tolist() == several.rows.tolist()
        assert one.scores.tolist() == several.scores.tolist()
        assert one.read == several.read


@settings(max_examples=20)
@given(st.lists(ROW, max_size=12))
def test_inverting_loses_nothing(rows: list[Row]) -> None:
    postings = PostingLists.of(rows_of(rows), 0)
    read: list[dict[int, float]] = [{} for _ in rows]
    for place, term in enumerate(postings.terms.tolist()):
        for at in range(postings.starts[place], postings.starts[place + 1]):
            read[postings.rows[at]][term] = float(postings.values[at])
    assert read == [as_dict(vector(row)) for row in rows]


NO_LISTS = np.empty(0, np.int64)
ONE = np.ones(1, np.float32)


def lists(*places: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(places, dtype=np.int64)


@pytest.mark.parametrize(
    ("starts", "stops", "weights"),
    [
        (lists(0), lists(4), ONE),
        (lists(-1), lists(1), ONE),
        (lists(2), lists(1), ONE),
        (lists(0), NO_LISTS, ONE),
        (lists(0), lists(1), np.empty(0, np.float32)),
    ],
)
def test_lists_outside_the_postings_are_refused(
    starts: np.ndarray,  # type: ignore[type-arg]
    stops: np.ndarray,  # type: ignore[type-arg]
    weights: np.ndarray,  # type: ignore[type-arg]
) -> None:
    postings = _native.Postings(np.arange(3, dtype=np.uint32), np.ones(3, np.float32), 0, 3)
    with pytest.raises(ValueError, match="list|stop"):
        postings.best(starts, stops, weights, 1, None, None, None)


def test_arrays_that_do_not_fit_are_refused() -> None:
    rows, values = np.arange(3, dtype=np.uint32), np.ones(3, np.float32)
    with pytest.raises(ValueError, match="one value per posting"):
        _native.Postings(rows, values[:2], 0, 3)
    with pytest.raises(ValueError, match="before the first"):
        _native.Postings(rows, values, 4, 3)
    postings = _native.Postings(rows, values, 0, 3)
    one = lists(0), lists(3)
    with pytest.raises(ValueError, match="alive is shorter"):
        postings.best(*one, ONE, 1, np.empty(0, np.uint64), None, None)
    with pytest.raises(ValueError, match="numbers are fewer"):
        postings.best(*one, ONE, 1, None, rows[:2], np.ones(3, np.uint8))
    with pytest.raises(ValueError, match="k must be"):
        postings.best(*one, ONE, 0, None, None, None)
    with pytest.raises(ValueError, match="output length"):
        postings.sums(*one, ONE, np.empty(2, np.float32))
    for indptr in (lists(0, 4), lists(-1, 3), lists(2, 1), lists()):
        with pytest.raises(ValueError, match="indptr"):
            _native.invert_rows(indptr, 0, rows, values)


def test_postings_of_rows_that_do_not_exist_are_passed_over() -> None:
    """What a damaged file could hold must not make the native code read elsewhere."""
    rows = np.array([1, 900, 2, 2**32 - 1], dtype=np.uint32)
    postings = _native.Postings(rows, np.ones(4, np.float32), 0, 3)
    alive = np.full(1, ~np.uint64(0))
    found, _, _ = postings.best(lists(0), lists(4), ONE, 4, alive, None, None)
    assert set(found.tolist()) <= {1, 2}
    out = np.empty(3, np.float32)
    postings.sums(lists(0), lists(4), ONE, out)
    counts = np.empty(1, np.int64)
    postings.counts(lists(0), lists(4), alive, None, None, counts)
    assert counts.tolist() == [2]


def test_an_empty_query_finds_nothing() -> None:
    postings = PostingLists.of(rows_of([{1: 1.0}]), 0)
    nothing = SparseVector(np.empty(0, np.uint32), np.empty(0, np.float32))
    assert not len(postings.best(nothing, 1, all_of(1)).rows)
    assert postings.sums(nothing).tolist() == [0.0]
    assert not len(PostingLists.of(rows_of([]), 0).best(vector({1: 1.0}), 1, all_of(0)).rows)
