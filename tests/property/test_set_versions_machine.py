"""Points with single vectors, sets, or both, as versions of one name: kills and reopens."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from palimpsest.index import FitRequest, InvalidPairs, SearchRequest, VersionedQuery
from palimpsest.index.errors import AdapterNotFound, VersionConflict
from tests.conftest import open_collection
from tests.property.living import Living
from tests.unit.versions.set_upgrade import SetUpgrade

N = 60
some = st.sets(st.integers(0, N - 1), min_size=1, max_size=30)
version = st.sampled_from(["v1", "v2"])


class SetVersionsMachine(Living):
    """``held`` says which points hold each version."""

    @initialize()
    def create(self) -> None:
        self.held: dict[str, set[int]] = {"v1": set(), "v2": set()}
        self.made = SetUpgrade(self.here, "v2", n=N)
        self.collection = self.made.collection

    @property
    def upgrade(self) -> SetUpgrade:
        """The texts, and the collection as it was opened last."""
        self.made.collection, self.made.folder = self.open, self.here
        return self.made

    @rule(version=version, points=some)
    def put(self, version: str, points: set[int]) -> None:
        self.upgrade.put(version, sorted(points))
        self.held[version] |= points

    @rule(version=version, points=some)
    def take_vectors(self, version: str, points: set[int]) -> None:
        there = sorted(points & (self.held["v1"] | self.held["v2"]))
        self.open.delete_vectors(there, [f"@{version}"]).result()
        self.held[version] -= points

    @rule(points=some)
    def delete(self, points: set[int]) -> None:
        self.open.delete(sorted(points)).result()
        for held in self.held.values():
            held -= points

    @rule(back=st.booleans())
    def fit(self, back: bool) -> None:
        ends = ("v2", "v1") if back else ("v1", "v2")
        try:
            self.open.versions.fit(FitRequest(*ends, kind="procrustes"))
        except InvalidPairs:
            assert len(self.held["v1"] & self.held["v2"]) < 2 * 16

    @rule(back=st.booleans())
    def drop_adapter(self, back: bool) -> None:
        ends = ("v2", "v1") if back else ("v1", "v2")
        try:
            self.open.versions.drop_adapter("", *ends)
        except AdapterNotFound:
            pass

    @rule(version=version, force=st.booleans())
    def activate(self, version: str, force: bool) -> None:
        try:
            self.open.versions.activate("", version, force=force)
        except VersionConflict:
            assert not force

    @rule()
    def seal(self) -> None:
        self.open.upkeep.seal()
        assert self.open.upkeep.last_error is None

    @rule()
    def reopen(self) -> None:
        self.open.close()
        self.collection = open_collection(self.here)

    @precondition(lambda self: self.collection is not None)
    @rule(version=version, place=st.integers(0, N - 1))
    def search(self, version: str, place: int) -> None:
        """Each point is found once that holds the version, or that an adapter leads to."""
        other = "v1" if version == "v2" else "v2"
        fitted = {(one.rows, one.queries) for one in self.open.versions.adapters()}
        found = self.upgrade.search(version, self.upgrade.asked(version, place), N)
        reached = set(self.held[version])
        if (other, version) in fitted:
            reached |= self.held[other]
        assert sorted(found.ids) == sorted(reached)
        assert np.isfinite(found.distances).all()
        assert (np.diff(found.distances) >= 0).all()
        if place in self.held[version]:
            assert place in found.ids[:10] or len(found.ids) > 10
        counts = {one.version: one.points for one in self.open.versions.states()}
        assert counts == {one: len(held) for one, held in self.held.items()}

    @precondition(lambda self: self.collection is not None)
    @rule(place=st.integers(0, N - 1))
    def search_by_both(self, place: int) -> None:
        query = VersionedQuery({one: self.upgrade.asked(one, place) for one in ("v1", "v2")})
        found = self.open.search(SearchRequest(query, k=N))
        assert sorted(found.ids) == sorted(self.held["v1"] | self.held["v2"])


SetVersionsMachine.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestSetVersions = SetVersionsMachine.TestCase
