"""Lists find what a plain loop over them finds, whatever may be found."""

from __future__ import annotations

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import Distance, MultiConfig, SearchStats, _native
from palimpsest.index.encoding.tokens import TokenEncoder
from palimpsest.index.kinds.multi.exact import CodedSets
from palimpsest.index.kinds.multi.lists import (
    LISTS,
    WIDE,
    CandidateLists,
    MadeLists,
    TokenLists,
    WideLists,
)
from palimpsest.index.kinds.multi.lists import (
    PROBES as EVERY_PROBES,
)
from palimpsest.index.kinds.multi.rows import MultiRows
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.types import Distances
from tests.unit.kinds.multi.corpus import SIZE, texts
from tests.unit.kinds.multi.twin import Set, batch_of, drawn, similarity

PROBES = EVERY_PROBES[LISTS]
COMPARED = 150  # as many have a vector in a list that is looked at


def rows_of(sets: dict[int, Set]) -> MultiRows:
    batch = batch_of([*sets.values()], next(iter(sets.values())).shape[1])
    return MultiRows(batch.starts, batch.values)


def lists_of(rows: MultiRows, pieces: int = 1, *, unit: bool = False) -> TokenLists:
    made = MadeLists(rows, len(rows.values), len(rows), 7, unit=unit)
    for piece in np.array_split(np.arange(len(rows)), pieces):
        first, last = int(piece[0]), int(piece[-1]) + 1
        made.fill(slice(first, last), rows.part(first, last))
    return made.made()


def gains_of(one: TokenLists, query: Set, probes: int) -> np.ndarray:  # type: ignore[type-arg]
    """Return what sets gain, token by token and list by list."""
    centroids = one.encoder.decode(one.centroids)
    gains = np.zeros(one.n)
    for token in query:
        products = centroids @ token
        order = np.argsort(-products, kind="stable")
        floor = products[order[min(probes, len(order) - 1)]]
        best = np.zeros(one.n)
        for centroid in order[:probes]:
            rows = one.rows[one.starts[centroid] : one.starts[centroid + 1]]
            best[rows] = np.maximum(best[rows], products[centroid] - floor)
        gains += best
    return gains


@pytest.mark.parametrize(("n", "tokens"), [(30, 1), (60, 20), (200, 33), (90, 70)])
def test_gains_are_those_of_a_plain_loop(n: int, tokens: int) -> None:
    one = lists_of(rows_of(drawn(range(n), SIZE, n, most=6)))
    query = np.random.default_rng(tokens).standard_normal((tokens, SIZE)).astype(np.float32)
    expected, found = gains_of(one, query, PROBES), 0 - one.estimates(query, PROBES)
    # but for a unit, and for a query that is rounded to bytes
    unit = (found @ expected) / (found @ found)
    assert np.abs(unit * found - expected).max() < 0.02 * expected.max()
    assert (found[expected == 0] == 0).all()


def test_pieces_do_not_change_what_is_made() -> None:
    rows = rows_of(texts(200))
    whole, pieces = lists_of(rows, unit=True), lists_of(rows, 7, unit=True)
    for name, array in whole.files().items():
        np.testing.assert_array_equal(array, pieces.files()[name])
    assert (np.diff(whole.starts) >= 0).all() and whole.starts[-1] == len(whole.rows)
    # every set stands once in the list of each centroid that one of its vectors is nearest to
    bounds = zip(whole.starts[:-1], whole.starts[1:], strict=True)
    owners = [whole.rows[first:last].tolist() for first, last in bounds]
    assert all(one == sorted({*one}) for one in owners)
    assert {row for one in owners for row in one} == {*range(200)}


def test_wide_ones_are_the_same_lists_looked_at_further() -> None:
    rows = rows_of(texts(300))
    narrow = MadeLists(rows, len(rows.values), 300, 7, unit=True)
    wide = WideLists(narrow)
    for one in (narrow, wide):
        one.fill(slice(0, 300), rows)
    build = Build(MultiConfig(SIZE, Distance.COSINE))
    few, more = narrow.finished(build, 50), wide.finished(build, 50)
    assert few.said == {"lists": PROBES, "depth": 50}
    assert more.said == {"lists": EVERY_PROBES[WIDE], "depth": 50}
    for name, array in few.files.items():
        np.testing.assert_array_equal(array, more.files[name])
    (query,) = texts(1, seed=8).values()
    assert (wide.estimates(query) < 0).sum() > (narrow.estimates(query) < 0).sum()


