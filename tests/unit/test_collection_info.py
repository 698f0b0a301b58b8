"""Numbers about a view: rows by phase, versions by coverage, bytes of what is there."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    FieldIndex,
    MaintenanceConfig,
    MultiConfig,
    PointBatch,
    VectorConfig,
)
from palimpsest.index.collection_info import store_bytes, vector_state, version_states
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of
from tests.unit.kinds.multi.corpus import SIZE as WIDTH
from tests.unit.kinds.multi.corpus import texts
from tests.unit.kinds.multi.twin import batch_of as sets_of
from tests.unit.versions.mixed import SIZES, Account, texts_of
from tests.unit.versions.mixed import config_of as config_of_versions

N = 1_200


@pytest.fixture
def collection(collection_of: OpenCollection, rng: np.random.Generator) -> Collection:
    made = collection_of(config_of(8, Distance.EUCLID))
    rows = rng.standard_normal((N, 8)).astype(np.float32)
    made.upsert(batch_of(list(range(N)), rows, ['{"ж": 1}'.encode()] * N)).result()
    return made


def test_rows_are_counted_by_where_they_are(collection: Collection) -> None:
    state = vector_state(collection.view.vectors[0])
    assert (state.points, state.growing, state.indexed, state.segments) == (N, N, 0, 0)
    collection.upkeep.seal()
    collection.delete([0, 1]).result()
    collection.upsert(batch_of([N, N + 1, N + 2], np.zeros((3, 8), np.float32))).result()
    state = vector_state(collection.view.vectors[0])
    assert (state.points, state.growing, state.indexed) == (N + 1, 3, N - 2)
    assert (state.scanned, state.dead, state.segments, state.outdated) == (0, 2, 1, 0)
    assert state.bytes_by_component["codes"] > 0 and state.recall is not None


def test_a_state_and_sizes_of_the_whole(collection: Collection) -> None:
    collection.create_index("ж", FieldIndex.from_declared("integer")).result()
    info, sizes = collection.state(), collection.sizes()
    assert (info.points, info.fields["ж"].points, info.last_error) == (N, N, None)
    assert info.store_bytes == store_bytes(collection.folder) <= sum(sizes.disk.values())
    assert sizes.fields["ж"] > 0 and info.pending >= 0
    assert store_bytes(collection.folder / "segments") == 0


def test_versions_are_told_by_the_share_of_points_that_hold_them(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
    account = Account(collection_of(config_of_versions(spaces["v1"])), texts_of(40, rng), spaces)
    assert [one.coverage for one in version_states(account.collection.view)] == [1.0]
    account.put("v1", range(30))
    account.declare("v2")
    account.put("v2", range(20, 40))
    account.fit("v1", "v2")
    first, second = version_states(account.collection.view)
    assert (first.version, first.points, first.coverage) == ("v1", 30, 0.75)
    assert (second.version, second.points, second.coverage) == ("v2", 20, 0.5)
    assert (first.state, second.state, second.size) == ("active", "shadow", SIZES["v2"])
    assert first.bytes_per_vector > 0
    assert "factors" in account.collection.state().vectors[""].bytes_by_component


def test_mapped_files_of_sets_are_no_memory(collection_of: OpenCollection) -> None:
    sets = texts(40)
    spaces, upkeep = {"": MultiConfig(WIDTH, Distance.COSINE)}, MaintenanceConfig(quiet_rows=1)
    collection = collection_of(CollectionConfig(spaces, upkeep))
    batch = PointBatch([*sets], {"": sets_of([*sets.values()], WIDTH)}, [None] * 40)
    collection.upsert(batch).result()
    collection.upkeep.seal()
    sizes = collection.state().vectors[""].bytes_by_component
    assert sizes["tokens_mapped"] > 0 and sizes["originals_mapped"] > 0
    (version,) = version_states(collection.view)
    mapped = sizes["tokens_mapped"] + sizes["originals_mapped"]
    assert version.bytes_per_vector == (sum(sizes.values()) - mapped) / 40
