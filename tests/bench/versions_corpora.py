"""Real texts embedded by several models, and how well a search over them did.

``Passages`` have queries with one right answer, and the exact answers in each version;
``Abstracts`` (Cranfield) have judgements.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Vectors
from tests.bench.corpora import K

VERSIONS = ("v0", "v1", "v2", "v3")
Found: TypeAlias = NDArray[np.int64]  # (q, k) rows, best first, -1 for none


@dataclass(frozen=True, slots=True, eq=False)
class Passages:
    """Unit rows (n, d) and queries (q, d) by version.

    Exact answers (q, 100) of each version, and the row that answers each query or -1.
    """

    rows: Mapping[str, Vectors]
    queries: Mapping[str, Vectors]
    exact: Mapping[str, Found]
    targets: NDArray[np.int64]

    @property
    def answered(self) -> NDArray[np.intp]:
        """The queries that have a right answer."""
        return np.flatnonzero(self.targets >= 0)

    def first(self, n: int) -> Passages:
        """Return the first rows; ``exact`` is that of versions with no more rows."""
        return Passages(
            {version: rows[:n] for version, rows in self.rows.items()},
            self.queries,
            {v: found for v, found in self.exact.items() if len(self.rows[v]) <= n},
            np.where(self.targets < n, self.targets, -1),
        )

    def share(self, found: Found, version: str, depth: int = K) -> float:
        """Return the mean share of a version's exact best K among the first found."""
        best, first = self.exact[version][:, :K], found[:, :depth]
        return float((best[:, :, None] == first[:, None, :]).any(axis=2).mean())

    def known(self, found: Found, asked: NDArray[np.intp] | None = None) -> float:
        """Return how often the right answer is among the first K.

        ``found`` are the answers to the queries ``asked``, to all of them by default.
        """
        targets = self.targets if asked is None else self.targets[asked]
        hit = (found[:, :K] == targets[:, None]).any(axis=1)
        return float(hit[targets >= 0].mean())


@dataclass(frozen=True, slots=True, eq=False)
class Abstracts:
    """Unit rows and queries by version; ``gains`` are a query's judged rows and what they gain."""

    rows: Mapping[str, Vectors]
    queries: Mapping[str, Vectors]
    gains: Sequence[Mapping[int, float]]

    def ndcg(self, found: Found) -> float:
        """Return nDCG@10: linear gain, log2 discount, the ideal over all judged rows."""
        discounts = 1 / np.log2(np.arange(2, K + 2))
        scores = []
        for rows, gains in zip(found[:, :K].tolist(), self.gains, strict=True):
            ideal = np.array(sorted(gains.values(), reverse=True)[:K])
            own = np.array([gains.get(row, 0.0) for row in rows])
            scores.append(own @ discounts[: len(own)] / (ideal @ discounts[: len(ideal)]))
        return float(np.mean(scores))


def passages(folder: Path) -> Passages:
    """Load `text/` of a folder."""
    lines = _lines(folder / "text/queries.jsonl.gz")
    targets = np.array([line["target"] for line in lines], dtype=np.int64)
    return Passages(
        {v: _vectors(folder / "text", f"{v}_base") for v in VERSIONS},
        {v: _vectors(folder / "text", f"{v}_query") for v in VERSIONS},
        {v: np.load(folder / f"text/{v}_gt100_i32.npy").astype(np.int64) for v in VERSIONS},
        targets,
    )


def abstracts(folder: Path) -> Abstracts:
    """Load `ir/cranfield/` of a folder."""
    place = folder / "ir/cranfield"
    queries = {v: _vectors(place, f"{v}_queries") for v in VERSIONS}
    gains: list[dict[int, float]] = [{} for _ in queries["v1"]]
    with (place / "qrels.tsv").open() as lines:
        for query, row, gain in csv.reader(lines, delimiter="\t"):
            gains[int(query)][int(row)] = float(gain)
    return Abstracts({v: _vectors(place, f"{v}_docs") for v in VERSIONS}, queries, gains)


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def _vectors(folder: Path, name: str) -> Vectors:
    """Load unit vectors, of int8 direction codes or of float16 numbers."""
    (path,) = folder.glob(f"{name}_[if]*.npy")
    vectors = np.ascontiguousarray(np.load(path), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