def test_the_closest_sets_are_among_few_candidates() -> None:
    sets, inside = texts(1_200), []
    one = lists_of(rows_of(sets), unit=True)
    for query in texts(20, seed=8).values():
        true = sorted(sets, key=lambda n: -similarity(query, sets[n], Distance.COSINE))[:10]
        found = one.closest(query, PROBES, 100, None, SearchStats())
        assert 100 <= len(found) and (np.diff(found.astype(np.int64)) > 0).all()
        inside.append(len({*found.tolist()}.intersection(true)) / 10)
    assert np.mean(inside) >= 0.985


def test_as_many_as_are_asked_for_come_where_there_are_as_many() -> None:
    sets = texts(300)
    candidates = CandidateLists(
        lists_of(rows_of(sets), unit=True), np.arange(300, dtype=np.uint32) * 3, PROBES, 50
    )
    (query,) = texts(1, seed=8).values()
    for count in (1, 50, 299, 300, 5_000):
        found = candidates.closest(query, count, Dead(), None, SearchStats())
        assert min(count, 300) <= len(found)
    dead, stats = Dead().with_rows(np.arange(150), 300), SearchStats()
    allowed = BitMap(range(0, 900, 9))  # of points, whose numbers are not rows
    found = candidates.closest(query, 5_000, dead, allowed, stats)
    assert found.tolist() == [*range(150, 300, 3)]
    assert stats.scored >= 50 and stats.visited >= stats.scored
    assert not len(candidates.closest(query, 5, Dead(), BitMap(), SearchStats()))


def test_copies_come_together() -> None:
    sets = texts(60)
    sets |= dict.fromkeys(range(60, 90), sets[7])
    found = lists_of(rows_of(sets), unit=True).closest(sets[7], PROBES, 3, None, SearchStats())
    assert {7, *range(60, 90)} <= {*found.tolist()}


@pytest.mark.parametrize("factor", [1e-38, 1e-20, 1e18, 1e30])
def test_lengths_do_not_matter(factor: float) -> None:
    sets = {n: (one * np.float32(factor)).astype(np.float32) for n, one in texts(300).items()}
    one, plain = lists_of(rows_of(sets)), lists_of(rows_of(texts(300)))
    (query,) = texts(1, seed=8).values()
    found = one.estimates(query * np.float32(factor), PROBES)
    assert np.isfinite(found).all()
    if factor > 1e-30:  # below, floats have fewer digits
        shared = np.isin(np.argsort(found)[:30], np.argsort(plain.estimates(query, PROBES))[:30])
        assert shared.mean() > 0.8


def test_one_of_all_lengths_is_finite() -> None:
    values = np.float32(10.0) ** np.arange(-37, 38, dtype=np.float32)
    rows = rows_of({n: np.full((1, 4), value, np.float32) for n, value in enumerate(values)})
    made = MadeLists(rows.part(0, 5), 75, 75, 0, unit=False)
    made.fill(slice(0, 75), rows)
    assert np.isfinite(made.estimates(np.full((2, 4), 1e30, np.float32))).all()


def test_what_does_not_fit_is_refused() -> None:
    encoder = TokenEncoder(SIZE, 8)
    codes = encoder.encode(np.eye(SIZE, dtype=np.float32))
    starts, rows = np.arange(SIZE + 1), np.zeros(SIZE, np.uint32)
    query = _native.CodedQuery(encoder.native, np.ones((1, SIZE), np.float32))
    for wrong in (starts[1:], starts[::-1].copy(), starts + 1):
        with pytest.raises(ValueError, match="starts"):
            _native.TokenLists(codes, wrong, rows, 1)
    with pytest.raises(ValueError, match="out of range"):
        _native.TokenLists(codes, starts, rows, 0)
    made = _native.TokenLists(codes, starts, rows, 1)
    with pytest.raises(ValueError, match="length"):
        made.gains(query, 1, np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="length"):
        made.closest(query, 1, 1, np.ones(2, np.uint8), np.zeros(1, np.uint32))
    for probes, wanted in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            made.closest(query, probes, wanted, None, np.zeros(1, np.uint32))
    other = _native.CodedQuery(TokenEncoder(SIZE, 4).native, np.ones((1, SIZE), np.float32))
    with pytest.raises(ValueError, match="other codes"):
        made.gains(other, 1, np.zeros(1, np.float32))


