"""Once another version is active, adapters lead back to those before it without being asked for."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import Collection, Distance, FitRequest, SearchRequest, VectorConfig
from palimpsest.index.types import OutOfReach
from tests.conftest import OpenCollection, open_collection
from tests.unit.versions.mixed import SIZES, Account, config_of, texts_of

N = 120


@pytest.fixture
def account(collection_of: OpenCollection, rng: np.random.Generator) -> Account:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
    account = Account(collection_of(config_of(spaces["v1"])), texts_of(N, rng), spaces)
    account.declare("v2")
    account.put("v1", range(100))
    return account


def shown(collection: Collection) -> dict[tuple[str, str], str]:
    return {(one.rows, one.queries): one.state for one in collection.versions.adapters()}


def left_out(collection: Collection, account: Account) -> list[OutOfReach]:
    request = SearchRequest(account.query("v1", 0), "@v1", k=N, exact=True)
    return collection.search(request).stats.out_of_reach


def test_activating_leads_queries_of_the_version_before_to_new_rows(account: Account) -> None:
    account.put("v2", range(100))
    collection = account.collection
    assert shown(collection) == {}
    collection.versions.activate("", "v2")
    assert shown(collection) == {("v2", "v1"): "fitting"}  # waits for background work
    account.put("v2", range(100, N))
    assert left_out(collection, account) == [OutOfReach("", "v2", "v1", 20)]
    collection.upkeep.compact()
    assert collection.upkeep.last_error is None
    assert shown(collection) == {("v2", "v1"): "fitted"}
    found = collection.search(SearchRequest(account.query("v1", 0), "@v1", k=N, exact=True))
    assert {*found.ids} == {*range(N)} and found.stats.out_of_reach == []
    collection.versions.activate("", "v1")  # rolled back, whole at once
    plain = collection.search(SearchRequest(account.query("v1", 0), k=N, exact=True))
    assert list(plain.ids) == list(found.ids)


def test_too_few_points_are_waited_for(account: Account) -> None:
    account.put("v2", range(15))
    collection = account.collection
    collection.versions.activate("", "v2", force=True)
    (one,) = collection.versions.unreversed("")
    assert (one.request.rows, one.request.queries) == ("v2", "v1")
    assert (one.there, one.needed) == (15, 20)
    assert shown(collection) == {} and collection.fitting.due() is None
    for there in (25, 32, 40):  # which of them are held out is told by a hash
        account.put("v2", range(there))
        assert collection.versions.unreversed("") == []
        collection.upkeep.compact()
        assert collection.upkeep.last_error is None
    assert shown(collection) == {("v2", "v1"): "fitted"}


def test_what_was_dropped_is_not_fitted_again(account: Account) -> None:
    account.put("v2", range(100))
    collection = account.collection
    collection.versions.activate("", "v2")
    collection.upkeep.compact()
    collection.versions.drop_adapter("", "v2", "v1")
    assert collection.fitting.due() is None and shown(collection) == {}
    collection.versions.fit(FitRequest("v2", "v1", kind="ridge"))
    assert shown(collection) == {("v2", "v1"): "fitted"}


def test_points_that_determine_no_map_do_not_fail_for_ever(account: Account) -> None:
    collection = account.collection
    account.texts.rows["v2"][:] = account.texts.rows["v2"][0]  # type: ignore[index]
    account.put("v2", range(60))
    collection.versions.activate("", "v2", force=True)
    for _ in range(2):
        collection.upkeep.compact()
        assert collection.upkeep.last_error is None
        assert shown(collection) == {} and collection.fitting.due() is None


def test_it_goes_on_after_a_restart(account: Account) -> None:
    account.put("v2", range(100))
    account.collection.versions.activate("", "v2")
    account.collection.close()
    again = open_collection(account.collection.folder)
    assert shown(again) == {("v2", "v1"): "fitting"}
    again.upkeep.compact()
    assert shown(again) == {("v2", "v1"): "fitted"}
    again.close()


def test_retired_and_shadow_versions_have_no_way_back(account: Account) -> None:
    account.put("v2", range(100))
    collection = account.collection
    assert collection.fitting.due() is None
    collection.versions.activate("", "v2")
    collection.versions.retire("", "v1")
    assert collection.fitting.due() is None and shown(collection) == {}
