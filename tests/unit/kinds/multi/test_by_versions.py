"""One query in versions of both kinds: each point by its own, in one list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    DimensionMismatch,
    Distance,
    InvalidVector,
    MissingAdapter,
    MultiVector,
    SearchRequest,
    SearchResult,
    VersionedQuery,
)
from tests.unit.kinds.multi.twin import similarity
from tests.unit.versions.set_upgrade import SetUpgrade

NATIVE, ALL = 100, 240


@pytest.fixture
def upgrade(tmp_path: Path) -> Iterator[SetUpgrade]:
    made = SetUpgrade(tmp_path / "collection", "v2", "v3", "v5")
    made.put("v1", range(ALL))
    made.put("v2", range(NATIVE))
    yield made
    made.collection.close()


def search(
    upgrade: SetUpgrade, *versions: str, place: int, k: int = 10, **how: Any
) -> SearchResult:
    vectors = {version: upgrade.asked(version, place) for version in versions}
    query = VersionedQuery(vectors, **how)
    return upgrade.collection.search(SearchRequest(query, k=k))


@pytest.mark.parametrize("fitted", [False, True])
def test_sets_and_single_vectors_are_found_each_by_its_query(
    upgrade: SetUpgrade, fitted: bool
) -> None:
    if fitted:
        upgrade.fit("v1", "v2", "ridge")
    for place in (10, 200):
        found = search(upgrade, "v1", "v2", place=place, k=ALL)
        assert sorted(found.ids) == list(range(ALL)) and place in found.ids[:3]
        for one, distance in zip(found.ids, found.distances.tolist(), strict=True):
            if one < NATIVE:  # the score of a set is MaxSim, wherever it stands
                exact = similarity(
                    upgrade.made["v2"][place], upgrade.made["v2"][one], Distance.COSINE
                )
                assert -distance == pytest.approx(exact, abs=5e-3)


def test_sets_of_an_older_model_are_found_by_its_own_query(upgrade: SetUpgrade) -> None:
    upgrade.put("v5", range(50))
    for place in (20, 70, 230):  # holds all three; v1 and v2; v1 alone
        found = search(upgrade, "v1", "v2", "v5", place=place, k=ALL)
        assert sorted(found.ids) == list(range(ALL)) and place in found.ids[:5]
    upgrade.put("v3", range(NATIVE, ALL))
    found = search(upgrade, "v2", "v3", place=150, k=ALL)
    assert 150 in found.ids[:3] and sorted(found.ids) == list(range(ALL))


def test_candidates_are_ranked_by_sets_that_are_held_or_given(upgrade: SetUpgrade) -> None:
    supplied = {200: upgrade.asked("v2", 200), 201: upgrade.asked("v2", 201)}
    found = search(
        *(upgrade, "v1", "v2"),
        place=200,
        rescore_version="v2",
        supplied=supplied,
        rescore_limit=ALL,
        k=ALL,
    )
    assert found.ids[0] == 200
    exact = similarity(upgrade.made["v2"][200], upgrade.made["v2"][200], Distance.COSINE)
    assert -found.distances[0] == pytest.approx(exact, abs=5e-3)
    back = search(upgrade, "v1", "v2", place=200, rescore_version="v1", k=5)
    assert back.ids[0] == 200 and -back.distances[0] == pytest.approx(1.0, abs=5e-3)


def test_what_is_given_for_the_wrong_kind_is_named(upgrade: SetUpgrade) -> None:
    def ask(**vectors: Any) -> None:
        upgrade.collection.search(SearchRequest(VersionedQuery(vectors)))

    single, sets = upgrade.asked("v1", 1), upgrade.asked("v2", 1)
    with pytest.raises(InvalidVector, match=r"query.versions.v1: expected one vector.*got a set"):
        ask(v1=sets, v2=sets)
    with pytest.raises(DimensionMismatch, match=r"query.versions.v2"):
        ask(v1=single, v2=MultiVector(np.ones((2, 3), np.float32)))
    with pytest.raises(InvalidVector, match=r"query.versions.v2"):
        ask(v1=single, v2=MultiVector(np.empty((0, 12), np.float32)))
    ask(v1=single, v2=sets.values[0])  # one vector is a set of one
    query = VersionedQuery({"v2": sets})
    with pytest.raises(MissingAdapter):
        upgrade.collection.search(SearchRequest(query, bridge="require"))
