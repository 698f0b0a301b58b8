"""Data directories for the doctor to look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    FieldIndex,
    MaintenanceConfig,
    NamedSparse,
    NamedVectors,
    PointBatch,
    Report,
    SparseConfig,
    SparseRows,
    VectorConfig,
    check_directory,
)

SIZE = 8
CONFIG = CollectionConfig(
    {"": VectorConfig(SIZE, Distance.EUCLID), "words": SparseConfig()},
    # nothing is sealed or compacted but when a test says so
    maintenance=MaintenanceConfig(seal_rows=65_536, quiet_rows=1_000, quiet_seconds=3_600.0),
)


def batch(ids: range, seed: int = 0) -> PointBatch:
    """Points that hold both vectors, and a payload."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((len(ids), SIZE)).astype(np.float32)
    indices = np.array([[n % 7, 9] for n in ids], dtype=np.uint32).ravel()
    indptr = np.arange(0, 2 * len(ids) + 1, 2, dtype=np.int64)
    words = SparseRows(indptr, indices, np.ones(2 * len(ids), dtype=np.float32))
    places = np.arange(len(ids))
    named: dict[str, Any] = {
        "": NamedVectors(places, vectors),
        "words": NamedSparse(places, words),
    }
    return PointBatch(list(ids), named, [b'{"n":%d}' % n for n in ids])


def make(data: Path, name: str = "c", *, sealed: int = 1_500, staged: int = 20) -> Path:
    """Make a collection of some sealed and some staged rows; return its folder."""
    with Database.open(data, threads=1) as database:
        database.create(name, CONFIG)
    with opened(data / "collections" / name) as collection:
        collection.create_index("n", FieldIndex.from_declared("integer")).result()
        if sealed:
            collection.upsert(batch(range(sealed))).result()
            collection.upkeep.seal()
            collection.upkeep.compact()
        if staged:
            collection.upsert(batch(range(sealed, sealed + staged), 1)).result()
            collection.delete([0, sealed]).result()
    return data / "collections" / name


def copied(data: Path, name: str = "c", *, sealed: int = 1_500, staged: int = 20) -> Path:
    """Return what ``make`` does, made once and copied."""
    shutil.copytree(_made(name, sealed, staged), data)
    return data / "collections" / name


@cache
def _made(name: str, sealed: int, staged: int) -> Path:
    _KEPT.append(TemporaryDirectory(prefix="made-"))
    data = Path(_KEPT[-1].name) / "data"
    make(data, name, sealed=sealed, staged=staged)
    return data


_KEPT: list[TemporaryDirectory[str]] = []  # until the tests end


@contextmanager
def opened(folder: Path) -> Iterator[Collection]:
    """Open a collection alone: nothing happens to it in the background."""
    collection = Collection.open(folder.name, folder, threads=1, changed=lambda: None)
    try:
        yield collection
    finally:
        collection.close()


def copy(data: Path, to: Path) -> Path:
    """Copy a directory at rest, for one trial."""
    shutil.copytree(data, to)
    return to


def found(report: Report, *severities: str) -> list[str]:
    """Return the findings of some severities, in words."""
    return [str(one) for one in report.findings if one.severity in severities]


def whole(data: Path) -> Report:
    """Check a directory that must be found whole; return the report."""
    report = check_directory(data)
    assert found(report, "lost", "damage", "unchecked") == []
    assert report.exit_status == 0
    return report


def unchanged(data: Path) -> dict[str, bytes]:
    """Return all files, to be compared with what is there later."""
    return {str(p.relative_to(data)): p.read_bytes() for p in data.rglob("*") if p.is_file()}
