"""The calls of a collection about versions: in force when they return, and not for virtual ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from palimpsest.index import Collection, Distance, SearchRequest, VectorConfig
from palimpsest.index.errors import InvalidInput, UnknownVectorName, VersionConflict
from palimpsest.index.types import SearchStats
from tests.conftest import OpenCollection
from tests.unit.versions.mixed import SIZES, Account, config_of, texts_of

N = 60


@pytest.fixture
def account(collection_of: OpenCollection, rng: np.random.Generator) -> Account:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
    account = Account(collection_of(config_of(spaces["v1"])), texts_of(N, rng), spaces)
    account.put("v1", range(N))
    account.declare("v2")
    account.put("v2", range(0, N, 2))
    return account


def test_the_same_version_is_declared_once(account: Account) -> None:
    versions, space = account.collection.versions, account.spaces["v2"]
    declared = {"size": space.size, "distance": str(space.distance)}
    assert versions.declare("", "v2", space, declared=declared) is False
    with pytest.raises(VersionConflict):
        versions.declare("", "v2", VectorConfig(3, Distance.DOT), declared={})
    with pytest.raises(UnknownVectorName):
        versions.declare("нет", "v2", space, declared=declared)
    assert [one.version for one in versions.states()] == ["v1", "v2"]


def test_points_that_queries_do_not_reach_are_told_until_there_is_a_way(account: Account) -> None:
    versions = account.collection.versions
    assert versions.out_of_reach() == []
    (missing,) = versions.out_of_reach(every=True)
    assert (missing.rows, missing.queries, missing.points) == ("v1", "v2", N // 2)
    account.fit("v1", "v2")
    assert versions.out_of_reach(every=True) == []
    assert [one.kind for one in versions.adapters()] == ["ridge"]
    versions.drop_adapter("", "v1", "v2")
    assert versions.adapters() == [] and len(versions.out_of_reach(every=True)) == 1


def test_hits_whose_scores_are_estimates_are_marked(account: Account) -> None:
    account.fit("v1", "v2")
    collection = account.collection
    found = collection.search(SearchRequest(account.query("v2", 0), "@v2", k=N, exact=True))
    marked = collection.versions.estimated(found.stats, found.ids)
    assert set(marked) == {one for one in found.ids if int(str(one)) % 2}
    assert collection.versions.estimated(SearchStats(), found.ids) == []


def changes(collection: Collection, account: Account) -> list[Callable[[], object]]:
    versions = collection.versions
    return [
        lambda: versions.declare("", "v9", account.spaces["v1"], declared={}),
        lambda: versions.activate("", "v2", force=True),
        lambda: versions.retire("", "v1", force=True),
        lambda: versions.drop("", "v2", force=True),
        lambda: versions.consolidate("", "v1", "v2"),
    ]


def test_a_virtual_collection_answers_and_leaves_changes_to_the_real_one(account: Account) -> None:
    virtual = account.collection.showing("v2")
    for change in changes(virtual, account):
        with pytest.raises(InvalidInput):
            change()
    assert [one.version for one in virtual.versions.states()] == ["v1", "v2"]
    assert virtual.versions.backfill_status("", "v2").covered == N // 2
    account.collection.versions.activate("", "v2", force=True)
    assert [one.state for one in virtual.versions.states()] == ["serving", "active"]
