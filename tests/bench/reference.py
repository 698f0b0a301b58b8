"""The other side: hnswlib as a library, float32, with the parameters everyone compares at."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Distance
from tests.bench import EF_CONSTRUCTION, M
from tests.bench.corpora import SEED, Corpus, K
from tests.bench.curves import SearchAll

THREADS = os.cpu_count() or 1

_SPACES = {Distance.COSINE: "cosine", Distance.DOT: "ip", Distance.EUCLID: "l2"}

# Runs in a process of its own: what the process grows by is what the index needs.
_RESIDENT = """
import sys, hnswlib, numpy
def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096
index = hnswlib.Index(sys.argv[2], int(sys.argv[3]))
warm = hnswlib.Index("l2", 8); warm.init_index(16, 16, 200); warm.add_items(numpy.eye(8))
before = resident()
index.load_index(sys.argv[1])
print(resident() - before)
"""


def build(corpus: Corpus, threads: int = THREADS) -> tuple[Any, float]:
    """Build the index and say how many seconds `add_items` took."""
    index = hnswlib.Index(_SPACES[corpus.distance], corpus.base.shape[1])
    index.init_index(len(corpus.base), M=M, ef_construction=EF_CONSTRUCTION, random_seed=SEED)
    start = time.perf_counter()
    index.add_items(corpus.base, num_threads=threads)
    return index, time.perf_counter() - start


def search_all(index: Any, corpus: Corpus) -> SearchAll:
    """Search query by query, one call each on one thread, as our side is asked."""

    def search(ef: int) -> NDArray[np.int64]:
        index.set_ef(ef)
        found = np.empty((len(corpus.queries), K), dtype=np.int64)
        for i, query in enumerate(corpus.queries):
            found[i] = index.knn_query(query, k=K, num_threads=1)[0]
        return found

    return search


def search_at_once(index: Any, corpus: Corpus) -> SearchAll:
    """Search all queries in one call on one thread: the fastest way in from Python."""

    def search(ef: int) -> NDArray[np.int64]:
        index.set_ef(ef)
        labels, _ = index.knn_query(corpus.queries, k=K, num_threads=1)
        return np.asarray(labels, dtype=np.int64)

    return search


def resident_bytes(index: Any, corpus: Corpus, folder: Path) -> int:
    """Memory a process grows by when it loads the index."""
    path = folder / "hnswlib.bin"
    index.save_index(str(path))
    command = [sys.executable, "-c", _RESIDENT, str(path), _SPACES[corpus.distance]]
    command.append(str(corpus.base.shape[1]))
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    path.unlink()
    return int(answer.stdout)
