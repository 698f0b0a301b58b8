"""Chooses the kind of adapter by what was held out: the corpus is the held-out rows.

Each held-out point (or each query given in both versions) asks in the queries' version; what that
version itself finds is the truth, the point left out. The share of the k best that come back
through each adapter is compared query by query. Which kind is best depends on the two models,
never on folklore (algorithms 8.2); a kind that takes longer must be better beyond the bootstrap
interval, and one that rescores, which takes far longer, by ``WORTH_RESCORING`` beyond it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.errors import InvalidConfig, InvalidPairs
from index.types import Distance
from index.versions.adapter import Adapter, Kind
from index.versions.fit_kinds import FitOptions, check_kind, fit
from index.versions.pairs import MIN_PAIRS, Pairs
from index.versions.scoring import best, bridged_scores, native_scores, rescored
from index.versions.watch import Watch

CANDIDATES: tuple[Kind, ...] = (  # the quickest in use first
    "identity",
    "prefix",
    "procrustes",
    "procrustes_centred",
    "ridge",
    "mlp",
)
K = 10
RESCORED = 200
WORTH_RESCORING = 0.05
_ASKED = 1_000  # held-out queries, at most
_RESAMPLED = 1_000
_MEASURED = 10_000  # held-out rows, at most


class Quality(NamedTuple):
    """A kind's share of the true k best that came back, with its 95 % interval."""

    kind: str
    recall: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """Return it by name."""
        return self._asdict()


def fit_best(
    fit_part: Pairs,
    held: Pairs,
    rows_distance: Distance,
    queries_distance: Distance,
    options: FitOptions | None = None,
    watch: Watch | None = None,
) -> tuple[Adapter, list[Quality]]:
    """Return the adapter that finds most of what was held out, and all that were tried.

    Args:
        fit_part: what adapters are fitted on.
        held: what they are measured on and never see.
        rows_distance: of the rows' version.
        queries_distance: of the queries' version.
        options: as of ``fit``.
        watch: progress from 0 to 1.

    Raises:
        InvalidPairs: no map can be fitted on the pairs, or too few were held out.
        FitCancelled: ``watch`` said so.
    """
    options, watch = options or FitOptions(), watch or Watch()
    if len(held.rows) < MIN_PAIRS:
        raise InvalidPairs(
            f"too few pairs held out to choose an adapter by: at least {MIN_PAIRS} are needed, "
            f"got {len(held.rows)}; give more pairs, or name the kind"
        )
    kinds = _serving(fit_part, rows_distance, queries_distance)
    trial = Trial(held, options.query_pairs, rows_distance, queries_distance)
    tried: list[tuple[Adapter, NDArray[np.float64]]] = []
    for i, kind in enumerate(kinds):
        part = watch.part(i / len(kinds), (i + 1) / len(kinds))
        adapter = fit(kind, fit_part, rows_distance, queries_distance, options, part)
        tried.append((adapter, trial.recalls(adapter)))
    draws = np.random.default_rng(options.seed).integers(
        trial.asked, size=(_RESAMPLED, trial.asked)
    )
    least = [WORTH_RESCORING if adapter.rescores else 0.0 for adapter, _ in tried]
    chosen = choose([shares for _, shares in tried], least, draws)
    table = [_quality(adapter.kind, shares, draws) for adapter, shares in tried]
    return tried[chosen][0], table


def _serving(pairs: Pairs, rows_distance: Distance, queries_distance: Distance) -> list[Kind]:
    serving: list[Kind] = []
    for kind in CANDIDATES:
        if kind == "prefix" and "identity" in serving:
            continue
        try:
            check_kind(kind, pairs, rows_distance, queries_distance)
        except InvalidConfig:
            continue
        serving.append(kind)
    return serving


class Trial:
    """Held-out queries with their true k best among the held-out rows."""

    def __init__(
        self,
        held: Pairs,
        query_pairs: Pairs | None,
        rows_distance: Distance,
        queries_distance: Distance,
    ) -> None:
        corpus = held.take(slice(_MEASURED))
        self._rows, self._rows_distance = corpus.rows, rows_distance
        self._itself = query_pairs is None
        asking = corpus if query_pairs is None else query_pairs
        self._queries = asking.queries[:_ASKED]
        self.asked = len(self._queries)
        self._k = min(K, len(corpus.rows) - 1)
        self._truth = self._best(native_scores(self._queries, corpus.queries, queries_distance))

    def recalls(self, adapter: Adapter) -> NDArray[np.float64]:
        """Return (q,) shares of the true k best that an adapter finds among its k best."""
        found = self._best(self._scores(adapter))
        return np.array(
            [
                len(np.intersect1d(truth, hits)) / self._k
                for truth, hits in zip(self._truth, found, strict=True)
            ]
        )

    def _scores(self, adapter: Adapter) -> NDArray[np.float32]:
        scores = bridged_scores(adapter, self._queries, self._rows, self._rows_distance)
        if not adapter.rescores:
            return scores
        if self._itself:
            np.fill_diagonal(scores, -np.inf)
        return rescored(adapter, self._queries, self._rows, best(scores, RESCORED))

    def _best(self, scores: NDArray[np.float32]) -> NDArray[np.intp]:
        if self._itself:
            np.fill_diagonal(scores, -np.inf)
        return best(scores, self._k)


def choose(recalls: list[NDArray[np.float64]], least: list[float], draws: NDArray[np.int64]) -> int:
    """Return the position of the kind to use, of those ordered quickest first.

    Args:
        recalls: of each kind, (q,) shares by query.
        least: what each must gain over any quicker one, at the low end of the interval.
        draws: (r, q) queries of each bootstrap sample.
    """
    chosen = 0
    for i in range(1, len(recalls)):
        gain = (recalls[i] - recalls[chosen])[draws].mean(axis=1)
        if np.quantile(gain, 0.025) > least[i]:
            chosen = i
    return chosen


def _quality(kind: str, shares: NDArray[np.float64], draws: NDArray[np.int64]) -> Quality:
    low, high = np.quantile(shares[draws].mean(axis=1), (0.025, 0.975))
    return Quality(kind, float(shares.mean()), float(low), float(high))
