"""A collection whose vectors come in several versions does what a dict of vectors by version does.

Versions are declared, filled, bridged by adapters, consolidated, activated, rolled back, retired
and dropped in any order, through seals, kills and reopens. Searches of one version are exact; a
mixed list holds each point once, in the order of exact scores within each version. What is expected
stands in ``versions_model``, and is checked in ``versions_world``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from palimpsest.index import Distance, FitRequest, NamedVectors, PointBatch, VectorConfig
from palimpsest.index.adapters.kinds import Kind
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.errors import (
    AdapterNotFound,
    InvalidInput,
    PointNotFound,
    UnknownVectorName,
    VersionConflict,
    VersionNotFound,
)
from palimpsest.index.versions.lifecycle import ends_of
from tests.property.versions_model import SIZES, mapped_name
from tests.property.versions_world import IDS, LATENT, VersionsWorld, versions

BULK = 1_100  # enough for a segment to have a graph
PAYLOADS = (
    None,
    *(text.encode() for text in ('{"цвет":1}', '{"цвет":2}', '{"é":1}', '{"e\u0301":1}', '{"":1}')),
)
KINDS: tuple[Kind, ...] = ("ridge", "procrustes")

some_ids = st.lists(st.sampled_from(IDS), min_size=1, max_size=5, unique=True)


class VersionsMachine(VersionsWorld):
    """Everything a caller may do."""

    @initialize(
        distance=st.sampled_from([Distance.COSINE, Distance.DOT]),
        encoding=st.sampled_from(["float32", "4", "1"]),
        seed=st.integers(0, 2**32 - 1),
        begun=st.booleans(),
        consolidated=st.booleans(),
    )
    def create(
        self, distance: Distance, encoding: Any, seed: int, begun: bool, consolidated: bool
    ) -> None:
        """Create a collection; with an upgrade ``begun``, which takes many steps by chance."""
        self.begin(distance, encoding, seed)
        if begun:
            self.declare("v2")
            self.declare("v3")
            for rows in SIZES:
                self.fit(rows, "v2", "ridge")
            self.upsert(IDS, "v1", b'{"n":1}', False)
            self.migrate(IDS[:4], "v2")
            self.migrate(IDS[3:7], "v3")
            if consolidated:
                self.consolidate("v1", "v2")

    # Points.

    @rule(ids=some_ids, version=versions, payload=st.sampled_from(PAYLOADS), virtual=st.booleans())
    def upsert(self, ids: list[int], version: str, payload: bytes | None, virtual: bool) -> None:
        values = self.embedded(version, len(ids))
        name = "" if virtual else f"@{version}"
        batch = PointBatch(
            ids, {name: NamedVectors(np.arange(len(ids)), values)}, [payload] * len(ids)
        )
        if version not in self.model.states:
            if not virtual:
                with pytest.raises(UnknownVectorName):
                    self.open.upsert(batch)
            return
        collection = self.open.showing(version) if virtual else self.open
        collection.upsert(batch).result()
        for one, vector in zip(ids, self.kept(values), strict=True):
            self.model.upsert(one, payload, version, vector)

    @rule(start=st.integers(0, 500))
    def upsert_many(self, start: int) -> None:
        self.upsert([*range(start, start + BULK)], self.model.active, b'{"n":1}', False)

    @rule(ids=some_ids, version=versions)
    def migrate(self, ids: list[int], version: str) -> None:
        """Points that are missing are named by an error, and the others are written."""
        if version not in self.model.states:
            return
        values = self.embedded(version, len(ids))
        named = {f"@{version}": NamedVectors(np.arange(len(ids)), values)}
        future = self.open.update_vectors(PointBatch(ids, named, [None] * len(ids)))
        if set(ids) <= self.model.points.keys():
            future.result()
        else:
            with pytest.raises(PointNotFound):
                future.result()
        for one, vector in zip(ids, self.kept(values), strict=True):
            if one in self.model.points:
                self.model.put(one, version, vector)

    @rule(version=versions, step=st.integers(2, 3))
    def migrate_many(self, version: str, step: int) -> None:
        if ids := [one for one in self.model.points if one % step == 0]:
            self.migrate(ids, version)

    @rule(step=st.integers(1, 3), rest=st.integers(0, 2))
    def delete(self, step: int, rest: int) -> None:
        ids = [one for one in self.model.points if one % step == rest]
        self.open.delete(ids).result()
        for one in ids:
            del self.model.points[one]

    @rule(version=st.one_of(versions, st.none()))
    def delete_vectors(self, version: str | None) -> None:
        """The bare name stands for all versions here, so that none comes back by itself."""
        if version is not None and version not in self.model.states:
            return
        ids = [one for one in self.model.points if one % 4 == 0]
        self.open.delete_vectors(ids, ["" if version is None else f"@{version}"]).result()
        for one in ids:
            for name in self.model.embedded if version is None else [version]:
                self.model.take(one, name)
            if version is None:
                self.model.points[one].vectors.clear()

    # Versions.

    @rule(version=versions)
    def declare(self, version: str) -> None:
        new = version not in self.model.states
        space = self.space(version)
        assert self.open.versions.declare("", version, space, model=None, declared={}) == new
        self.model.states.setdefault(version, "shadow")

    @rule(version=versions)
    def declare_differently(self, version: str) -> None:
        if version in self.model.states:
            other = VectorConfig(SIZES[version] + 1, self.distance, self.encoding)
            with pytest.raises(VersionConflict):
                self.open.versions.declare("", version, other, model=None, declared={})

    @rule(rows=versions, queries=versions, kind=st.sampled_from(KINDS))
    def fit(self, rows: str, queries: str, kind: Kind) -> None:
        if rows == queries or not {rows, queries} <= self.model.states.keys():
            return
        latent = self.rng.standard_normal((60, LATENT), dtype=np.float32)
        pairs = Pairs(
            self.kept(latent @ self.planes[rows]), self.kept(latent @ self.planes[queries])
        )
        self.open.versions.fit(FitRequest(rows, queries, kind=kind, pairs=pairs))
        self.model.adapters.add((rows, queries))

    @precondition(lambda self: self.model.adapters)
    @rule(drawn=st.data())
    def drop_adapter(self, drawn: st.DataObject) -> None:
        ends = drawn.draw(st.sampled_from(sorted(self.model.adapters)))
        self.open.versions.drop_adapter("", *ends)
        self.model.adapters.remove(ends)

    @rule(rows=versions, queries=versions)
    def consolidate(self, rows: str, queries: str) -> None:
        """Just the points that hold only the old version are mapped, by the adapter."""
        if (rows, queries) not in self.model.adapters:
            known = {rows, queries} <= self.model.states.keys()
            with pytest.raises(AdapterNotFound if known else VersionNotFound):
                self.open.versions.consolidate("", rows, queries)
            return
        adapter = self.open.writer.fitted[ends_of(self.open.config, "", rows, queries)].adapter
        ids = self.model.only_in(rows, queries)
        assert self.open.versions.consolidate("", rows, queries) == len(ids)
        old = [self.model.points[one].vectors[rows] for one in ids]
        mapped = [*adapter.map_rows(np.stack(old))] if old else []
        self.model.consolidate(rows, queries, dict(zip(ids, mapped, strict=True)))
        name = mapped_name(rows, queries)
        named = {f"@{name}": NamedVectors(np.arange(1), self.embedded(queries, 1))}
        with pytest.raises(InvalidInput):
            self.open.upsert(PointBatch([0], named, [None]))

    @rule(rows=versions, queries=versions, kind=st.sampled_from(KINDS))
    def fit_and_consolidate(self, rows: str, queries: str, kind: Kind) -> None:
        self.declare(rows)
        self.declare(queries)
        if rows != queries:
            self.fit(rows, queries, kind)
            self.consolidate(rows, queries)

    @rule(drawn=st.data(), force=st.booleans())
    def activate(self, drawn: st.DataObject, force: bool) -> None:
        version = drawn.draw(st.sampled_from(sorted(self.model.states)))
        if version in self.model.mapped:
            with pytest.raises(VersionConflict):
                self.open.versions.activate("", version, force=True)
        elif force:
            self.open.versions.activate("", version, force=True)
            self.model.activate(version)
        elif version != self.model.active:
            self._activate_carefully(version)

    def _activate_carefully(self, version: str) -> None:
        if self.model.lost_by(version):
            with pytest.raises(VersionConflict):
                self.open.versions.activate("", version)
        elif self.model.found_in(self.model.states) <= {*self.model.holding(version)}:
            self.open.versions.activate("", version)
            self.model.activate(version)

    @rule(drawn=st.data(), drop=st.booleans(), force=st.booleans())
    def retire_or_drop(self, drawn: st.DataObject, drop: bool, force: bool) -> None:
        version = drawn.draw(st.sampled_from(sorted(self.model.states)))
        call = self.open.versions.drop if drop else self.open.versions.retire
        if self.model.is_refused(version, force):
            with pytest.raises(VersionConflict):
                call("", version, force=force)
            return
        call("", version, force=force)
        if drop:
            self.model.drop(version)
        else:
            self.model.states[version] = "retired"


VersionsMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestVersions = VersionsMachine.TestCase
