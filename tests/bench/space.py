"""What a collection takes of the disk, what comes back of it, and how long writes wait for that."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from tests.bench.report import Result

ROWS = 200_000
_SIZE, _BATCH, _SEAL_ROWS = 384, 2_000, 65_536
_APART = {"graph", "ids", "indexes", "adapters", "wal", "lost_found"}
_BEAT = 0.01  # seconds between two writes whose latency is measured
_QUIET = 10.0  # seconds of writes that are compared with
_LIMIT_SECONDS = 300.0
_TEXT = "lorem ipsum dolor sit amet " * 6


def measure(rows: int) -> Iterator[Result]:
    """Yield the rows of the table."""
    seal_rows = min(_SEAL_ROWS, rows // 3)
    config = CollectionConfig(
        {"": VectorConfig(_SIZE, Distance.COSINE, encoding="4")},
        maintenance=MaintenanceConfig(seal_rows=seal_rows),
    )
    with tempfile.TemporaryDirectory() as folder, Database.open(Path(folder)) as database:
        collection = database.create("c", config)
        with _writing(collection) as busy:
            _bring(collection, rows)
            _wait(lambda: _growing(collection) < seal_rows and not _is_vacuuming(collection))
        with _writing(collection) as quiet:
            time.sleep(_QUIET)
        yield Result(
            "longest write of one point while rows come, are sealed, and pages given back",
            "",
            "",
            f"{max(busy) * 1e3:.0f} ms, p99 {_p99(busy)} ms ({max(quiet) * 1e3:.0f} and "
            f"{_p99(quiet)} ms without)",
        )
        _rest(collection)
        name = f"{rows:,} x {_SIZE}, sealed: disk beside vectors, codes and payloads"
        yield Result(name, "<= 1.25x", "", _told(collection, rows))
        for start in range(0, rows, _BATCH):
            gone = [n for n in range(start, min(start + _BATCH, rows)) if n % 10]
            collection.delete(gone).result()
        began = time.perf_counter()
        _rest(collection)
        seconds = time.perf_counter() - began
        yield Result(
            "the same without nine tenths of the points", "", "", _told(collection, rows // 10)
        )
        yield Result("until it was given back, and the files closed", "", "", f"{seconds:.0f} s")


def _bring(collection: Collection, rows: int) -> None:
    rng = np.random.default_rng(0)
    for start in range(0, rows, _BATCH):
        ids = [*range(start, min(start + _BATCH, rows))]
        vectors = rng.standard_normal((len(ids), _SIZE)).astype(np.float32)
        collection.upsert(_points(ids, vectors)).result()
        while collection.pacing.backlog().pressure > 1.5:
            time.sleep(0.05)


def _points(ids: list[int], vectors: NDArray[np.float32]) -> PointBatch:
    payloads: list[bytes | None] = [b'{"n": %d, "text": "%s"}' % (n, _TEXT.encode()) for n in ids]
    return PointBatch(ids, {"": NamedVectors(np.arange(len(ids)), vectors)}, payloads)


def _growing(collection: Collection) -> int:
    return sum(part.n for part in collection.view.vectors[0].growing)


def _is_vacuuming(collection: Collection) -> bool:
    pages = collection.writer.store.pages
    return pages.free_bytes > max(64 << 20, pages.used_bytes)


def _rest(collection: Collection) -> None:
    """Wait until nothing is left to do, and the log is gone."""

    def rests() -> bool:
        disk = collection.disk()
        spare = max(2 << 20, sum(disk.values()) // 32)
        return not collection.state().pending and not disk["wal"] and disk["free"] <= spare

    _wait(rests)


def _wait(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _LIMIT_SECONDS
    while not is_so() and time.monotonic() < until:
        time.sleep(0.1)


@contextmanager
def _writing(collection: Collection) -> Iterator[list[float]]:
    """Write one point again and again; give the seconds that each took."""
    took, ended = [0.0], threading.Event()
    point = _points([0], np.ones((1, _SIZE), dtype=np.float32))

    def write() -> None:
        while not ended.wait(_BEAT):
            began = time.perf_counter()
            collection.upsert(point).result()
            took.append(time.perf_counter() - began)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield took
    finally:
        ended.set()
        thread.join()


def _p99(seconds: list[float]) -> str:
    return f"{np.percentile(seconds, 99) * 1e3:.1f}"


def _told(collection: Collection, rows: int) -> str:
    disk = collection.disk()
    beside = sum(n for what, n in disk.items() if what not in _APART)
    data = rows * (_SIZE * 4 + _SIZE // 2) + collection.payload_bytes()
    parts = ", ".join(f"{what} {n / 1e6:.1f}" for what, n in disk.items() if n)
    return f"{beside / data:.2f}x of {data / 1e6:.1f} MB ({parts} MB)"
