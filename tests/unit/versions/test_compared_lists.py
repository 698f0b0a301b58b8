"""What each way of asking finds of two versions, against a plain account of the same points."""

from __future__ import annotations

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import Distance, VectorConfig
from palimpsest.index.search.query_per_version import Scene
from palimpsest.index.types import Vector
from palimpsest.index.versions.compared_lists import (
    CompareRequest,
    Sides,
    as_lists,
    find_by_both,
    find_native,
    find_now,
    find_old,
    find_over,
    find_together,
)
from palimpsest.index.versions.relevance import Searched
from tests.conftest import OpenCollection
from tests.unit.versions.mixed import SIZES, Account, config_of, texts_of

N, K = 80, 10


@pytest.fixture
def account(collection_of: OpenCollection, rng: np.random.Generator) -> Account:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
    account = Account(collection_of(config_of(spaces["v1"])), texts_of(N, rng), spaces)
    account.declare("v2")
    account.put("v1", range(N))
    account.put("v2", range(0, N, 2))
    account.fit("v1", "v2")
    return account


def sides(account: Account) -> Sides:
    view = account.collection.view
    old, new = view.vectors[0].held, view.vectors[1].held
    (over,) = view.bridges_of(1)
    request = CompareRequest("", "v1", "v2", {v: account.texts.queries[v] for v in ("v1", "v2")}, K)
    scene = Scene(view, account.collection._points.numbers_of)
    return Sides(scene, request, 0, 1, Searched(old, old & new, BitMap([0])), over, None)


def asked(account: Account, version: str) -> Vector:
    return account.query(version, 0)


def plain(account: Account, found: dict[int, float], among: BitMap) -> list[int]:
    numbers = account.collection.reading().numbers_of(list(found))
    known = dict(zip(numbers, found.values(), strict=True))
    ranked = sorted((d, n) for n, d in known.items() if n is not None and n in among)
    return [n for _, n in ranked[:K]]


def test_who_is_searched_and_who_was_fitted_on(account: Account) -> None:
    own = sides(account)
    assert len(own.corpus) == N - 1 and 0 not in own.corpus
    assert len(own.unseen) == N // 2 - 1 and own.collection == N


def test_native_and_bridged_lists_are_those_of_the_account(account: Account) -> None:
    own, old, new = sides(account), asked(account, "v1"), asked(account, "v2")
    assert own.over is not None
    native = plain(account, account.native("v1", old), own.corpus)
    assert find_native(own, 0, old, K, own.corpus).tolist() == native
    assert find_old(own, old, K).tolist() == native
    over = plain(account, account.over("v1", "v2", new), own.corpus)
    assert find_over(own, own.over, new, K, own.corpus).tolist() == over
    assert find_native(own, 1, new, K, BitMap()).tolist() == []


def test_both_queries_find_among_points_as_they_are_now(account: Account) -> None:
    own, old, new = sides(account), asked(account, "v1"), asked(account, "v2")
    assert own.over is not None
    expected = {
        n for n, _ in account.expected("v2", new, ["v1"])
    }  # every point, by one version or the other
    assert len(expected) == N
    for found in (find_now(own, new, K), find_by_both(own, old, new, K)):
        assert len(set(found.tolist())) == K and set(found.tolist()) <= set(own.corpus)
    together = find_together(own, own.over, old, new, 5)
    assert len(together) == 5 and set(together.tolist()) <= set(own.unseen)


def test_lists_of_numbers_stand_at_their_queries() -> None:
    some = [np.array([2**32 - 1, 5], np.uint32), np.array([1, 2, 3, 4], np.uint32)]
    assert as_lists(some, 3).tolist() == [[2**32 - 1, 5, -1], [1, 2, 3]]
    assert as_lists(some[:1], 2, places=[2], queries=3).tolist() == [
        [-1, -1], [-1, -1], [2**32 - 1, 5],
    ]  # fmt: skip
    assert as_lists([], 2).shape == (0, 2)
