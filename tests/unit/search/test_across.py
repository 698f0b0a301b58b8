"""Which other versions a search goes over, and which points it cannot reach: each point once."""

from __future__ import annotations

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import Distance, MissingAdapter, VectorConfig
from palimpsest.index.search.across import Ways, across, out_of_reach
from tests.conftest import OpenCollection
from tests.unit.versions.mixed import SIZES, Account, config_of, texts_of

N = 60


@pytest.fixture
def account(collection_of: OpenCollection, rng: np.random.Generator) -> Account:
    """All points hold v1, every third v2 as well, and some v3 alone."""
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in SIZES}
    account = Account(collection_of(config_of(spaces["v1"])), texts_of(N, rng), spaces)
    account.declare("v2", "v3")
    account.put("v1", range(50))
    account.put("v2", range(0, 50, 3))
    account.put("v3", range(45, N))
    return account


def ways(account: Account, mode: str = "on", allowed: BitMap | None = None, **own: object) -> Ways:
    view = account.collection.view
    return across(view, view.config.number("@v2"), mode, allowed, **own)  # type: ignore[arg-type]


def reached(found: Ways) -> dict[str, int]:
    return {one.bridge.rows: one.live for one in found.bridges}


def test_without_a_way_points_are_counted_refused_or_not_asked_for(account: Account) -> None:
    missed = ways(account).missed
    assert sum(one.points for one in missed) == N - 17
    assert ways(account).bridges == []
    with pytest.raises(MissingAdapter):
        ways(account, "require")
    assert ways(account, "off") == ((), ())
    view = account.collection.view
    assert sum(one.points for one in out_of_reach(view, view.config.number("@v2"))) == N - 17


def test_a_point_is_found_over_one_bridge_alone(account: Account) -> None:
    account.fit("v1", "v2")
    account.fit("v3", "v2")
    found = ways(account)
    assert sum(reached(found).values()) == N - 17 and found.missed == []
    points = [one.points for one in found.bridges]
    assert not points[0] & points[1]
    assert ways(account, "require").missed == []
    assert ways(account) is found, "worked out once for a view"


def test_only_what_is_allowed_is_looked_for(account: Account) -> None:
    account.fit("v1", "v2")
    numbers = account.collection.reading().numbers_of([0, 1, 2, 55])
    allowed = BitMap([n for n in numbers if n is not None])
    found = ways(account, "on", allowed)
    assert reached(found) == {"v1": 2} and [one.points for one in found.missed] == [1]
    assert ways(account, "on", BitMap()) == ([], [])
    with pytest.raises(MissingAdapter):
        ways(account, "require", allowed)


def test_columns_with_queries_of_their_own_need_no_adapter(account: Account) -> None:
    config = account.collection.view.config
    found = ways(account, "off", own={config.number("@v1")})
    assert reached(found) == {"v1": 50 - 17} and found.missed == []
    assert found.bridges[0].merge.method is not None
    with pytest.raises(AssertionError):
        found.bridges[0].fitted  # noqa: B018


def test_deleted_points_are_in_nobodys_way(account: Account) -> None:
    account.fit("v1", "v2")
    account.delete(range(1, N))
    assert ways(account) == ([], [])
    assert np.all(account.collection.view.vectors[0].held == BitMap([0]))
