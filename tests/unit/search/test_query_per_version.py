"""Queries given in several versions agree with a plain account of what each row should score."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    Distance,
    InvalidConfig,
    InvalidInput,
    MissingAdapter,
    SearchRequest,
    UnknownVectorName,
    VectorConfig,
    VersionedQuery,
    VersionNotFound,
)
from palimpsest.index.adapters.joint_score import WEIGHT, fuse
from palimpsest.index.search.mapped_query import BRIDGED
from palimpsest.index.types import OutOfReach, Vector
from tests.conftest import OpenCollection
from tests.unit.versions.mixed import (
    EVEN,
    QUERIES,
    SIZES,
    Account,
    config_of,
    require_agrees,
    texts_of,
)

N = 240
Found = list[tuple[int, float]]


@pytest.fixture
def account(collection_of: OpenCollection, rng: np.random.Generator) -> Account:
    spaces = {version: VectorConfig(SIZES[version], Distance.COSINE) for version in SIZES}
    collection = collection_of(config_of(spaces["v1"]))
    account = Account(collection, texts_of(N, rng), spaces)
    account.declare("v2", "v3")
    return account


def half_way(account: Account) -> Account:
    account.put("v1", range(200))
    account.put("v2", range(120, N))
    account.fit("v1", "v2")
    return account


def query_of(account: Account, place: int, *versions: str, **choices: object) -> VersionedQuery:
    vectors = {version: account.query(version, place) for version in versions}
    return VersionedQuery(vectors, **choices)  # type: ignore[arg-type]


def search(collection: Collection, query: VersionedQuery, name: str = "", k: int = N) -> Found:
    found = collection.search(SearchRequest(query, name, k=k, exact=True))
    assert len({*found.ids}) == len(found.ids)
    return list(zip([int(str(one)) for one in found.ids], found.distances.tolist(), strict=True))


def fused(account: Account, place: int) -> Found:
    """Rows of v2 by their own query; others by both, over those that either query finds first."""
    new, old = account.query("v2", place), account.query("v1", place)
    native = account.native("v2", new)
    bridged = {p: d for p, d in account.over("v1", "v2", new).items() if p not in native}
    own = {p: d for p, d in account.native("v1", old).items() if p not in native}
    points = [*own]
    first = {p for one in (own, bridged) for p in sorted(one, key=one.__getitem__)[:BRIDGED]}
    scores = fuse(
        np.array([-bridged[p] for p in points], np.float32),
        np.array([-own[p] for p in points], np.float32),
        WEIGHT,
        np.array([p in first for p in points]),
    )
    found = {**native, **dict(zip(points, (-scores).tolist(), strict=True))}
    return sorted(found.items(), key=lambda one: one[1])


def require_same(found: Found, expected: Found) -> None:
    assert {point for point, _ in found} == {point for point, _ in expected}
    own = dict(expected)
    np.testing.assert_allclose(
        [d for _, d in found], [own[point] for point, _ in found], atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("name", ["", "@v2"])
def test_rows_of_each_version_are_scored_in_their_own(account: Account, name: str) -> None:
    half_way(account)
    for place in range(QUERIES):
        found = search(account.collection, query_of(account, place, "v1", "v2"), name)
        require_same(found, fused(account, place))


def test_one_version_alone_is_the_plain_query_of_it(account: Account) -> None:
    half_way(account)
    for place in range(QUERIES):
        plain = account.collection.search(
            SearchRequest(account.query("v2", place), "@v2", k=40, exact=True)
        )
        for name in ("", "@v1", "@v2"):
            found = search(account.collection, query_of(account, place, "v2"), name, k=40)
            assert found == list(zip(plain.ids, plain.distances.tolist(), strict=True))


def test_a_query_in_its_own_version_needs_no_adapter(account: Account) -> None:
    account.put("v1", range(200))
    account.put("v2", range(120, N))
    found = search(account.collection, query_of(account, 0, "v1", "v2"))
    assert {point for point, _ in found} == {*range(N)}
    request = SearchRequest(query_of(account, 0, "v2"), k=N, bridge="require")
    with pytest.raises(MissingAdapter):
        account.collection.search(request)
    served = account.collection.search(request._replace(bridge="on"))
    assert {*served.ids} == {*range(120, N)}
    assert served.stats.out_of_reach == [OutOfReach("", "v1", "v2", 120)]


def test_without_bridges_own_queries_still_find_their_rows(account: Account) -> None:
    """Off: a version without a query of its own, adapter or not, hides nothing from the others."""
    account.put("v1", range(50))
    account.put("v2", range(30))
    account.put("v3", range(10))
    account.fit("v2", "v3")
    request = SearchRequest(query_of(account, 0, "v1", "v3"), "@v3", k=N, exact=True, bridge="off")
    found = account.collection.search(request)
    assert {*found.ids} == {*range(50)}
    on = account.collection.search(request._replace(bridge="on"))
    assert {*on.ids} == {*range(50)}


def test_the_leading_version(account: Account) -> None:
    """The one to rescore by, else the one named, else the one declared last."""
    half_way(account)
    account.fit("v2", "v1")
    collection = account.collection

    def leads(name: str, where: Collection, **choices: object) -> str:
        asked = SearchRequest(query_of(account, 0, "v1", "v2", **choices), name, k=5)
        return where.search(asked).stats.versions[0].version

    assert leads("", collection) == "v2"
    assert leads("@v1", collection) == "v1"
    assert leads("@v3", collection) == "v2"
    assert leads("", collection.showing("v1")) == "v1"
    assert leads("@v2", collection.showing("v1")) == "v2"
    assert leads("@v1", collection, rescore_version="v2") == "v2"
    collection.versions.activate("", "v2", force=True)
    assert leads("", collection) == "v2"
    assert leads("", collection.showing("v1")) == "v1"


def test_filters_offsets_and_thresholds(account: Account) -> None:
    half_way(account)
    query = query_of(account, 1, "v1", "v2")
    first = account.collection.search(SearchRequest(query, k=12, exact=True))
    some = account.collection.search(SearchRequest(query, k=7, offset=5, exact=True))
    assert list(some.ids) == list(first.ids)[5:]
    whole = account.collection.search(SearchRequest(query, k=N, exact=True))
    limit = float(whole.distances[8])
    upto = account.collection.search(SearchRequest(query, k=N, exact=True, max_distance=limit))
    assert list(upto.ids) == list(whole.ids)[:9]
    even = account.collection.search(SearchRequest(query, k=N, exact=True, filter=EVEN))
    assert {*even.ids} == {*range(0, N, 2)}


def cascade(
    account: Account, place: int, limit: int, supplied: dict[int, Vector] | None = None
) -> Found:
    """Order the first of the bridged list again, by vectors of v2 where there are any."""
    query = account.query("v2", place)
    first = account.expected("v2", query, ["v1"])[:limit]
    unit = query / np.linalg.norm(query)
    again = {
        point: -float(unit @ (vector / np.linalg.norm(vector)))
        for point, vector in (supplied or {}).items()
    }
    return sorted([(p, again.get(p, d)) for p, d in first], key=lambda one: one[1])


@pytest.mark.parametrize("limit", [30, 100])
def test_candidates_are_scored_again_by_supplied_vectors(account: Account, limit: int) -> None:
    half_way(account)
    supplied = {point: account.texts.rows["v2"][point] for point in range(0, 120, 2)}
    supplied[9_999] = account.texts.rows["v2"][0]  # of no point
    for place in range(QUERIES):
        query = query_of(
            account, place, "v2", rescore_version="v2", rescore_limit=limit, supplied=supplied
        )
        found = account.collection.search(SearchRequest(query, k=20, exact=True))
        require_agrees(found, cascade(account, place, limit, supplied)[:20])


def test_a_wanted_list_longer_than_the_rescored_one(account: Account) -> None:
    half_way(account)
    query = query_of(account, 0, "v2", rescore_version="v2", rescore_limit=3)
    found = search(account.collection, query, k=50)
    assert len(found) == 50


@pytest.mark.parametrize(
    "vectors, name, choices, error",
    [
        ((), "", {}, InvalidInput),
        (("v1", "v9"), "", {}, VersionNotFound),
        (("v1",), "other", {}, UnknownVectorName),
        (("v1",), "@v9", {}, UnknownVectorName),
        (("v1",), "", {"rescore_version": "v2"}, InvalidInput),
        (("v1",), "", {"rescore_version": "v1", "rescore_limit": 0}, InvalidConfig),
        (("v1",), "", {"rescore_version": "v1", "rescore_limit": 10_001}, InvalidConfig),
    ],
)
def test_what_cannot_be_asked(
    account: Account,
    vectors: tuple[str, ...],
    name: str,
    choices: dict[str, object],
    error: type[Exception],
) -> None:
    half_way(account)
    given = {v: np.ones(SIZES.get(v, 4), dtype=np.float32) for v in vectors}
    query = VersionedQuery(given, **choices)  # type: ignore[arg-type]
    with pytest.raises(error):
        account.collection.search(SearchRequest(query, name))


def test_vectors_and_limits_are_checked(account: Account) -> None:
    half_way(account)
    long = VersionedQuery({"v2": np.ones(SIZES["v1"], dtype=np.float32)})
    with pytest.raises(InvalidInput, match="expected dim: 16, got 12"):
        account.collection.search(SearchRequest(long))
    good = query_of(account, 0, "v2")
    for wrong in ({"k": 0}, {"offset": -3}, {"ef": 0}):
        with pytest.raises(InvalidConfig):
            account.collection.search(SearchRequest(good)._replace(**wrong))
    for most in (100_001, 2**64 - 1):  # all there is
        found = account.collection.search(SearchRequest(good, k=most))
        assert {*found.ids} == {*range(N)}
    supplied = {1: np.ones(5, dtype=np.float32)}
    wrong_size = query_of(account, 0, "v2", rescore_version="v2", supplied=supplied)
    with pytest.raises(InvalidInput, match="expected dim: 16, got 5"):
        account.collection.search(SearchRequest(wrong_size))
