"""What a collection takes on disk: all of it told, little beside its data, and given back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    FieldIndex,
    MaintenanceConfig,
    MultiConfig,
    PointBatch,
)
from palimpsest.index.collection_disk import COMPONENTS, component_of
from palimpsest.index.kinds.multi.probe import FEWEST_SETS
from palimpsest.index.storage.checkpoints import Checkpoints
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of
from tests.unit.kinds.multi.twin import batch_of as sets_of

N, SIZE = 20_000, 128
APART = {"graph", "ids", "indexes", "wal"}
PATIENCE = 120.0  # seconds


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path, threads=2) as opened:
        yield opened


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until, "the disk was not given back"
        time.sleep(0.1)


def is_idle(collection: Collection) -> bool:
    return not collection.state().pending and collection.disk()["wal"] == 0


def held(collection: Collection, share: float = 1.0) -> float:
    """Return bytes of vectors, codes and payloads as they are without anything beside them."""
    payloads = collection.payload_bytes()
    return N * share * (SIZE * 4 + SIZE // 2) + payloads


def beside(collection: Collection) -> int:
    return sum(n for what, n in collection.disk().items() if what not in APART)


def test_a_sealed_collection_takes_little_beside_its_data_and_gives_it_back(
    database: Database, rng: np.random.Generator
) -> None:
    collection = database.create("c", config_of(SIZE, seal_rows=N, encoding="4"))
    payloads = [json.dumps({"n": i, "text": "ж" * 30}).encode() for i in range(N)]
    for start in range(0, N, 5_000):
        stretch = slice(start, start + 5_000)
        rows = rng.standard_normal((5_000, SIZE)).astype(np.float32)
        collection.upsert(batch_of([*range(N)][stretch], rows, [*payloads[stretch]])).result()
    wait_until(lambda: is_idle(collection))
    assert collection.state().last_error is None
    assert beside(collection) <= 1.25 * held(collection)
    assert sum(collection.disk().values()) == pytest.approx(on_disk(collection.folder), rel=0.01)

    collection.delete(rng.permutation(N)[: N * 9 // 10].tolist()).result()
    wait_until(lambda: is_idle(collection))
    assert collection.state().last_error is None
    # What is left is so little that pages which stay free, of which there may be 1 MB, count.
    assert beside(collection) <= 1.25 * held(collection, 0.1) + (1 << 20)
    assert on_disk(collection.folder) <= 1.25 * held(collection, 0.1) + (2 << 20)
    assert collection.view.points == N // 10


def on_disk(folder: Path) -> int:
    files = [Path(parent) / name for parent, _, names in os.walk(folder) for name in names]
    return sum(file.stat().st_size for file in files)


def test_every_component_is_told(collection_of: OpenCollection, rng: np.random.Generator) -> None:
    collection = collection_of(config_of(8))
    assert set(collection.disk()) == set(COMPONENTS)
    rows = rng.standard_normal((1_500, 8)).astype(np.float32)
    collection.upsert(batch_of([*range(1_500)], rows, [b'{"a": 1}'] * 1_500)).result()
    assert (logged := collection.disk())["wal"] > 0 == logged["vectors"] == logged["growing"]
    Checkpoints(collection.writer.store.path).trim()
    collection.writer.call(collection.writer.store.measure).result()
    growing = collection.disk()
    assert growing["growing"] > 0 == growing["wal"] == growing["vectors"]
    collection.create_index("a", FieldIndex.from_declared("integer")).result()
    collection.upkeep.seal()
    sealed = collection.disk()
    assert sealed["growing"] == 0 < sealed["vectors"]
    assert all(sealed[what] > 0 for what in ("codes", "graph", "ids", "payloads", "free"))


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("kept.npy", "vectors"),
        ("values.npy", "vectors"),
        ("codes.npy", "codes"),
        ("encoder_signs.npy", "codes"),
        ("tokens.npy", "codes"),
        ("rows_codes.npy", "codes"),
        ("lists_centroids.npy", "codes"),
        ("lists_signs.npy", "codes"),
        ("graph_links.npy", "graph"),
        ("lists_rows.npy", "graph"),
        ("lists_starts.npy", "graph"),
        ("rows_graph_links.npy", "graph"),
        ("postings_rows.npy", "graph"),
        ("by_slot.npy", "ids"),
        ("starts.npy", "ids"),
        ("given_starts.npy", "ids"),
    ],
)
def test_files_of_segments_are_for_one_thing(name: str, component: str) -> None:
    assert component_of(name) == component


def test_of_sets_that_are_kept_as_codes_nothing_is_told_as_vectors(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    kept = MultiConfig(8, Distance.COSINE, originals="none", pool=2)
    upkeep = MaintenanceConfig(quiet_rows=1, quiet_seconds=0)
    collection = collection_of(CollectionConfig({"": kept}, upkeep))
    n = FEWEST_SETS + 44
    sets = rng.standard_normal((n, 4, 8)).astype(np.float32)
    batch = PointBatch(list(range(n)), {"": sets_of([*sets], 8)}, [None] * n)
    collection.upsert(batch).result()
    collection.upkeep.seal()
    assert collection.upkeep.last_error is None
    disk = collection.disk()
    assert disk["growing"] == disk["vectors"] == 0 < disk["codes"]
