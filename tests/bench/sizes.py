"""What a vector and a point weigh, in memory and on disk, by the engine's own counts.

Rows are drawn, for what they weigh does not depend on what they say: only payloads do, which are
taken as they come.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, get_args
from uuid import UUID

import numpy as np

from palimpsest.index import (
    CollectionConfig,
    Database,
    Distance,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    VectorConfig,
)
from palimpsest.index.config.vectors import MAX_SEAL_ROWS, Encoding
from palimpsest.index.upkeep.recover import STORE
from tests.bench.engine import NAME, wait_sealed
from tests.bench.reference import THREADS
from tests.bench.report import Result

ROWS = 10_000
DIMENSIONS = (384, 768, 1536)
PAYLOAD = 100  # bytes
SEGMENT = ("vectors", "codes", "graph")  # of what stands on disk
ON_DISK = "originals_mapped"  # read through the page cache: no memory of the server's own


class Weight(NamedTuple):
    """Bytes a vector, and a point without its vectors."""

    memory: float  # codes, graph and slots, which stay in memory
    segment: float  # codes, graph and original on disk
    point: float  # in the store: id, number, slot, payload


def measure() -> Iterator[Result]:
    """Weigh rows of every encoding in some dimensions, and points by their ids and payloads."""
    for dimension in DIMENSIONS:
        for encoding in get_args(Encoding):
            weight = weigh(VectorConfig(dimension, Distance.COSINE, encoding=encoding))
            yield _result(f"{dimension} x {encoding}, bytes a vector", weight)
    for what, uuids, payload in (
        ("numbers as ids, no payload", False, 0),
        ("UUIDs as ids, no payload", True, 0),
        (f"numbers as ids, payloads of {PAYLOAD} bytes", False, PAYLOAD),
    ):
        weight = weigh(VectorConfig(8, Distance.COSINE), uuids=uuids, payload=payload)
        told = f"store {weight.point:.0f}"
        yield Result(f"{what}, bytes a point", "", "", told)


def weigh(config: VectorConfig, *, uuids: bool = False, payload: int = 0) -> Weight:
    """Seal rows into one segment and say what each weighs."""
    rng = np.random.default_rng(0)
    sealing = MaintenanceConfig(seal_rows=MAX_SEAL_ROWS, quiet_rows=1, quiet_seconds=0.0)
    with tempfile.TemporaryDirectory() as folder:
        with Database.open(Path(folder), threads=THREADS) as database:
            collection = database.create(NAME, CollectionConfig({"": config}, sealing))
            values = rng.standard_normal((ROWS, config.size), dtype=np.float32)
            ids = [UUID(int=n << 64 | n) if uuids else n for n in range(ROWS)]
            text = json.dumps({"text": "x" * (payload - len('{"text": ""}'))}).encode()
            payloads = [text if payload else None] * ROWS
            batch = PointBatch(ids, {"": NamedVectors(np.arange(ROWS), values)}, payloads)
            collection.upsert(batch).result()
            wait_sealed(collection)
            held = collection.state().vectors[""].bytes_by_component
            disk = collection.sizes().disk
            segment = sum(disk[what] for what in SEGMENT)
        return Weight(
            memory=sum(n for what, n in held.items() if what != ON_DISK) / ROWS,
            segment=segment / ROWS,
            point=_used(next(Path(folder).rglob(STORE))) / ROWS,
        )


def _result(name: str, weight: Weight) -> Result:
    told = f"memory {weight.memory:.0f}, segment {weight.segment:.0f}"
    return Result(name, "", "", told)


def _used(store: Path) -> int:
    """Return the bytes of a store that hold something: its free pages will."""
    with closing(sqlite3.connect(store)) as opened:
        pages, free, size = (
            opened.execute(f"PRAGMA {what}").fetchone()[0]
            for what in ("page_count", "freelist_count", "page_size")
        )
    return int(pages - free) * int(size)
