"""Chooses the kind of adapter by what was held out: the corpus is the held-out rows.

Each held-out point (or each query given in both versions) asks in the queries' version; what that
version itself finds is the truth, the point left out. The share of the k best that come back
through each adapter is compared query by query. Which kind is best depends on the two models,
never on folklore (algorithms 8.2); a kind that takes longer must be better beyond the bootstrap
interval, and one that rescores, which takes far longer, by ``WORTH_RESCORING`` beyond it.

Linear kinds (``QUICK``) are fitted in a second or two, the others (``DEAR``) in many times that, so
who waits for an adapter tries the quick ones, and ``improved`` tries the others later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import Adapter, Kind
from palimpsest.index.adapters.fit_kinds import FitOptions, check_kind, fit
from palimpsest.index.adapters.pairs import MIN_PAIRS, Pairs
from palimpsest.index.adapters.scoring import best
from palimpsest.index.adapters.set_scores import NO_SETS, SetScores
from palimpsest.index.adapters.watch import Watch
from palimpsest.index.errors import InvalidConfig, InvalidPairs
from palimpsest.index.types import Distance

CANDIDATES: tuple[Kind, ...] = (  # the quickest in use first
    "identity",
    "prefix",
    "procrustes",
    "procrustes_centred",
    "ridge",
    "mlp",
)
DEAR: tuple[Kind, ...] = ("mlp",)
QUICK: tuple[Kind, ...] = tuple(kind for kind in CANDIDATES if kind not in DEAR)
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
    candidates: Sequence[Kind] = CANDIDATES,
    sets: SetScores = NO_SETS,
) -> tuple[Adapter, list[Quality]]:
    """Return the adapter that finds most of what was held out, and all that were tried.

    Args:
        fit_part: what adapters are fitted on.
        held: what they are measured on and never see.
        rows_distance: of the rows' version.
        queries_distance: of the queries' version.
        options: as of ``fit``.
        watch: progress from 0 to 1.
        candidates: the kinds to try, the quickest in use first.
        sets: of the held-out points, where a version has sets.

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
    kinds = serving(candidates, fit_part, rows_distance, queries_distance)
    trial = HeldOut(held, options.query_pairs, rows_distance, queries_distance, sets)
    tried = _tried([], kinds, trial, fit_part, (rows_distance, queries_distance), options, watch)
    return _best_of(tried, trial, options.seed)


def improved(
    adapter: Adapter,
    kinds: Sequence[Kind],
    fit_part: Pairs,
    held: Pairs,
    distances: tuple[Distance, Distance],
    options: FitOptions,
    watch: Watch,
    sets: SetScores = NO_SETS,
) -> tuple[Adapter, list[Quality]]:
    """Return an adapter of one of some dearer kinds where that is better, else the one there is.

    Args:
        adapter: the one there is, which has not seen what is held out either.
        kinds: to be tried, the quickest in use first.
        fit_part: what adapters are fitted on.
        held: what they are measured on and never see.
        distances: of the rows' version, and of the queries'.
        options: as of ``fit``.
        watch: progress from 0 to 1.
        sets: of the held-out points, where a version has sets.

    Raises:
        InvalidPairs: no map can be fitted on the pairs.
        FitCancelled: ``watch`` said so.
    """
    trial = HeldOut(held, options.query_pairs, *distances, sets)
    found = trial.recalls(adapter)
    tried = _tried([(adapter, found)], kinds, trial, fit_part, distances, options, watch)
    return _best_of(tried, trial, options.seed)


_Tried: TypeAlias = list[tuple[Adapter, NDArray[np.float64]]]


def _tried(
    tried: _Tried,
    kinds: Sequence[Kind],
    trial: HeldOut,
    fit_part: Pairs,
    distances: tuple[Distance, Distance],
    options: FitOptions,
    watch: Watch,
) -> _Tried:
    """Return adapters with their shares by query: those there are, and one of each kind."""
    for i, kind in enumerate(kinds):
        part = watch.part(i / len(kinds), (i + 1) / len(kinds))
        adapter = fit(kind, fit_part, *distances, options, part)
        tried = [*tried, (adapter, trial.recalls(adapter))]
    return tried


def _best_of(tried: _Tried, trial: HeldOut, seed: int) -> tuple[Adapter, list[Quality]]:
    draws = np.random.default_rng(seed).integers(trial.asked, size=(_RESAMPLED, trial.asked))
    least = [WORTH_RESCORING if adapter.rescores else 0.0 for adapter, _ in tried]
    chosen = choose([shares for _, shares in tried], least, draws)
    return tried[chosen][0], [_quality(one.kind, shares, draws) for one, shares in tried]


def serving(
    candidates: Sequence[Kind], pairs: Pairs, rows_distance: Distance, queries_distance: Distance
) -> list[Kind]:
    """Return the kinds that can serve two versions; of identity and prefix one."""
    found: list[Kind] = []
    for kind in candidates:
        # Where both spaces have one length the two are the same map.
        if kind == "prefix" and "identity" in found:
            continue
        try:
            check_kind(kind, pairs, rows_distance, queries_distance)
        except InvalidConfig:
            continue
        found.append(kind)
    return found


class HeldOut:
    """Held-out queries with their true k best among the held-out rows."""

    def __init__(
        self,
        held: Pairs,
        query_pairs: Pairs | None,
        rows_distance: Distance,
        queries_distance: Distance,
        sets: SetScores = NO_SETS,
    ) -> None:
        # All of them are compared with all queries, and shares are known well enough by so many.
        corpus = held.take(slice(_MEASURED))
        self._rows, self._rows_distance = corpus.rows, rows_distance
        self._itself = query_pairs is None
        asking = corpus if query_pairs is None else query_pairs
        self._queries = asking.queries[:_ASKED]
        self.asked = len(self._queries)
        self._k = min(K, len(corpus.rows) - 1)
        self._sets = sets
        native = sets.by_new(self._queries, corpus.queries, queries_distance)
        self._truth = self._best(native)

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
        scores = self._sets.over(adapter, self._queries, self._rows, self._rows_distance)
        if not adapter.rescores:
            return scores
        if self._itself:
            np.fill_diagonal(scores, -np.inf)
        among = best(scores, RESCORED)
        refined = self._queries @ adapter.map_rows(self._rows).T  # as ``rescored``, all at once
        scores.fill(-np.inf)
        np.put_along_axis(scores, among, np.take_along_axis(refined, among, 1), 1)
        return scores

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
        # Surely better, or the quicker kind stays: with few pairs held out the dearer ones win by
        # luck.
        if np.quantile(gain, 0.025) > least[i]:
            chosen = i
    return chosen


def _quality(kind: str, shares: NDArray[np.float64], draws: NDArray[np.int64]) -> Quality:
    low, high = np.quantile(shares[draws].mean(axis=1), (0.025, 0.975))
    return Quality(kind, float(shares.mean()), float(low), float(high))
