"""What backfilling by demand is worth: queries repeat with a Zipf law while points move over.

Between two steps the collection answers some traffic, then hands out the next points to embed. The
share of answered searches over the migrated share is a curve; what counts is the area under it, as
a share of the way from a random order to an oracle's, which migrates the right answers first, those
asked for most before others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import Collection
from tests.bench import versions_engine as engine
from tests.bench.corpora import SEED, K
from tests.bench.report import Result
from tests.bench.versions_corpora import Passages
from tests.bench.versions_mixed import ENDS, NEW
from tests.bench.versions_rows import listed, verdict

Order: TypeAlias = Literal["random", "demand", "oracle"]
Traffic: TypeAlias = NDArray[np.intp]  # (steps, searches) queries

_STEPS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)  # migrated shares
_SEARCHES = 2_000  # between two steps
_ZIPF = 1.0


def measure(texts: Passages) -> Iterator[Result]:
    """Yield the row."""
    rng = np.random.default_rng(SEED)
    weights = 1 / np.arange(1, len(texts.answered) + 1) ** _ZIPF
    asked = rng.permutation(texts.answered)  # the first one most often
    drawn = rng.choice(len(asked), (len(_STEPS), _SEARCHES), p=weights / weights.sum())
    oracle = _oracle(texts, asked, rng)
    orders: tuple[Order, ...] = ("random", "demand", "oracle")
    curves = {order: _curve(texts, order, asked[drawn], oracle) for order in orders}
    areas = {order: float(np.trapezoid(curve, _STEPS)) for order, curve in curves.items()}
    gap = areas["oracle"] - areas["random"]
    closed = (areas["demand"] - areas["random"]) / gap
    yield Result(
        f"backfill by demand, queries by a Zipf law: area of known item over the migrated share, "
        f"gap from random ({listed([areas['random']])}) to oracle ({listed([areas['oracle']])})",
        ">= 30 % of it",
        "60 %",
        f"{closed:.0%} ({listed([areas['demand']])}): {verdict([closed], [0.3], [0.6])}",
    )


def _oracle(
    texts: Passages, asked: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return all rows: the right answers, those asked for most first, then the others."""
    rows, first = np.unique(texts.targets[asked], return_index=True)
    answers = rows[np.argsort(first)]
    others = np.setdiff1d(rng.permutation(len(texts.rows[NEW])), answers)
    return np.concatenate([answers, rng.permutation(others)])


def _curve(
    texts: Passages, order: Order, traffic: Traffic, oracle: NDArray[np.int64]
) -> list[float]:
    """Return the share of answered searches at each step."""
    n = len(texts.rows[NEW])
    pairs = np.random.default_rng(SEED).permutation(n)[: engine.PAIRS]
    with engine.holding(texts.rows[engine.OLD]) as collection:
        engine.declare(collection, NEW, texts.rows[NEW])
        engine.fit_on_held(collection, ENDS, texts.rows[NEW], pairs, "ridge")
        curve: list[float] = []
        done = 0
        for share, queries in zip(_STEPS, traffic, strict=True):
            until = round(share * n)
            points = oracle[done:until]
            if order != "oracle" and until > done:
                points = _handed_out(collection, order, until - done)
            engine.migrate(collection, NEW, texts.rows[NEW], points)
            done = until
            curve.append(_answered(collection, texts, queries, every=order == "demand"))
        return curve


def _handed_out(
    collection: Collection, order: Literal["random", "demand"], count: int
) -> NDArray[np.int64]:
    points = collection.versions.backfill("", NEW, limit=count, order=order, with_payload=False)
    return np.array([one.id for one in points], dtype=np.int64)


def _answered(
    collection: Collection, texts: Passages, queries: NDArray[np.intp], *, every: bool
) -> float:
    """Return the share of searches that find the right answer.

    A query that repeats is searched ``every`` time only where that is counted as demand.
    """
    asked, place = np.unique(queries, return_inverse=True)
    if every:
        asked, place = queries, np.arange(len(queries))
    found = engine.searched(collection, NEW, texts.queries[NEW][asked], K)
    hit = (found == texts.targets[asked][:, None]).any(axis=1)
    return float(hit[place].mean())
