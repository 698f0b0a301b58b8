"""The collection and its model side by side: upkeep, kills, and what must hold after every step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from palimpsest.index import (
    CollectionConfig,
    Distance,
    Filter,
    HasVector,
    MaintenanceConfig,
    SearchRequest,
    SearchResult,
    VectorConfig,
)
from palimpsest.index.errors import MissingAdapter
from palimpsest.index.types import Vector, Vectors
from tests.conftest import open_collection
from tests.oracle import distances, normalise
from tests.property.living import Living
from tests.property.versions_model import SIZES, Model

LATENT = 8
IDS = list(range(10))
MOST = 2_000
versions = st.sampled_from(sorted(SIZES))


class VersionsWorld(Living):
    """``model`` is what the collection must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()

    def begin(self, distance: Distance, encoding: Any, seed: int) -> None:
        """Create the collection, without background work."""
        self.distance, self.encoding = distance, encoding
        self.rng = np.random.default_rng(seed)
        self.planes = {
            version: self.rng.standard_normal((LATENT, size), dtype=np.float32)
            for version, size in SIZES.items()
        }
        config = CollectionConfig(
            {"": self.space("v1")},
            MaintenanceConfig(quiet_rows=1, quiet_seconds=0, tier_factor=2, dead_ratio=0.3),
        )
        self.collection = open_collection(self.here, config)

    def space(self, version: str) -> VectorConfig:
        return VectorConfig(SIZES[version], self.distance, self.encoding)

    def embedded(self, version: str, n: int) -> Vectors:
        latent = self.rng.standard_normal((n, LATENT), dtype=np.float32) + np.float32(0.1)
        vectors: Vectors = (latent @ self.planes[version]).astype(np.float32)
        return vectors

    def kept(self, vectors: Vectors) -> Vectors:
        if self.distance is not Distance.COSINE:
            return vectors
        return normalise(vectors).astype(np.float32)

    # Upkeep, kills and reopens change nothing.

    @rule()
    def seal(self) -> None:
        self.open.upkeep.seal()
        assert self.open.upkeep.last_error is None

    @rule()
    def compact(self) -> None:
        while self.open.upkeep.due.compact_delay() == 0:
            self.open.upkeep.compact()
            assert self.open.upkeep.last_error is None
        self._see_ways_back()

    def _see_ways_back(self) -> None:
        """Background work fits adapters from versions that were active to the active one."""
        states = self.model.states
        for rows, queries in self._fitted() - self.model.adapters:
            assert rows == self.model.active and states[queries] == "serving"
            assert queries not in self.model.mapped
            self.model.adapters.add((rows, queries))

    def _fitted(self) -> set[tuple[str, str]]:
        return {(o.rows, o.queries) for o in self.open.versions.adapters() if o.state == "fitted"}

    @rule()
    def reopen(self) -> None:
        before = self._search_all()
        self.open.close()
        self.collection = open_collection(self.here)
        assert self._search_all() == before

    def _search_all(self) -> list[Any]:
        answers: list[Any] = []
        for version in self.model.embedded:
            query = np.ones(SIZES[version], dtype=np.float32)
            found = self.open.search(SearchRequest(query, f"@{version}", k=20, exact=True))
            answers.append((_answer(found), found.stats.out_of_reach))
        return answers

    @invariant()
    def versions_are_listed(self) -> None:
        if self.collection is None:
            return
        listed = {one.version: one for one in self.open.versions.states()}
        assert {version: one.state for version, one in listed.items()} == self.model.states
        for version, one in listed.items():
            assert one.size == self.model.size(version)
            assert one.points == len(self.model.holding(version))
            mapped = self.model.mapped.get(version, (None, version))
            assert one.mapped_from == mapped[0]
        assert self.open.config.dense[""].size == SIZES[self.model.active]
        assert self._fitted() == self.model.adapters
        assert self.open.count() == len(self.model.points)

    @invariant()
    def points_hold_their_versions(self) -> None:
        if self.collection is None:
            return
        for version in self.model.states:
            having = Filter(must=(HasVector(f"@{version}"),))
            assert self.open.count(having) == len(self.model.holding(version))
        names = tuple(f"@{version}" for version in self.model.states)
        for record in self.open.retrieve(IDS, with_vectors=names):
            assert isinstance(record.id, int)
            point = self.model.points[record.id]
            assert record.payload == point.payload
            vectors = dict(record.vectors or {})
            assert vectors.keys() == {f"@{version}" for version in point.vectors}
            for version, vector in point.vectors.items():
                held = vectors[f"@{version}"]
                assert isinstance(held, np.ndarray)
                np.testing.assert_allclose(held, vector, rtol=1e-5, atol=1e-5)

    def _query(self, version: str) -> Vector:
        """Return a query of a version, or of the version that rows were mapped for."""
        query: Vector = self.embedded(self.model.mapped.get(version, ("", version))[1], 1)[0]
        return query

    @precondition(lambda self: self.collection is not None)
    @rule(k=st.integers(1, 40))
    def search_natively(self, k: int) -> None:
        """Each version by itself is exact; bare names mean the active one."""
        for version in self.model.states:
            query = self._query(version)
            request = SearchRequest(query, f"@{version}", k=k, exact=True, bridge="off")
            found = self.open.search(request)
            having = self.model.holding(version)
            assert len(found.ids) == len(set(found.ids)) == min(k, len(having))
            if having:
                rows = np.stack([self.model.points[one].vectors[version] for one in having])
                truth = distances(query[None, :], rows, self.distance)[0]
                own = dict(zip(having, truth.tolist(), strict=True))
                expected = np.sort(truth)[:k]
                np.testing.assert_allclose(found.distances, expected, rtol=1e-4, atol=1e-4)
                told = [own[one] for one in found.ids if isinstance(one, int)]
                np.testing.assert_allclose(found.distances, told, rtol=1e-4, atol=1e-4)
            virtual = self.open.showing(version).search(request._replace(vector_name=""))
            assert _answer(virtual) == _answer(found)
            if version == self.model.active:
                assert _answer(self.open.search(request._replace(vector_name=""))) == _answer(found)

    @invariant()
    def every_point_is_found_once(self) -> None:
        """Mixed lists hold all points that can be found, each once, in order."""
        if self.collection is None:
            return
        for version in self.model.embedded:
            query = self.embedded(version, 1)[0]
            request = SearchRequest(query, f"@{version}", k=MOST, exact=True)
            reachable = self.model.reachable(version)
            answer = self.open.search(request)
            left_out = sum(one.points for one in answer.stats.out_of_reach)
            assert left_out == len(self.model.out_of_reach(version))
            if left_out:
                with pytest.raises(MissingAdapter):
                    self.open.search(request._replace(bridge="require"))
            found = [one for one in answer.ids if isinstance(one, int)]
            assert len(found) == len(set(found))
            assert set(found) == reachable
            self._check_order(version, query, found)

    @precondition(lambda self: self.collection is not None)
    @rule(version=versions, k=st.integers(1, 30))
    def search_all_versions(self, version: str, k: int) -> None:
        if version not in self.model.states:
            return
        reachable = self.model.reachable(version)
        request = SearchRequest(self.embedded(version, 1)[0], f"@{version}", k=k)
        found = self.open.search(request)
        assert len(found.ids) == len(set(found.ids)) == min(k, len(reachable))
        assert set(found.ids) <= reachable
        assert (np.diff(found.distances) >= 0).all()

    def _check_order(self, version: str, query: Vector, found: list[int]) -> None:
        """Require points found in the same way to be in the order of exact scores."""
        unit = self.kept(query[None, :])[0]
        place = {one: i for i, one in enumerate(found)}
        taken = set(self.model.holding(version))
        self._require_ordered(
            place, {one: float(self.model.points[one].vectors[version] @ unit) for one in taken}
        )
        column = self.open.config.number(f"@{version}")
        for bridge in self.open.view.bridges_of(column):
            if bridge.fitted is None:
                continue
            rest = [one for one in self.model.holding(bridge.rows) if one not in taken]
            taken |= set(rest)
            if rest:
                rows = np.stack([self.model.points[one].vectors[bridge.rows] for one in rest])
                scores = bridge.fitted.adapter.map_rows(rows) @ unit
                if not bridge.fitted.in_metric:
                    mapped = bridge.fitted.adapter.map_query(unit).vector
                    scores = -distances(mapped[None, :], rows, self.distance)[0]
                    scores = scores * bridge.fitted.adapter.row_factors(rows)
                self._require_ordered(place, dict(zip(rest, scores.tolist(), strict=True)))

    def _require_ordered(self, place: dict[int, int], scores: dict[int, float]) -> None:
        told = [scores[one] for one in sorted(scores, key=place.__getitem__)]
        assert all(b <= a + 1e-4 * max(1.0, abs(a)) for a, b in zip(told, told[1:], strict=False))


def _answer(found: SearchResult) -> tuple[list[Any], bytes]:
    return list(found.ids), found.distances.tobytes()
