"""Many small collections: what each takes, and how long it takes to open and to make one more."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from palimpsest.index import CollectionConfig, Database, Distance, VectorConfig
from tests.bench.report import Result
from tests.points import batch_of

COUNT, POINTS, SIZE = 2_000, 50, 32
_LOOK_SECONDS = 0.05
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Found:
    """What many collections take, and what a server without one does."""

    bytes_each: float
    open_seconds: float
    create_seconds: float  # of one more
    wake_seconds: float  # of a write to one at rest
    threads: int
    threads_without: int
    descriptors: int
    descriptors_without: int


def measure(count: int = COUNT) -> Iterator[Result]:
    """Make collections of ``POINTS`` points, open them anew, let them rest, and make one more."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure_many(Path(folder), count)
    name = f"{count} collections of {POINTS} points"
    yield Result(f"{name}: memory of each", "< 1 MB", "", f"{found.bytes_each / 1e6:.3f} MB")
    yield Result(f"{name}: opening the server", "< 30 s", "", f"{found.open_seconds:.1f} s")
    yield Result(
        f"{name}: creating one more", "< 50 ms", "", f"{found.create_seconds * 1e3:.0f} ms"
    )
    yield Result(f"{name}: a write to one at rest", "", "", f"{found.wake_seconds * 1e3:.1f} ms")
    rest = f"{found.threads - found.threads_without} threads, "
    rest += f"{found.descriptors - found.descriptors_without} descriptors"
    yield Result(f"{name}: held at rest", "0 threads", "", rest)


def measure_many(folder: Path, count: int, wait_seconds: float = 60.0) -> Found:
    """Measure so many collections in a new data directory, once they are at rest."""
    rng = np.random.default_rng(0)
    config = CollectionConfig({"": VectorConfig(SIZE, Distance.COSINE)})
    payloads = [b'{"group":%d,"text":"some words of a point"}' % (n % 7) for n in range(POINTS)]
    with Database.open(folder) as database:
        threads, descriptors, before = _threads(), _descriptors(), _resident()
        for number in range(count):
            vectors = rng.standard_normal((POINTS, SIZE), dtype=np.float32)
            one = database.create(f"c{number}", config)
            one.upsert(batch_of(range(POINTS), vectors, payloads)).result()
        until = time.monotonic() + wait_seconds
        while _descriptors() > descriptors or _threads() > threads:
            if time.monotonic() > until:
                break
            time.sleep(_LOOK_SECONDS)
        held = _threads(), _descriptors()
        gc.collect()
        each = (_resident() - before) / count
        started = time.perf_counter()
        database.get("c0").upsert(batch_of([0], vectors[:1])).result()
        wake = time.perf_counter() - started
    started = time.perf_counter()
    with Database.open(folder) as database:
        opened = time.perf_counter() - started
        started = time.perf_counter()
        database.create("one more", config)
        created = time.perf_counter() - started
    return Found(each, opened, created, wake, held[0], threads, held[1], descriptors)


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
