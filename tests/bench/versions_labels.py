"""What labels of points tell of four models, without a single judged query.

Neighbours by the field `group` should order the models as known items do: v0, v1, v2, v3. Beside
each share stands that of plain numpy, over all points that have a group.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import MAX_COMPARED_QUERIES, ChainRequest, parse_path
from palimpsest.index.types import Vectors
from tests.bench import versions_engine as engine
from tests.bench.corpora import K
from tests.bench.report import Result
from tests.bench.versions_corpora import Passages

_HALF = 12_000  # the passages that v3 embedded
_AT_ONCE = 1_000
# What the unnamed vector's first version, v1 to the engine, holds is v0's, and so on.
_CHAIN = {"v1": "v0", "second": "v1", "third": "v2", "fourth": "v3"}


def measure(texts: Passages, folder: Path) -> Iterator[Result]:
    """Yield one row: agreement of neighbours by group, by the engine and by plain numpy."""
    groups, texts = _groups(folder), texts.first(_HALF)
    with engine.holding(texts.rows["v0"]) as collection:
        for version, model in [*_CHAIN.items()][1:]:
            engine.declare(collection, version, texts.rows[model])
            engine.migrate(collection, version, texts.rows[model], np.arange(_HALF))
        for group in np.unique(groups):
            ids = np.flatnonzero(groups == group).tolist()
            collection.set_payload(ids, json.dumps({"group": str(group)}).encode()).result()
        engine.seal(collection)
        request = ChainRequest(
            "", [*_CHAIN], K, relevant_by=parse_path("group"), sample=MAX_COMPARED_QUERIES
        )
        found = collection.versions.compare_chain(request)
    cells = [found["matrix"][place][place] for place in range(len(_CHAIN))]
    plain = [_agreement(texts.rows[model], groups) for model in _CHAIN.values()]
    within = all(
        cell["interval"][0] <= own <= cell["interval"][1]
        for cell, own in zip(cells, plain, strict=True)
    )
    shares = ", ".join(
        f"{cell['value']:.3f} [{cell['interval'][0]:.3f}, {cell['interval'][1]:.3f}]"
        for cell in cells
    )
    verdicts = ", ".join(step["verdict"] for step in found["steps"])
    yield Result(
        f"neighbours of {found['queries']} points that share their `group`, v0 to v3 ({verdicts})",
        "each within its interval of plain numpy",
        "",
        f"{shares}: {'met' if within else 'not met'}",
        reference=", ".join(f"{own:.3f}" for own in plain),
    )


def _groups(folder: Path) -> NDArray[np.str_]:
    with gzip.open(folder / "text/corpus.jsonl.gz", "rt") as lines:
        return np.array([json.loads(line)["group"] or "" for line in islice(lines, _HALF)])


def _agreement(rows: Vectors, groups: NDArray[np.str_]) -> float:
    """Return the share of the K nearest rows that have the group of the row that asks."""
    agreed = []
    for start in range(0, len(rows), _AT_ONCE):
        asking = np.arange(start, min(start + _AT_ONCE, len(rows)))
        scores = rows[asking] @ rows.T
        scores[np.arange(len(asking)), asking] = -np.inf
        near = np.argpartition(-scores, K, axis=1)[:, :K]
        agreed.append((groups[near] == groups[asking, None]).mean(axis=1)[groups[asking] != ""])
    return float(np.concatenate(agreed).mean())
