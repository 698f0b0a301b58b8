"""Sets of vectors are what a dict with exact MaxSim holds, through seals, kills and reopens."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from palimpsest.index import (
    CollectionConfig,
    Distance,
    FdeConfig,
    Filter,
    HasId,
    MaintenanceConfig,
    MultiConfig,
    MultiVector,
    PointBatch,
    SearchRequest,
)
from tests.conftest import open_collection
from tests.property.living import Living
from tests.unit.kinds.multi.twin import Set, batch_of, distance_of, unit

SIZE = 4
IDS = [*range(8), 2**64 - 1]
BULK = 300  # enough for a segment to have rows that candidates are found by
FDE = FdeConfig(k_sim=2, projected=4, repetitions=6)


class SetsMachine(Living):
    """``self.model`` holds what the collection must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[int, Set] = {}

    @initialize(
        distance=st.sampled_from(Distance),
        encoding=st.sampled_from(["8", "4", "1"]),
        pool=st.sampled_from([1, 2]),
        seed=st.integers(0, 2**32 - 1),
    )
    def create(self, distance: Distance, encoding: Any, pool: int, seed: int) -> None:
        self.distance = distance
        self.rng = np.random.default_rng(seed)
        config = CollectionConfig(
            {"": MultiConfig(SIZE, distance, pool=pool, fde=FDE, encoding=encoding)},
            MaintenanceConfig(quiet_rows=1, quiet_seconds=0, tier_factor=2, dead_ratio=0.3),
        )
        self.collection = open_collection(self.here, config)

    def _sets(self, n: int) -> list[Set]:
        counts = self.rng.integers(1, 6, n)
        return [self.rng.standard_normal((t, SIZE), dtype=np.float32) for t in counts]

    def _write(self, ids: list[int]) -> None:
        sets = self._sets(len(ids))
        self.open.upsert(PointBatch(ids, {"": batch_of(sets, SIZE)}, [None] * len(ids))).result()
        self.model |= dict(zip(ids, sets, strict=True))

    # Writes.

    @rule(ids=st.lists(st.sampled_from(IDS), min_size=1, max_size=5))
    def upsert(self, ids: list[int]) -> None:
        self._write(ids)

    @rule(start=st.integers(0, 600))
    def upsert_many(self, start: int) -> None:
        self._write(list(range(start, start + BULK)))

    @rule(ids=st.lists(st.sampled_from(IDS), max_size=4), step=st.integers(2, 9))
    def delete(self, ids: list[int], step: int) -> None:
        gone = [*ids, *(one for one in self.model if one % step == 0)]
        self.open.delete(gone).result()
        self.model = {one: held for one, held in self.model.items() if one not in gone}

    @rule(ids=st.lists(st.sampled_from(IDS), min_size=1, max_size=4))
    def delete_vectors(self, ids: list[int]) -> None:
        self.open.delete_vectors([one for one in ids if one in self.model], [""]).result()
        self.open.delete([one for one in ids if one in self.model]).result()
        self.model = {one: held for one, held in self.model.items() if one not in ids}

    # Upkeep, kills and reopens change nothing.

    @rule()
    def seal(self) -> None:
        self.open.upkeep.seal()
        assert self.open.upkeep.last_error is None
        assert all(part.live == 0 for part in self.open.view.vectors[0].growing)

    @rule()
    def compact(self) -> None:
        while self.open.upkeep.due.compact_delay() is not None:
            self.open.upkeep.compact()
            assert self.open.upkeep.last_error is None

    @rule()
    def reopen(self) -> None:
        before = self._searched()
        self.open.close()
        self.collection = open_collection(self.here)
        assert self._searched() == before

    def _searched(self) -> list[tuple[list[object], list[float]]]:
        query = MultiVector(np.eye(3, SIZE, dtype=np.float32))
        found = [
            self.open.search(SearchRequest(query, k=20, exact=exact)) for exact in (True, False)
        ]
        return [(list(one.ids), one.distances.tolist()) for one in found]

    # What must hold at all times.

    @invariant()
    def counts_agree(self) -> None:
        if self.collection is not None:
            assert self.open.count() == self.open.state().vectors[""].points == len(self.model)

    @precondition(lambda self: self.collection is not None)
    @rule(ids=st.lists(st.sampled_from([*IDS, 250, 400]), max_size=8))
    def retrieve(self, ids: list[int]) -> None:
        for record in self.open.retrieve(ids, with_vectors=True):
            held = (record.vectors or {})[""]
            assert isinstance(held, MultiVector)
            expected = self.model[record.id]  # type: ignore[index]
            if self.distance is Distance.COSINE:
                expected = unit(expected.astype(np.float64)).astype(np.float32)
            np.testing.assert_allclose(held.values, expected, rtol=2e-6, atol=1e-7)

    @precondition(lambda self: self.collection is not None)
    @rule(k=st.integers(1, 30), offset=st.integers(0, 5), step=st.integers(1, 4))
    def search(self, k: int, offset: int, step: int) -> None:
        """Exact searches find the closest; others as many, with true distances of each."""
        (query,) = self._sets(1)
        some = [one for one in self.model if one % step == 0]
        by_ids = None if step == 1 else Filter(must=(HasId(tuple(some)),))
        truth = {one: distance_of(query, self.model[one], self.distance) for one in some}
        for exact in (True, False):
            found = self.open.search(
                SearchRequest(MultiVector(query), k=k, offset=offset, exact=exact, filter=by_ids)
            )
            assert len(found.ids) == len({*found.ids}) == max(0, min(k, len(some) - offset))
            own = [truth[one] for one in found.ids]  # type: ignore[index]
            np.testing.assert_allclose(found.distances, own, rtol=1e-4, atol=1e-4)
            if exact:
                expected = sorted(truth.values())[offset : offset + k]
                np.testing.assert_allclose(found.distances, expected, rtol=1e-4, atol=1e-4)


SetsMachine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestSets = SetsMachine.TestCase
