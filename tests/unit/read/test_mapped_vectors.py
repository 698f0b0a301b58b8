"""Vectors of points that hold other versions only: mapped where there is a way, named where not."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import Distance, MissingAdapter, VectorConfig
from palimpsest.index.read.mapped_vectors import mapped_vectors
from tests.conftest import OpenCollection
from tests.unit.versions.mixed import SIZES, Account, config_of, texts_of

N = 40


@pytest.fixture
def account(collection_of: OpenCollection, rng: np.random.Generator) -> Account:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
    account = Account(collection_of(config_of(spaces["v1"])), texts_of(N, rng), spaces)
    account.put("v1", range(N))
    account.declare("v2")
    account.put("v2", [0])
    return account


def mapped(account: Account, ids: list[int], mode: str = "on") -> dict[int, np.ndarray]:  # type: ignore[type-arg]
    collection = account.collection
    numbers = np.array(collection.reading().numbers_of(ids), dtype=np.uint32)
    column = collection.view.config.number("@v2")
    found = mapped_vectors(collection.view, column, numbers, collection._points, mode)  # type: ignore[arg-type]
    return {
        ids[place]: row for places, rows in found for place, row in zip(places, rows, strict=True)
    }


def test_points_are_mapped_from_the_version_they_hold(account: Account) -> None:
    account.fit("v1", "v2")
    found = mapped(account, [7, 3, 7])
    rows = np.stack([account.rows["v1"][one] for one in (7, 3)])
    expected = account.adapter("v1", "v2").adapter.map_rows(rows)
    np.testing.assert_allclose(np.stack([found[7], found[3]]), expected, atol=1e-6)
    assert np.linalg.norm(found[7]) == pytest.approx(1.0, abs=1e-5)


def test_nothing_is_mapped_when_nobody_asks(account: Account) -> None:
    account.fit("v1", "v2")
    assert mapped(account, []) == {} and mapped(account, [1], "off") == {}


def test_without_a_way_points_asked_for_one_by_one_are_refused(account: Account) -> None:
    with pytest.raises(MissingAdapter):
        mapped(account, [1])
    assert mapped(account, [0]) == {}, "it holds the version itself"
