"""A score of a mixed list is in the metric of the query's version, for every hit and every merge.

Native hits have their distance; bridged ones an estimate, which a threshold means as well. The true
distances are those of the vectors that the points would have, were they embedded anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Distance,
    Filter,
    FitRequest,
    HasId,
    Prefetch,
    QueryRequest,
    SearchRequest,
    SearchResult,
    VectorConfig,
    VersionedQuery,
    answer,
    queries,
)
from palimpsest.index.adapters.calibration import fit_calibration
from palimpsest.index.adapters.comparable import Merge
from palimpsest.index.storage.local import Local
from palimpsest.index.types import PointId, Vector
from palimpsest.index.upkeep.recover import ADAPTERS
from palimpsest.index.versions.lifecycle import ends_of, put_fitted
from tests.conftest import OpenCollection
from tests.unit.versions.mixed import QUERIES, SIZES, Account, as_stored, config_of, texts_of
from tests.unit.versions.mixed import distances as distances_of

COSINE, DOT, EUCLID, MANHATTAN = Distance
N, SCALE = 400, 9.0  # the new model's vectors are so much longer
METRICS = [(one, other) for one in Distance for other in Distance]
METHODS = ("raw", "matched", "isotonic", "rank")
Open = Callable[..., Account]


@pytest.fixture
def half_way(collection_of: OpenCollection, rng: np.random.Generator) -> Open:
    """Return a function that makes a collection of which every second point is embedded anew."""

    def create(
        first: Distance, second: Distance, kind: str = "procrustes", fit: bool = True
    ) -> Account:
        texts = texts_of(N, rng, {v: SIZES[v] for v in ("v1", "v2")})
        for one in (texts.rows, texts.queries):
            one["v2"][:] *= SCALE  # type: ignore[index]
        spaces = {"v1": VectorConfig(SIZES["v1"], first), "v2": VectorConfig(SIZES["v2"], second)}
        account = Account(collection_of(config_of(spaces["v1"])), texts, spaces)
        account.declare("v2")
        account.put("v1", range(N))
        account.put("v2", range(0, N, 2))
        if fit:
            account.collection.versions.fit(FitRequest("v1", "v2", kind=kind))  # type: ignore[arg-type]
        return account

    return create


def merge_by(account: Account, method: str) -> None:
    writer = account.collection.writer
    ends = ends_of(writer.config, "", "v1", "v2")
    fitted = writer.fitted[ends]
    ramp = np.linspace(-200.0, 200.0, 50)
    merge = Merge(method, fit_calibration(ramp, ramp) if method == "isotonic" else None)  # type: ignore[arg-type]
    put_fitted(
        writer, Local(account.collection.folder) / ADAPTERS, ends, replace(fitted, merge=merge)
    )


def true_distances(account: Account, query: Vector) -> dict[int, float]:
    """Return what all points would have if all were embedded anew."""
    distance = account.spaces["v2"].distance
    rows = as_stored(account.texts.rows["v2"], distance)
    asked = as_stored(query[None, :], distance)[0]
    return dict(enumerate(distances_of(rows, asked, distance).tolist()))


def require_scores(account: Account, found: SearchResult, place: int) -> float:
    """Require native hits to have their own distances, in order; return how far estimates are off.

    The latter in units of the spread of all distances.
    """
    own = true_distances(account, account.query("v2", place))
    found_distances = found.distances.tolist()
    assert found_distances == sorted(found_distances)
    marked = {int(number) for some in found.stats.estimated for number in some}
    ids = account.collection._points.ids_of(list(marked))
    estimated = {ids[number] for number in marked}
    off = []
    for point, distance in zip(found.ids, found_distances, strict=True):
        assert isinstance(point, int)
        assert (point in estimated) == (point % 2 == 1)
        if point % 2 == 0:
            assert distance == pytest.approx(own[point], rel=1e-4, abs=1e-4)
        else:
            off.append(distance - own[point])
    return float(np.abs(np.mean(off)) / np.std(list(own.values()))) if off else 0.0


def answered(account: Account, root: Prefetch) -> list[PointId]:
    reading = account.collection.reading()
    found = answer(reading, QueryRequest(root), lambda _: reading)
    return [record.id for record in found.records]


def asked(account: Account, place: int, **choices: Any) -> SearchRequest:
    return SearchRequest(account.query("v2", place), "@v2", exact=True)._replace(**choices)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("first, second", METRICS)
def test_every_score_is_in_the_metric_of_the_query(
    half_way: Open, first: Distance, second: Distance, method: str
) -> None:
    account = half_way(first, second)
    merge_by(account, method)
    for place in range(QUERIES):
        found = account.collection.search(asked(account, place, k=N))
        assert len(found.ids) == N
        assert require_scores(account, found, place) < 0.5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("first, second", [(EUCLID, EUCLID), (COSINE, EUCLID), (EUCLID, COSINE)])
def test_a_threshold_cuts_the_list_it_is_asked_of(
    half_way: Open, first: Distance, second: Distance, method: str
) -> None:
    """Also inside a prefetch; and about as many pass as would if all were embedded anew."""
    account = half_way(first, second)
    merge_by(account, method)
    for place in range(QUERIES):
        whole = account.collection.search(asked(account, place, k=N))
        own = sorted(true_distances(account, account.query("v2", place)).values())
        for limit in (own[0] - 1, own[3], own[20], own[100], own[-1] + 1e4):
            kept = int(np.searchsorted(whole.distances, np.float32(limit), side="right"))
            found = account.collection.search(asked(account, place, k=N, max_distance=limit))
            assert list(found.ids) == list(whole.ids)[:kept]
            np.testing.assert_array_equal(found.distances, whole.distances[:kept])
        would = int(np.searchsorted(own, own[100]))
        kept = int(np.searchsorted(whole.distances, own[100]))
        assert 0.4 * would < kept < 2 * would
        threshold = own[20] if second is EUCLID else -own[20]
        params = queries.SearchParams(exact=True)
        nearest = queries.Nearest(account.query("v2", place))
        below = Prefetch(nearest, "@v2", params=params, threshold=threshold, limit=N)
        root = Prefetch(nearest, "@v2", params=params, limit=N, prefetches=(below,))
        records = answered(account, root)
        inside = int(np.searchsorted(whole.distances, np.float32(own[20]), side="left"))
        assert {*records} == {*list(whole.ids)[:inside]}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("first, second", [(EUCLID, EUCLID), (MANHATTAN, DOT), (COSINE, EUCLID)])
def test_a_filter_never_changes_the_scale(
    half_way: Open, first: Distance, second: Distance, method: str
) -> None:
    """Nor does it where only points of one version are left."""
    account = half_way(first, second)
    merge_by(account, method)
    for ids in (range(1, N, 2), range(0, N, 2), range(0, 40), [1], [1, 2], range(1, 60, 2)):
        chosen = Filter(must=(HasId(frozenset(ids)),))
        found = account.collection.search(asked(account, 0, k=N, filter=chosen))
        assert {*found.ids} == {*ids}
        assert require_scores(account, found, 0) < 1.5


@pytest.mark.parametrize("strategy", ["average_vector", "best_score", "sum_scores"])
def test_examples_are_compared_in_one_metric(half_way: Open, strategy: Any) -> None:
    """A point close to the example comes first, whichever version either holds."""
    account = half_way(COSINE, EUCLID)
    params = queries.SearchParams(exact=True)
    for example in (10, 11):
        root = Prefetch(queries.Recommend((example,), (), strategy), "@v2", params=params, limit=N)
        records = answered(account, root)
        own = true_distances(account, account.texts.rows["v2"][example])
        order = [int(str(one)) for one in records]
        assert len(order) == N - 1
        first, last = order[: N // 4], order[-N // 4 :]
        assert np.mean([own[one] for one in first]) < np.mean([own[one] for one in last])
        share = np.mean([one % 2 for one in first])
        assert 0.25 < share < 0.75


@pytest.mark.parametrize("first, second", METRICS)
@pytest.mark.parametrize("migrated", [True, False])
def test_two_queries_without_an_adapter_have_scores_not_ranks(
    half_way: Open, first: Distance, second: Distance, migrated: bool
) -> None:
    account = half_way(first, second, fit=False)
    if not migrated:
        account.collection.delete_vectors(Filter(), ["@v2"]).result()
    for place in range(QUERIES):
        both = VersionedQuery({v: account.query(v, place) for v in ("v1", "v2")})
        request = SearchRequest(both, "@v2", k=N, exact=True)
        found = account.collection.search(request)
        assert len(found.ids) == N
        if migrated:
            assert require_scores(account, found, place) < 1.0
        own = np.array(list(true_distances(account, account.query("v2", place)).values()))
        # nothing tells how far apart vectors of the new model are, but for the query's length
        assert own.min() - 6 * own.std() < found.distances.min()
        assert found.distances.max() < own.max() + 6 * own.std()
        if second is not DOT:
            assert found.distances.min() >= (-1 if second is COSINE else 0)
        limit = float(found.distances[30])
        some = account.collection.search(request._replace(max_distance=limit))
        assert len(some.ids) == int(np.searchsorted(found.distances, limit, side="right"))


@pytest.mark.parametrize("first, second", METRICS)
def test_two_queries_with_an_adapter(half_way: Open, first: Distance, second: Distance) -> None:
    """And what is scored again by supplied vectors is no estimate any more."""
    account = half_way(first, second)
    for place in range(QUERIES):
        both = {v: account.query(v, place) for v in ("v1", "v2")}
        request = SearchRequest(VersionedQuery(both), "@v2", k=N, exact=True)
        found = account.collection.search(request)
        assert require_scores(account, found, place) < 0.6
        supplied = {point: account.texts.rows["v2"][point] for point in range(1, N, 4)}
        again = VersionedQuery(both, "v2", N, supplied)
        found = account.collection.search(request._replace(query=again))
        own = true_distances(account, account.query("v2", place))
        marked = {int(n) for some in found.stats.estimated for n in some}
        ids = account.collection._points.ids_of(list(marked))
        assert {ids[n] for n in marked} == {*range(3, N, 4)}
        assert found.distances.tolist() == sorted(found.distances.tolist())
        for point, distance in zip(found.ids, found.distances.tolist(), strict=True):
            if point not in {*range(3, N, 4)}:
                assert distance == pytest.approx(own[int(str(point))], rel=1e-4, abs=1e-4)


def test_the_pages_of_two_queries_agree(half_way: Open) -> None:
    account = half_way(COSINE, COSINE, "ridge")
    both = VersionedQuery({v: account.query(v, 0) for v in ("v1", "v2")})
    request = SearchRequest(both, "@v2", exact=True)
    whole = account.collection.search(request._replace(k=N))
    pages = [account.collection.search(request._replace(k=40, offset=at)) for at in range(0, N, 40)]
    assert [one for page in pages[:6] for one in page.ids] == list(whole.ids)[:240]
