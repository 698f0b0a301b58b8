"""What a snapshot takes, and the longest write while one is made, in turns with none."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    VectorConfig,
)
from tests.bench.corpora import Corpus
from tests.bench.report import Result
from tests.points import batch_of

NAME = "texts"
BATCH, PAUSE = 16, 0.005  # points of a write, seconds between two: no more than is sealed
TURNS, WARM = 3, 2.0  # seconds
LONGEST = 0.1  # seconds that a write may wait
_PIECE = 2_000
_SEALED_SECONDS = 600.0


@dataclass
class Writes:
    """Seconds that each write took, one after the other."""

    seconds: list[float] = field(default_factory=list)

    def told(self) -> str:
        """Return the longest, the 99th of 100 and the median, in milliseconds."""
        taken = np.array(self.seconds) * 1e3
        late, middle = np.percentile(taken, (99, 50))
        return f"{taken.max():.0f} ms (p99 {late:.0f}, median {middle:.1f}, {len(taken)} writes)"


def measure(corpus: Corpus) -> Iterator[Result]:
    """Fill a collection, seal it, and take snapshots of it while points are written again."""
    with tempfile.TemporaryDirectory() as folder, Database.open(Path(folder)) as database:
        collection = fill(database, corpus)
        with_one, without, taken, nbytes = Writes(), Writes(), list[float](), 0
        with writing(collection, corpus, Writes()):
            time.sleep(WARM)  # the first writes after a seal are slower, whatever else goes on
        for _ in range(TURNS):
            begun = time.perf_counter()
            with writing(collection, corpus, with_one):
                nbytes = database.snapshots.create(NAME).nbytes
            taken.append(time.perf_counter() - begun)
            with writing(collection, corpus, without):
                time.sleep(min(taken[-1], 5.0))
        begun = time.perf_counter()
        kept = database.snapshots.shelf.list(NAME)[-1]
        database.snapshots.recover("again", database.snapshots.shelf.find(NAME, kept.name))
        restored = time.perf_counter() - begun
        assert database.get("again").count() == collection.count()
    name = f"snapshot of {len(corpus.base)} x {corpus.base.shape[1]}"
    yield Result(
        f"{name}: longest write of {BATCH} points meanwhile",
        f"< {LONGEST * 1e3:.0f} ms",
        "",
        with_one.told(),
    )
    yield Result(f"{name}: longest such write without", "", "", without.told())
    told = f"{np.median(taken):.1f} s, {nbytes / 1e6:.0f} MB"
    yield Result(f"{name}: made and read back", "", "", told)
    yield Result(f"{name}: restored under another name", "", "", f"{restored:.1f} s")


@contextmanager
def writing(collection: Collection, corpus: Corpus, writes: Writes) -> Iterator[None]:
    """Write points again, one batch after the other, for the time of a block."""
    ended, rng = threading.Event(), np.random.default_rng(3)

    def run() -> None:
        while not ended.is_set():
            ids = rng.choice(len(corpus.base), BATCH, replace=False).tolist()
            batch = batch_of(ids, corpus.base[ids], [b'{"again":1}'] * BATCH)
            begun = time.perf_counter()
            collection.upsert(batch).result()
            writes.seconds.append(time.perf_counter() - begun)
            time.sleep(PAUSE)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def fill(database: Database, corpus: Corpus) -> Collection:
    """Return a collection of the corpus, once all of it is sealed."""
    size = corpus.base.shape[1]
    config = CollectionConfig({"": VectorConfig(size, Distance.COSINE)})
    collection = database.create(NAME, config)
    for start in range(0, len(corpus.base), _PIECE):
        rows = corpus.base[start : start + _PIECE]
        ids = list(range(start, start + len(rows)))
        payloads = [b'{"n":%d,"text":"%b"}' % (n % 50, b"word " * 20) for n in ids]
        collection.upsert(batch_of(ids, rows, payloads)).result()
    until = time.monotonic() + _SEALED_SECONDS
    while collection.state().pending and time.monotonic() < until:
        time.sleep(0.2)
    return collection
