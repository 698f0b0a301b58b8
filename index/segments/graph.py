"""The HNSW graph of a segment: built once by the native builder, then frozen.

``index/native/build.h`` says how it is built and why not by hnswlib: at equal recall it takes a
third of the time, gives the same graph for any number of threads, and compiles for one baseline.
hnswlib is its twin in the tests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.types import Distance, Rows, Vectors

_SCALARS = ("width", "top_level", "entry_row")
_ARRAYS = ("offsets", "links", "upper_rows", "upper_down", "upper_offsets", "upper_links")
_POLL_SECONDS = 0.05
_LID_SAMPLE = 4_096
_LID_NEIGHBOURS = 100
_LID_PIECE = 1_024
_LID_SELF = 1e-3  # of the K-th distance: closer is the row itself, but for rounding


class Graph:
    """A frozen graph; ``order`` is where its rows came from and is not stored with it."""

    def __init__(
        self, scalars: Mapping[str, int], arrays: Mapping[str, NDArray[Any]], order: Rows
    ) -> None:
        self.order = order
        self._scalars = {name: scalars[name] for name in _SCALARS}
        self._arrays = {name: arrays[name] for name in _ARRAYS}
        fields: dict[str, Any] = {**self._arrays, **self._scalars}
        self.native = _native.Graph(**fields)

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return sum(array.nbytes for array in self._arrays.values())

    def unreachable(self) -> int:
        """Return the number of rows no walk over layer 0 meets."""
        return self.native.unreachable()

    @property
    def has_copies(self) -> bool:
        """Whether equal rows have one node together (``index/native/fold.h``)."""
        return self.native.has_copies

    def to_json(self) -> dict[str, int]:
        """Return everything but the arrays."""
        return dict(self._scalars)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays as ``index/native/traverse.h`` describes them."""
        return dict(self._arrays)

    @classmethod
    def from_arrays(cls, stored: Mapping[str, int], arrays: Mapping[str, NDArray[Any]]) -> Graph:
        """Return a stored graph. Raises ValueError when its numbers do not fit together."""
        return cls(stored, arrays, np.empty(0, dtype=np.uint32))


def build(
    vectors: Vectors,
    distance: Distance,
    config: VectorConfig,
    *,
    seed: int,
    threads: int,
    cancelled: Callable[[], bool],
    firm: Callable[[], int] = lambda: 0,
) -> Graph | None:
    """Build the graph of (n, d) vectors; None when cancelled.

    Of its ``threads``, ``firm`` do not give way to other work; it is asked now and then.

    Row i of the graph stands for ``vectors[graph.order[i]]``: rows come out in breadth-first order,
    so that rows visited together lie together.
    """
    # normalised vectors: the order of distances is that of L2, whose triangle inequality the
    # choice of neighbours relies on
    metric = "inner_product" if distance is Distance.DOT else "l2"
    if distance is Distance.COSINE:
        vectors = _directed(vectors, seed)
    order = insertion_order(vectors, config, seed)
    native = _native.GraphBuild()
    native.share(firm())
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(native, cancelled, firm, done), daemon=True)
    watcher.start()
    try:
        built = native.run(vectors, metric, order, config.M, config.ef_construction, seed, threads)
    finally:
        done.set()
        watcher.join()
    if not built:
        return None
    arrays = native.take()
    return Graph(arrays, arrays, arrays["order"])


def _directed(vectors: Vectors, seed: int) -> Vectors:
    """Return unit vectors with random ones in place of zero ones.

    By L2 a zero vector lies between all pairs whose cosine is below a half: it would take the place
    of every such link, and the walk would end in it.
    """
    zero = np.flatnonzero(np.einsum("ij,ij->i", vectors, vectors) == 0)
    if not zero.size:
        return vectors
    directed = vectors.copy()
    drawn = np.random.default_rng(seed).standard_normal((len(zero), vectors.shape[1]))
    directed[zero] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return directed


def _watch(
    native: _native.GraphBuild,
    cancelled: Callable[[], bool],
    firm: Callable[[], int],
    done: threading.Event,
) -> None:
    while not done.wait(_POLL_SECONDS):
        native.share(firm())
        if cancelled():
            native.cancel()
            return


def insertion_order(vectors: Vectors, config: VectorConfig, seed: int) -> Rows:
    """Return the (n,) order in which rows enter the graph: shuffled, or by falling LID.

    Never the order of arrival: data that comes sorted by topic costs recall (arXiv 2405.17813).
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(vectors)).astype(np.uint32)
    if config.order == "shuffle" or len(vectors) <= _LID_NEIGHBOURS:
        return shuffled
    lid = local_intrinsic_dimension(vectors, shuffled[:_LID_SAMPLE])
    return np.argsort(-lid, kind="stable").astype(np.uint32)


def local_intrinsic_dimension(vectors: Vectors, sample: Rows) -> NDArray[np.float32]:
    """Return the (n,) maximum-likelihood LID of each row, its neighbours taken from ``sample``.

    -1 / mean(ln(d_i / d_K)) over the K = 100 closest (arXiv 2405.17813, section 2).
    """
    among = vectors[sample]
    squares = np.einsum("ij,ij->i", among, among)
    neighbours = min(_LID_NEIGHBOURS, len(sample) - 1)
    lid = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), _LID_PIECE):
        some = vectors[start : start + _LID_PIECE]
        squared = np.einsum("ij,ij->i", some, some)[:, None] + squares - 2 * (some @ among.T)
        closest = np.partition(squared, neighbours, axis=1)[:, : neighbours + 1]
        lengths = np.sqrt(np.maximum(closest, 1e-12))
        ratios = lengths / lengths.max(axis=1, keepdims=True)
        others = ratios > _LID_SELF  # a row of the sample is not its own neighbour
        logs = np.log(np.where(others, ratios, 1)).sum(axis=1)
        lid[start : start + _LID_PIECE] = -others.sum(axis=1) / np.minimum(logs, -1e-6)
    return lid
