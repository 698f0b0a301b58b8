"""A database with a collection of two segments, rows that wait, deletions and a payload index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    CollectionConfig,
    Database,
    Distance,
    FieldIndex,
    MaintenanceConfig,
    SnapshotInfo,
    VectorConfig,
)
from tests.points import batch_of

NAME, SIZE = "é.x", 4


@dataclass(frozen=True)
class Shot:
    """A snapshot of the collection, as its file is."""

    info: SnapshotInfo
    path: Path

    @property
    def text(self) -> bytes:
        return self.path.read_bytes()


def fill(database: Database, name: str = NAME, seed: int = 5) -> None:
    upkeep = MaintenanceConfig(quiet_rows=1, quiet_seconds=1e6, tier_factor=64)
    config = CollectionConfig({"": VectorConfig(SIZE, Distance.DOT, "8")}, upkeep)
    collection = database.create(name, config)
    collection.create_index("n", FieldIndex.from_declared("integer")).result()
    rng = np.random.default_rng(seed)
    for start in (0, 100, 200):
        ids = list(range(start, start + 100))
        rows = rng.standard_normal((100, SIZE)).astype(np.float32)
        payloads = [b'{"n":%d}' % (one % 7) for one in ids]
        collection.upsert(batch_of(ids, rows, payloads)).result()
        if start < 200:
            collection.upkeep.seal()
    collection.delete([3, 150, 250]).result()
    collection.fields.save()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database that tests of one module share, and do not change."""
    with Database.open(tmp_path_factory.mktemp("data"), threads=1, release="9") as database:
        fill(database)
        yield database


@pytest.fixture(scope="module")
def shot(data: Database) -> Shot:
    info = data.snapshots.create(NAME)
    return Shot(info, data.snapshots.shelf.find(NAME, info.name))