def coded_of(rows: MultiRows) -> CodedSets:
    encoder = TokenEncoder(SIZE, 4)
    return CodedSets(rows.starts, encoder.encode(rows.values), encoder)


def compared_by_hand(gains: Distances, scores: Distances, k: int) -> int:
    """Return how many of sets, those that gain most first, are compared before it ends."""
    done, more = 0, max(32, k)
    while done < len(gains):
        x, y = gains[:done].astype(np.float64), scores[:done].astype(np.float64)
        if done > 2:
            slope = max(np.polyfit(x, y, 1)[0], 0.0)
            off = y - y.mean() - slope * (x - x.mean())
            above = max(3.0 * np.sqrt(off @ off / (done - 2)), off.max())
            if np.sort(y)[-k] > y.mean() + slope * (gains[done] - x.mean()) + above:
                break
        done, more = min(done + more, len(gains)), 16
    return done


@pytest.mark.parametrize("k", [1, 10, 20])
def test_comparing_ends_where_a_plain_loop_ends(k: int) -> None:
    rows = rows_of(texts(1_200))
    one, coded, ends = lists_of(rows, unit=True), coded_of(rows), []
    for query in texts(20, seed=8).values():
        asked = query, coded, PROBES, COMPARED, None
        every, distances = one.compared(*asked, None, SearchStats())
        closest = one.closest(query, PROBES, COMPARED, None, SearchStats())
        assert {*every.tolist()} == {*closest.tolist()}
        np.testing.assert_array_equal(distances, coded.distances(query, every))
        stats = SearchStats()
        found, near = one.compared(*asked, k, stats)
        gains = 0 - one.estimates(query, PROBES)[every]
        assert (np.diff(gains) <= 0).all()
        ends.append(compared_by_hand(gains, 0 - distances, k))
        assert len(found) == ends[-1] and stats.scored >= len(found)
        np.testing.assert_array_equal(found, every[: len(found)])
        np.testing.assert_array_equal(near, distances[: len(found)])
    assert min(ends) < COMPARED


def test_what_comparing_leaves_out_is_hardly_among_the_closest() -> None:
    rows, inside, count = rows_of(texts(1_200)), [], []
    one, coded = lists_of(rows, unit=True), coded_of(rows)
    for query in texts(40, seed=8).values():
        every, distances = one.compared(query, coded, PROBES, 400, None, None, SearchStats())
        found, _ = one.compared(query, coded, PROBES, 400, None, 10, SearchStats())
        best = every[np.argsort(distances, kind="stable")[:10]]
        inside.append(np.isin(best, found).mean())
        count.append(len(found))
    assert np.mean(inside) >= 0.99 and np.mean(count) < 300


def test_sets_that_score_alike_end_nothing_too_soon() -> None:
    one_set = texts(1)[0]
    rows = rows_of(dict.fromkeys(range(90), one_set))
    found, distances = lists_of(rows, unit=True).compared(
        one_set, coded_of(rows), PROBES, 90, None, 10, SearchStats()
    )
    assert len(found) == 90 and len({*distances.tolist()}) == 1


def test_codes_of_other_sets_are_refused() -> None:
    rows = rows_of(texts(60))
    one, coded = lists_of(rows, unit=True), coded_of(rows)
    cut = CodedSets(coded.starts, coded.codes[:50], coded.encoder)
    (query,) = texts(1, seed=8).values()
    with pytest.raises(ValueError, match="starts point outside the rows"):
        one.compared(query, cut, PROBES, 60, None, None, SearchStats())
    short = CodedSets(coded.starts[:-1], coded.codes, coded.encoder)
    with pytest.raises(ValueError, match="starts do not fit the sets"):
        one.compared(query, short, PROBES, 60, None, None, SearchStats())
