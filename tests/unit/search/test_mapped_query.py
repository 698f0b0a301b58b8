"""Mixed searches agree with a plain sort of distances computed from the kept originals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import (
    Collection,
    Distance,
    Filter,
    HasId,
    InvalidVector,
    MissingAdapter,
    SearchRequest,
    SparseVector,
    VectorConfig,
)
from palimpsest.index.search.across import across
from palimpsest.index.types import BridgeMode, OutOfReach
from tests.conftest import OpenCollection
from tests.unit.versions.mixed import (
    EVEN,
    QUERIES,
    SIZES,
    Account,
    config_of,
    recall,
    require_agrees,
    texts_of,
)

N = 300
COSINE = {version: Distance.COSINE for version in SIZES}
Open = Callable[..., Account]


@pytest.fixture
def account_of(collection_of: OpenCollection, rng: np.random.Generator) -> Open:
    """Return a function that opens a collection whose first version is v1."""

    def create(
        distances: dict[str, Distance] = COSINE, n: int = N, vector: str = "", **choices: Any
    ) -> Account:
        texts = texts_of(n, rng)
        spaces = {v: VectorConfig(SIZES[v], one, **choices) for v, one in distances.items()}
        collection = collection_of(config_of({vector: spaces["v1"]}))
        account = Account(collection, texts, spaces, vector)
        account.declare(*(version for version in spaces if version != "v1"))
        return account

    return create


def half_way(account: Account, n: int = N, kind: str = "ridge") -> Account:
    """Bring points into v1, a third of which also hold v2, and a few only v2."""
    account.put("v1", range(n - 20))
    account.put("v2", range(0, n - 20, 3))
    account.put("v2", range(n - 20, n))
    account.fit("v1", "v2", kind)
    return account


def exact(account: Account, place: int, name: str = "@v2", **choices: Any) -> SearchRequest:
    query = account.query(choices.pop("version", "v2"), place)
    return SearchRequest(query, name, exact=True, **choices)


@pytest.mark.parametrize("kind", ["ridge", "procrustes", "procrustes_centred", "low_rank"])
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "growing"])
def test_agrees_with_a_plain_sort(account_of: Open, kind: str, sealed: bool) -> None:
    account = half_way(account_of(), kind=kind)
    if sealed:
        account.collection.upkeep.seal()
    for place in range(QUERIES):
        expected = account.expected("v2", account.query("v2", place), ["v1"])
        assert len(expected) == N
        require_agrees(account.collection.search(exact(account, place, k=N + 9)), expected)
        require_agrees(account.collection.search(exact(account, place)), expected[:10])


@pytest.mark.parametrize("encoding", ["float32", "4", "1"])
def test_nearly_agrees_through_graphs_and_codes(account_of: Open, encoding: str) -> None:
    n = 3_000
    account = half_way(account_of(n=n, encoding=encoding), n)
    account.collection.upkeep.seal()
    shares = []
    for place in range(QUERIES):
        query = account.query("v2", place)
        expected = account.expected("v2", query, ["v1"])[:10]
        found = account.collection.search(SearchRequest(query, "@v2"))
        own = dict(account.expected("v2", query, ["v1"]))
        np.testing.assert_allclose(found.distances, [own[point] for point in found.ids], atol=1e-4)
        shares.append(recall(found, expected))
    assert np.mean(shares) >= 0.97


@pytest.mark.parametrize(
    "first, second",
    [
        (Distance.EUCLID, Distance.EUCLID),
        (Distance.MANHATTAN, Distance.MANHATTAN),
        (Distance.DOT, Distance.DOT),
        (Distance.COSINE, Distance.DOT),
        (Distance.DOT, Distance.COSINE),
        (Distance.EUCLID, Distance.COSINE),
    ],
)
def test_every_distance_is_bridged_on_the_query_side(
    account_of: Open, first: Distance, second: Distance
) -> None:
    account = half_way(account_of({"v1": first, "v2": second}), kind="procrustes")
    for place in range(QUERIES):
        expected = account.expected("v2", account.query("v2", place), ["v1"])
        require_agrees(account.collection.search(exact(account, place, k=40)), expected[:40])


@pytest.mark.parametrize("kind", ["ridge", "relative"])
def test_dot_is_bridged_on_the_document_side(account_of: Open, kind: str) -> None:
    account = half_way(account_of({"v1": Distance.DOT, "v2": Distance.DOT}), kind=kind)
    for place in range(QUERIES):
        expected = account.expected("v2", account.query("v2", place), ["v1"])
        require_agrees(account.collection.search(exact(account, place, k=40)), expected[:40])


def test_filters_offsets_and_limits_hold_for_the_mixed_list(account_of: Open) -> None:
    account = half_way(account_of())
    chosen = Filter(must=(HasId(frozenset(range(0, N, 7))),))
    for place in range(QUERIES):
        whole = account.expected("v2", account.query("v2", place), ["v1"])
        search = account.collection.search
        even = [one for one in whole if one[0] % 2 == 0]
        require_agrees(search(exact(account, place, filter=EVEN)), even[:10])
        some = [one for one in whole if one[0] % 7 == 0]
        require_agrees(search(exact(account, place, filter=chosen, k=N)), some)
        require_agrees(search(exact(account, place, k=5, offset=12)), whole[12:17])
        require_agrees(search(exact(account, place, k=5, offset=N - 2)), whole[-2:])
        require_agrees(search(exact(account, place, k=5, offset=N)), [])
        limit = (whole[6][1] + whole[7][1]) / 2
        require_agrees(search(exact(account, place, k=20, max_distance=limit)), whole[:7])
        nothing = Filter(must=(HasId(frozenset({N + 1})),))
        require_agrees(search(exact(account, place, filter=nothing)), [])


def test_more_results_than_a_bridge_is_asked_for_at_least(account_of: Open) -> None:
    account = half_way(account_of())
    expected = account.expected("v2", account.query("v2", 0), ["v1"])
    for k, offset in ((100, 0), (64, 0), (65, 0), (10, 120), (100_000, 50)):
        found = account.collection.search(exact(account, 0, k=k, offset=offset))
        require_agrees(found, expected[offset : offset + k])


def test_payloads_and_vectors_come_with_the_points(account_of: Open) -> None:
    account = half_way(account_of())
    names = ("@v1", "@v2", "")
    request = exact(account, 1, k=30, with_payload=True, with_vectors=names)
    found = account.collection.search(request)
    assert found.payloads is not None and found.vectors is not None
    for point, payload, vectors in zip(found.ids, found.payloads, found.vectors, strict=True):
        assert payload is not None and (b"true" in payload) == (int(str(point)) % 2 == 0)
        own = {v for v in ("v1", "v2") if point in account.rows[v]}
        assert {name for name in vectors if name} == {f"@{version}" for version in own}
        assert ("" in vectors) == ("v1" in own)
        for version in own:
            stored = account.rows[version][int(str(point))]
            np.testing.assert_allclose(vectors[f"@{version}"], stored, atol=1e-6)


def test_a_stored_point_of_another_version_is_a_query(account_of: Open) -> None:
    account = half_way(account_of())
    search = account.collection.search
    old, both = 1, 3
    assert old not in account.rows["v2"] and both in account.rows["v2"]
    adapter = account.adapter("v1", "v2").adapter
    mapped = adapter.map_rows(account.rows["v1"][old][None, :])[0]
    for point, query in ((old, mapped), (both, account.rows["v2"][both])):
        expected = [o for o in account.expected("v2", query, ["v1"]) if o[0] != point]
        found = search(SearchRequest(point, "@v2", k=25, exact=True))
        require_agrees(found, expected[:25])
    with pytest.raises(InvalidVector, match="Point 1 has no vector '@v2'"):
        search(SearchRequest(old, "@v2", bridge="off"))
    account.create([5_000])
    with pytest.raises(InvalidVector, match="Point 5000 has no vector '@v2'"):
        search(SearchRequest(5_000, "@v2"))


def test_points_without_any_vector_are_not_found(account_of: Open) -> None:
    account = half_way(account_of())
    account.create(range(1_000, 1_040))
    account.delete(range(0, 60, 2))
    for place in range(QUERIES):
        expected = account.expected("v2", account.query("v2", place), ["v1"])
        require_agrees(account.collection.search(exact(account, place, k=2 * N)), expected)
    assert not {point for point, _ in expected} & {*range(1_000, 1_040), *range(0, 60, 2)}


def test_sealed_dead_and_growing_rows_of_both_versions(account_of: Open) -> None:
    account = half_way(account_of())
    account.collection.upkeep.seal()
    account.delete(range(0, 40, 3))
    account.put("v2", range(40, 90))
    account.put("v1", range(100, 120))  # again: their first rows are dead
    account.collection.delete_vectors([4, 5, 130], ["@v1"]).result()
    for point in (4, 5, 130):
        account.rows["v1"].pop(point, None)
    for _ in range(2):
        for place in range(QUERIES):
            expected = account.expected("v2", account.query("v2", place), ["v1"])
            require_agrees(account.collection.search(exact(account, place, k=N)), expected)
        account.collection.upkeep.seal()
        account.collection.upkeep.compact()


@pytest.mark.parametrize("vector", ["", "text"])
def test_three_versions_at_once_each_point_by_its_best_adapter(
    account_of: Open, vector: str
) -> None:
    account = account_of(vector=vector)
    account.put("v1", range(0, 200))
    account.put("v2", range(100, 260))
    account.put("v3", range(0, N, 10))
    account.fit("v1", "v3")
    account.fit("v2", "v3", "procrustes")
    by_quality = sorted(("v1", "v2"), key=lambda v: -account.adapter(v, "v3").quality)
    for place in range(QUERIES):
        query = account.query("v3", place)
        expected = account.expected("v3", query, by_quality)
        assert len(expected) == 264
        found = account.collection.search(SearchRequest(query, f"{vector}@v3", k=N, exact=True))
        require_agrees(found, expected)
        counts = {one.version: one.searched for one in found.stats.versions}
        assert sum(counts.values()) == 264 and counts["v3"] == 30


# Header modes, and points that no adapter leads to.


def test_bridges_are_worked_out_once_for_a_view(account_of: Open) -> None:
    account = half_way(account_of())
    view = account.collection.view
    column = view.config.number("@v2")
    first = across(view, column, "on")
    assert across(view, column, "on") is first
    (known,), (anew,) = first.bridges, across(view, column, "on", view.live).bridges
    assert (known.live, known.points) == (anew.live, anew.points)
    moved = next(iter(known.points))
    account.put("v2", [dict(account.collection.reading().selector.ids(known.points))[moved]])
    (later,) = across(account.collection.view, column, "on").bridges
    assert later.points == known.points - BitMap([moved])


def test_off_searches_the_version_alone(account_of: Open) -> None:
    account = half_way(account_of())
    for place in range(QUERIES):
        native = account.expected("v2", account.query("v2", place))
        found = account.collection.search(exact(account, place, k=N, bridge="off"))
        require_agrees(found, native)
        assert not found.stats.versions and not found.stats.bridged


def test_what_can_be_reached_is_served_and_the_rest_counted(account_of: Open) -> None:
    account = account_of()
    account.put("v1", range(50))
    account.put("v2", range(40))
    search = account.collection.search
    with pytest.raises(MissingAdapter, match=r"only version 'v1'.*queries of version 'v2'"):
        search(exact(account, 0, bridge="require"))
    expected = account.expected("v2", account.query("v2", 0))
    left_out = {"on": [OutOfReach("", "v1", "v2", 10)], "off": []}
    for mode, counted in left_out.items():
        found = search(exact(account, 0, k=N, bridge=mode))
        require_agrees(found, expected)
        assert found.stats.out_of_reach == counted and found.stats.estimated == []
    account.put("v2", range(40, 50))  # nothing is left that only v1 holds
    found = search(exact(account, 0, k=N))
    require_agrees(found, account.expected("v2", account.query("v2", 0)))
    assert found.stats.out_of_reach == []


def test_a_version_without_rows_and_adapters_finds_nothing_and_says_so(account_of: Open) -> None:
    account = account_of()
    account.put("v1", range(50))
    found = account.collection.search(exact(account, 0))
    assert list(found.ids) == [] and found.stats.out_of_reach == [OutOfReach("", "v1", "v2", 50)]


def test_a_filter_that_leaves_no_such_point_needs_no_adapter(account_of: Open) -> None:
    account = account_of()
    account.put("v1", range(50))
    account.put("v2", range(0, 50, 2))
    expected = account.expected("v2", account.query("v2", 0))
    for mode in ("on", "require"):
        found = account.collection.search(exact(account, 0, k=N, filter=EVEN, bridge=mode))
        require_agrees(found, expected)
        assert found.stats.out_of_reach == []
    odd = Filter(must_not=EVEN.must)
    with pytest.raises(MissingAdapter):
        account.collection.search(exact(account, 0, filter=odd, bridge="require"))
    found = account.collection.search(exact(account, 0, filter=odd))
    assert list(found.ids) == [] and found.stats.out_of_reach == [OutOfReach("", "v1", "v2", 25)]


def test_rows_of_a_version_that_was_never_active_are_counted(account_of: Open) -> None:
    """Bare queries of the active version do not need shadow rows, unless all are required."""
    account = account_of()
    account.put("v1", range(50))
    account.put("v2", range(30, 70))
    query = account.query("v1", 0)
    for name in ("", "@v1"):
        for mode in ("on", "off"):
            found = account.collection.search(
                SearchRequest(query, name, k=N, exact=True, bridge=mode)
            )
            require_agrees(found, account.expected("v1", query))
            counted = [OutOfReach("", "v2", "v1", 20)] if mode == "on" else []
            assert found.stats.out_of_reach == counted
        with pytest.raises(MissingAdapter, match="only version 'v2'"):
            account.collection.search(SearchRequest(query, name, bridge="require"))
    account.fit("v2", "v1")
    for mode in ("on", "require"):
        found = account.collection.search(SearchRequest(query, k=N, exact=True, bridge=mode))
        require_agrees(found, account.expected("v1", query, ["v2"]))


def test_points_out_of_reach_are_counted_once(account_of: Open) -> None:
    """However many versions they hold; one that any adapter leads to is not out of reach."""
    account = account_of()
    account.put("v1", range(20))
    account.put("v2", range(22))
    account.put("v3", range(5))
    found = account.collection.search(SearchRequest(account.query("v3", 0), "@v3"))
    assert found.stats.out_of_reach == [
        OutOfReach("", "v1", "v3", 15),
        OutOfReach("", "v2", "v3", 2),
    ]
    account.fit("v2", "v3")  # reaches all of them
    found = account.collection.search(SearchRequest(account.query("v3", 0), "@v3", k=N, exact=True))
    require_agrees(found, account.expected("v3", account.query("v3", 0), ["v2"]))


def test_retired_rows_are_found_by_their_own_queries_only(account_of: Open) -> None:
    account = half_way(account_of())
    account.collection.versions.activate("", "v2", force=True)
    account.collection.versions.retire("", "v1", force=True)
    query = account.query("v2", 0)
    for mode in ("on", "off", "require"):
        found = account.collection.search(SearchRequest(query, k=N, exact=True, bridge=mode))
        require_agrees(found, account.expected("v2", query))
    old = account.query("v1", 0)
    account.fit("v2", "v1")
    found = account.collection.search(SearchRequest(old, "@v1", k=N, exact=True))
    require_agrees(found, account.expected("v1", old, ["v2"]))


# Bad input.


@pytest.mark.parametrize("size", [0, 3, SIZES["v1"], SIZES["v2"] + 1])
def test_a_query_of_another_length_names_the_versions(account_of: Open, size: int) -> None:
    account = half_way(account_of())
    with pytest.raises(Exception, match=r"'@v1' has 12, '@v2' has 16, '@v3' has 10") as raised:
        account.collection.search(SearchRequest(np.ones(size, dtype=np.float32), "@v2"))
    assert type(raised.value).__name__ == "DimensionMismatch"


def test_queries_that_no_dense_vector_is(account_of: Open) -> None:
    account = half_way(account_of())
    sparse = SparseVector(np.array([1], np.uint32), np.array([1.0], np.float32))
    broken = np.full(SIZES["v2"], np.nan, dtype=np.float32)
    for query in (sparse, broken):
        with pytest.raises(InvalidVector):
            account.collection.search(SearchRequest(query, "@v2"))


def test_a_zero_query_finds_points_of_all_versions_by_id(account_of: Open) -> None:
    account = half_way(account_of())
    zero = np.zeros(SIZES["v2"], dtype=np.float32)
    found = account.collection.search(SearchRequest(zero, "@v2", k=N))
    assert list(found.ids) == [*range(N)] and not found.distances.any()


@pytest.mark.parametrize("mode", ["on", "off"])
def test_stats_tell_what_was_searched(account_of: Open, mode: BridgeMode) -> None:
    account = half_way(account_of())
    found = account.collection.search(exact(account, 0, bridge=mode))
    if mode == "off":
        assert found.stats.versions == []
        return
    native, bridged = found.stats.versions
    assert (native.version, native.adapter, native.merge) == ("v2", None, None)
    assert (bridged.version, bridged.adapter, bridged.merge) == ("v1", "ridge", "raw")
    assert (native.searched, bridged.searched) == (114, N - 114)
    ((column, numbers),) = found.stats.bridged
    assert column == account.collection.config.number("@v2")
    expected = [point for point, _ in account.expected("v2", account.query("v2", 0), ["v1"])]
    first = [point for point in expected if point not in account.rows["v2"]]
    ids = account.collection._points.ids_of(numbers.tolist())
    assert [ids[number] for number in numbers.tolist()][:20] == first[:20]


def test_a_rescoring_adapter_orders_by_its_network(account_of: Open) -> None:
    account = account_of(n=800)
    account.put("v1", range(800))
    fitted = account.fit("v1", "v2", "mlp")
    rows = np.stack([account.rows["v1"][point] for point in range(800)])
    for place in range(QUERIES):
        query = account.query("v2", place)
        unit = (query / np.linalg.norm(query)).astype(np.float32)
        by_line = [point for point, _ in account.expected("v2", query, ["v1"])][:200]
        scores = fitted.adapter.rescore(unit, rows[by_line])
        order = np.argsort(-scores, kind="stable")
        found = account.collection.search(SearchRequest(query, "@v2", k=200, exact=True))
        require_agrees(found, [(by_line[at], -float(scores[at])) for at in order])


def test_several_vector_names_have_versions_of_their_own(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    spaces = {version: VectorConfig(SIZES[version], Distance.COSINE) for version in SIZES}
    first = {"text": spaces["v1"], "title": spaces["v1"]}
    collection: Collection = collection_of(config_of(first))
    text = Account(collection, texts_of(N, rng), spaces, "text")
    title = Account(collection, texts_of(N, rng), spaces, "title", text.points)
    text.declare("v2")
    title.declare("v2", "v3")
    text.put("v1", range(100))
    title.put("v1", range(50, N))
    text.put("v2", range(0, 100, 2))
    title.put("v2", range(60, 90))
    text.fit("v1", "v2")
    title.fit("v1", "v2")
    title.collection.versions.activate("title", "v2", force=True)
    for place in range(QUERIES):
        for account, name in ((text, "text@v2"), (title, "title"), (title, "title@v2")):
            query = account.query("v2", place)
            found = collection.search(SearchRequest(query, name, k=N, exact=True))
            require_agrees(found, account.expected("v2", query, ["v1"]))
        query = text.query("v1", place)
        found = collection.search(SearchRequest(query, "text", k=N, exact=True))
        require_agrees(found, text.expected("v1", query))
