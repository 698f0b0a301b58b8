"""Recall of a shape at defaults, each query by itself, against exact float64 over stored rows.

As a tool: ``python -m tests.recall.measuring [--drawn N] [--seed S] [NAME ...]``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index import Collection, Distance, SearchRequest
from palimpsest.index.types import Vectors
from palimpsest.index.view.dense import dense_of
from tests.conftest import open_collection
from tests.points import batch_of, config_of
from tests.recall.drawing import drawn
from tests.recall.shapes import NAMED, Shape, noisy_copies

K = 10
RELATIVE, ABSOLUTE = 1e-5, 1e-9  # of the k-th exact score: as close counts as found
_BATCH = 2_000


@dataclass(frozen=True)
class Measured:
    """What came of the queries of a shape."""

    name: str
    recalls: NDArray[np.float64]
    scanned: float  # share of the queries that were scanned in the end
    extended: float  # share that looked at more than planned
    milliseconds: float  # CPU time of a query
    built: float  # CPU seconds until all was sealed
    found: list[list[int]]  # ids, by query
    best: list[list[int]]  # of exact search

    @property
    def recall(self) -> float:
        """In the mean."""
        return float(self.recalls.mean())

    def __str__(self) -> str:
        return (
            f"{self.name:<64} {self.recall:.3f} worst {self.recalls.min():.1f} "
            f"{self.milliseconds:7.3f} ms extended {self.extended:.2f} scanned {self.scanned:.2f} "
            f"built {self.built:.1f} s"
        )


def measure(shape: Shape, folder: Path) -> Measured:
    """Put a shape into a new collection and ask its queries."""
    config = config_of(shape.rows.shape[1], shape.distance, seal_rows=10**7, **shape.choices)
    collection = open_collection(folder / "collection", config)
    try:
        started = process_time()
        _fill(collection, shape)
        assert collection.upkeep.last_error is None
        built = process_time() - started
        return _asked(collection, shape, built)
    finally:
        collection.close()


def _fill(collection: Collection, shape: Shape) -> None:
    n = len(shape.rows)
    sealed = int(n * (1 - shape.growing))
    ends = [sealed * (i + 1) // shape.parts for i in range(shape.parts)]
    rng = np.random.default_rng(n)
    start = 0
    for end in [*ends, n]:
        updated = np.flatnonzero(rng.random(end - start) < shape.updated) + start
        _write(collection, updated, shape.rows[rng.permutation(n)[: len(updated)]])
        if len(updated) and end <= sealed:
            collection.upkeep.seal()
        _write(collection, np.arange(start, end), shape.rows[start:end])
        if start < end <= sealed:
            collection.upkeep.seal()
        start = end
    if shape.deleted is not None:
        collection.delete(np.flatnonzero(shape.deleted).tolist()).result()


def _write(collection: Collection, ids: NDArray[np.intp], rows: Vectors) -> None:
    for start in range(0, len(ids), _BATCH):
        some = slice(start, start + _BATCH)
        collection.upsert(batch_of(ids[some].tolist(), rows[some])).result()


def _asked(collection: Collection, shape: Shape, built: float) -> Measured:
    ids, numbers, rows = stored(collection)
    flags = np.ones(len(ids), dtype=bool) if shape.allowed is None else shape.allowed[ids]
    allowed = None if shape.allowed is None else BitMap(numbers[flags])
    place = np.full(len(shape.rows), -1)
    place[ids[flags]] = np.arange(np.count_nonzero(flags))
    rows = rows[flags].astype(np.float64)
    recalls, scanned, extended, seconds = [], 0, 0, 0.0
    all_found, best = [], []
    for query in shape.queries:
        reading = collection.reading()
        request = SearchRequest(query, k=K)
        started = process_time()
        answer = reading.nearest(request, allowed)
        seconds += process_time() - started
        scanned += reading.stats.scanned > 0
        extended += reading.stats.extended > 0
        found = place[np.array(answer.ids, dtype=np.intp)]
        assert (found >= 0).all() and len(set(found.tolist())) == len(found)
        assert len(found) == min(K, len(rows)), (len(found), len(rows))
        exact = distances(query, rows, shape.distance)
        recalls.append(recall_of(exact, found))
        all_found.append([int(one) for one in answer.ids])
        best.append(ids[flags][np.argsort(exact, kind="stable")[:K]].tolist())
    count = len(shape.queries)
    return Measured(
        shape.name,
        np.array(recalls),
        scanned / count,
        extended / count,
        1e3 * seconds / count,
        built,
        all_found,
        best,
    )


def recall_of(exact: NDArray[np.float64], found: NDArray[np.intp], most: int = K) -> float:
    """Return the share of the closest rows, so many or all there are, that was found."""
    k = min(most, len(exact))
    if k == 0:
        return 1.0
    limit = np.partition(exact, k - 1)[k - 1]
    limit += RELATIVE * abs(limit) + ABSOLUTE
    return float(np.count_nonzero(exact[found] <= limit) / k)


def stored(collection: Collection) -> tuple[NDArray[np.intp], NDArray[np.uint32], Vectors]:
    """Return ids, numbers and vectors of all live points."""
    ids, numbers, rows = [], [], []
    view = dense_of(collection.view.vectors[0])
    for part in [*view.sealed, *view.growing]:
        columns = part.columns
        live = part.dead.live_rows(part.n)
        if not len(live):
            continue
        ids.append(columns.ids[live].astype(np.intp))
        numbers.append(columns.numbers[live])
        rows.append(part.source.vectors_of(live))
    return np.concatenate(ids), np.concatenate(numbers), np.concatenate(rows)


def distances(query: Vectors, rows: NDArray[np.float64], distance: Distance) -> NDArray[np.float64]:
    """Return exact distances (n,) of a query as it is sent to stored rows."""
    wide = query.astype(np.float64)
    if distance is Distance.COSINE:
        length = np.linalg.norm(wide)
        return -(rows @ (wide / length if length else wide))
    if distance is Distance.DOT:
        return -(rows @ wide)
    differences = rows - wide
    if distance is Distance.EUCLID:
        return np.asarray(np.linalg.norm(differences, axis=1))
    return np.asarray(np.abs(differences).sum(axis=1))


def main() -> None:
    """Print recall and time per shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="named shapes (default: all)")
    parser.add_argument("--drawn", type=int, default=0, help="so many drawn shapes")
    parser.add_argument("--seed", type=int, default=0, help="of the first drawn shape")
    parser.add_argument("--copies", type=int, default=0, help="rows of passages and noisy copies")
    parser.add_argument("--encoding", default="4", help="of the vectors (default 4)")
    arguments = parser.parse_args()
    makers = {name: NAMED[name] for name in arguments.names or NAMED}
    shapes = [] if arguments.drawn or arguments.copies else list(makers.values())
    made = [(lambda make=make: make(np.random.default_rng(1))) for make in shapes]
    made += [(lambda s=s: drawn(arguments.seed + s)) for s in range(arguments.drawn)]
    if arguments.copies:
        made.append(lambda: noisy_copies(np.random.default_rng(1), arguments.copies))
    for make in made:
        shape = make()
        shape.choices.setdefault("encoding", arguments.encoding)
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(f"{measure(shape, Path(folder))}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
