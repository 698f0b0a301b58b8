"""One pass over a collection, in a process of its own: CPU seconds of writes, reads and opening.

Run as ``python rows_once.py <texts> <points>`` it needs nothing but ``index``, so that the same
file measures other checkouts by their interpreters. With ``--unsummed`` no checksum of a row is
calculated or compared; what is stored for them stays.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    VectorConfig,
)
from palimpsest.index.config.vectors import MAX_SEAL_ROWS

_BATCH = 500
_PAGE = 1_000
_NEVER_SEALED = MaintenanceConfig(seal_rows=MAX_SEAL_ROWS, quiet_rows=MAX_SEAL_ROWS)


def main(texts: str, points: str, *flags: str) -> None:
    """Print the CPU seconds of each step as JSON."""
    if "--unsummed" in flags:
        _sum_nothing()
    batches = _batches(Path(texts), int(points))
    seconds: dict[str, float] = {}

    def timed(step: str, run: Callable[[], object]) -> None:
        begun = time.process_time()
        run()
        seconds[step] = time.process_time() - begun

    with tempfile.TemporaryDirectory() as folder:
        with Database.open(Path(folder), threads=1) as database:
            config = CollectionConfig({"": VectorConfig(384, Distance.COSINE)}, _NEVER_SEALED)
            collection = database.create("rows", config)
            timed("ingest", lambda: _write(collection, batches))
            timed("overwrite", lambda: _write(collection, batches))
            timed("scroll", lambda: _read_all(collection, int(points)))
        again: list[Database] = []
        timed("open", lambda: again.append(Database.open(Path(folder), threads=1)))
        timed("first scroll", lambda: _read_all(again[0].get("rows"), int(points)))
        again[0].close()
    print(json.dumps(seconds))


def _sum_nothing() -> None:
    from palimpsest.index.storage.sums import Check

    def bad(check: Check, rows: list[object], *args: object, may_lack: bool = False) -> list[int]:
        return []

    def sums(check: Check, rows: list[object]) -> list[int]:
        return [0x5A5A5A5A] * len(rows)

    def sums_of(check: Check, *columns: list[object]) -> list[int]:
        return sums(check, columns[0])

    Check.sums = sums  # type: ignore[assignment, method-assign]
    Check.sums_of = sums_of  # type: ignore[assignment, method-assign]
    Check.bad = bad  # type: ignore[assignment, method-assign]


def _batches(texts: Path, points: int) -> list[PointBatch]:
    with gzip.open(texts / "corpus.jsonl.gz", "rb") as file:
        lines = [line.strip() for line in file][:points]
    vectors = np.load(texts / "v2_base_f16.npy").astype(np.float32)[:points]
    return [
        PointBatch(
            range(start, start + len(lines[start : start + _BATCH])),
            {"": _named(vectors[start : start + _BATCH])},
            lines[start : start + _BATCH],
        )
        for start in range(0, points, _BATCH)
    ]


def _named(vectors: NDArray[np.float32]) -> NamedVectors:
    return NamedVectors(np.arange(len(vectors)), vectors)


def _write(collection: Collection, batches: Sequence[PointBatch]) -> None:
    for batch in batches:
        collection.upsert(batch).result()


def _read_all(collection: Collection, points: int) -> None:
    start, count = None, 0
    while True:
        records, start = collection.scroll(start, _PAGE)
        count += len(records)
        if start is None:
            break
    if count != points:
        raise RuntimeError(f"{count} of {points} points came")


if __name__ == "__main__":
    main(*sys.argv[1:])
