"""Other compressed graphs: those of rabitqlib, which has SymphonyQG and an HNSW over few-bit codes.

They are searched as ours are: one native call a query, on one thread. Vectors of a cosine are of
unit length already, so that squared L2 orders them the same way.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench import EF_CONSTRUCTION, M
from tests.bench.corpora import SEED, Corpus, K
from tests.bench.curves import SearchAll
from tests.bench.reference import THREADS

SYMPHONY = "SymphonyQG"
_DEGREE = 2 * M  # its blocks are of 32 neighbours, as many as a node of ours has at most
_CLUSTERS = 16  # what its own examples of the HNSW take
_BITS = 5  # a sign and four more


def is_there() -> bool:
    """Say whether the library is installed; it has wheels for some platforms only."""
    return importlib.util.find_spec("rabitqlib") is not None


def built(corpus: Corpus) -> Iterator[tuple[str, Any]]:
    """Build each index and name it."""
    makers: dict[str, Callable[[Corpus], Any]] = {
        SYMPHONY: lambda c: _symphony(c, 0),
        f"{SYMPHONY} 8-bit": lambda c: _symphony(c, 8),
        "rabitqlib HNSW 1+4 bits": _hnsw,
    }
    for name, make in makers.items():
        yield name, make(corpus)


def search_all(index: Any, corpus: Corpus) -> SearchAll:
    """Search query by query, one call each on one thread."""
    queries = [corpus.queries[i : i + 1] for i in range(len(corpus.queries))]

    def search(ef: int) -> NDArray[np.int64]:
        found = np.empty((len(queries), K), dtype=np.int64)
        for i, query in enumerate(queries):
            found[i] = index.search(query, K, max(ef, K))[0]
        return found

    return search


def file_bytes(index: Any) -> int:
    """Return the bytes of its file: codes, vectors if it keeps them, and links."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index.save(str(path))
        return sum(part.stat().st_size for part in Path(folder).iterdir())


def _symphony(corpus: Corpus, bits: int) -> Any:
    import rabitqlib

    index = rabitqlib.SymqgIndex(corpus.base.shape[1], _DEGREE, "l2", bits)
    index.build(corpus.base, EF_CONSTRUCTION, num_threads=THREADS)
    return index


def _hnsw(corpus: Corpus) -> Any:
    import rabitqlib

    n, size = corpus.base.shape
    clusters = rabitqlib.RaBitQKMeans(size, _CLUSTERS, num_threads=THREADS)
    clusters.train(corpus.base)
    index = rabitqlib.HnswIndex(size, n, M, EF_CONSTRUCTION, _BITS, "l2", SEED)
    index.build(corpus.base, clusters.centroids, clusters.assignments, num_threads=THREADS)
    return index
