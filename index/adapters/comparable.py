"""One list of several versions: how bridged scores are made comparable with native ones.

    raw        as they are: both are scores in the metric of the query's version, the bridged ones
               estimates (``estimating``)
    matched    raw, moved for each query by ``level_shift.shift``: part of the way to where a list
               of as many points would stand
    isotonic   bridged scores mapped to the true scores they stand for (``calibration``)
    rank       bridged scores in the place of those that stand as far down the native list, by
               shares of the points that each was chosen from: as far down as the second of a list
               of a tenth of the points is the twentieth of the whole

All of them give scores in the metric of the query's version, by which the list is in order.

Which is best depends on the adapter and on what is counted. Regression shrinks the best rows most,
so calibration to the expected score pushes points that were not embedded anew below ones that
were: it raises the overlap of whole lists and loses their best (algorithms 8.2). ``choose_merge``
therefore counts the first ``_FIRST`` of each answer, for they are what users look for, on held-out
pairs of which a random part is taken as embedded anew.

What a merge is worth there decides, and nothing else: of those that are surely better than raw
scores, beyond the 95 % interval, the best is taken, and raw where none is. Matched helps an adapter
that serves a corpus unlike what it was fitted on, which no held-out pair can show unless queries
are given: measured by exact search, share of the full quality at 25 / 50 / 75 % migrated at random,
raw and matched: passages .747 / .832 / .911 and .745 / .839 / .908; Cranfield with an adapter of
its own .943 / .968 / .988 and .945 / .972 / .990, with one fitted on the passages
.697 / .792 / .909 and .767 / .838 / .927.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import ESTIMATING
from palimpsest.index.adapters.bootstrap import estimate, resample
from palimpsest.index.adapters.calibration import Calibration, fit_calibration
from palimpsest.index.adapters.estimating import FEWEST as FEWEST
from palimpsest.index.adapters.estimating import ScoreMap, estimated
from palimpsest.index.adapters.kinds import Adapter, Pairs, best
from palimpsest.index.adapters.level_shift import shift
from palimpsest.index.adapters.set_scores import NO_SETS, SetScores
from palimpsest.index.adapters.trial import rescore
from palimpsest.index.types import Distance

Scores: TypeAlias = NDArray[np.float32]  # best first
Method: TypeAlias = Literal["raw", "matched", "isotonic", "rank"]

# An upgrade passes through all of these; what merges well at its beginning must not do so at the
# cost of its end.
_SHARES = (0.25, 0.5, 0.75)  # of the held-out points, taken as embedded anew
_FIRST, _K = 3, 10  # of an answer: how many count, and how far down they may stand
_TOP = 20  # rows of each bridged list that a calibration is fitted on
_LISTED = 64  # rows of each list that is merged on trial
_MOST, _ASKED = 1_000, 400  # held-out pairs, and queries among them


@dataclass(frozen=True, slots=True, eq=False)
class Merge:
    """How a bridged list joins the native one; ``calibration`` only for isotonic."""

    method: Method
    calibration: Calibration | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        calibration = None if self.calibration is None else self.calibration.to_json()
        return {"method": self.method, "calibration": calibration}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Merge:
        """Return a stored one, equal bit by bit. Raises LookupError or ValueError."""
        if stored["method"] not in get_args(Method):
            raise ValueError(f"merge: expected one of {get_args(Method)}, got {stored['method']!r}")
        calibration = stored["calibration"]
        known = None if calibration is None else Calibration.from_json(calibration)
        return cls(stored["method"], known)


UNFITTED = Merge("rank")  # of rows searched by a query of their own, without an adapter


class Listed(NamedTuple):
    """A bridged list: its scores (m,), how they merge, and how many points it was chosen from.

    The scores are estimates in the metric of the query's version, best first.
    """

    scores: Scores
    merge: Merge
    live: int


def comparable(
    native: Scores, native_live: int, bridged: Sequence[Listed], best: float = inf
) -> tuple[Scores, list[Scores]]:
    """Return scores that can be sorted together, of the native list and of the bridged ones.

    Native ones stay as they are. The order inside a list never changes; equal scores are for the
    caller to order by rank.

    Args:
        native: scores of the rows of the query's version (m,).
        native_live: how many points they were chosen from.
        bridged: the other lists.
        best: the largest score there is in the metric.
    """
    return native, [_moved(native, native_live, one, best) for one in bridged]


def _moved(native: Scores, native_live: int, one: Listed, best: float) -> Scores:
    if one.merge.method == "rank":
        return by_place(native, native_live, one.scores, one.live)
    if one.merge.method == "matched":
        moved = one.scores + np.float32(shift(native, native_live, one.scores, one.live))
    elif one.merge.calibration is not None:
        moved = one.merge.calibration.of(one.scores)
    else:
        return one.scores
    return np.asarray(np.minimum(moved, np.float32(best)), dtype=np.float32)


def by_place(native: Scores, native_live: int, scores: Scores, live: int) -> Scores:
    """Return what stands in a native list as far down as each score of another does in its own.

    Ahead of the first native one, and past the last, scores keep their own values as far as these
    are ahead or past as well.

    Args:
        native: scores (m,), best first, chosen from ``native_live`` points.
        native_live: how many those are.
        scores: scores (n,), best first, chosen from ``live`` points.
        live: how many those are.
    """
    if not (len(native) and native_live > 0 and live > 0):
        return scores
    # As shares of what each list was chosen from: the tenth of a thousand stands as far down as the
    # hundredth of ten thousand.
    places = np.arange(0.5, len(scores)) / live
    known = np.arange(0.5, len(native)) / native_live
    found = np.interp(places, known, native)
    ahead, past = places < known[0], places > known[-1]
    # Never below the first native score: an estimate cannot tell that it is worse.
    found[ahead] = np.maximum(native[0], scores[ahead])
    found[past] = np.minimum(native[-1], scores[past])
    return found.astype(np.float32)


def placed(ranked: Scores, scored: NDArray[np.bool_], scores: Scores) -> Scores:
    """Return scores (n,) of a list merged by rank, of which some rows were scored again since.

    The others get the scores that stand at their places among those that were.

    Args:
        ranked: (n,) by which the list is in order, best first.
        scored: (n,) which rows have scores of their own.
        scores: (n,), of which only those count.
    """
    if scored.all() or not scored.any():
        return scores
    known = np.sort(scores[scored])
    at_ranks = np.interp(ranked, ranked[scored][::-1], known)
    return np.where(scored, scores, at_ranks).astype(np.float32)


# The choice.


def unmeasured(adapter: Adapter, rows_distance: Distance, queries_distance: Distance) -> Merge:
    """Return the merge where too little was held out to choose one by.

    Scores in the queries' space, or of one distance in both, stand as they are; of others, lengths
    beside cosines for example, the order is surer than any estimate.
    """
    same = adapter.kind in ESTIMATING or rows_distance is queries_distance
    return Merge("raw") if same else UNFITTED


def choose_merge(
    held: Pairs,
    adapter: Adapter,
    rows_distance: Distance,
    queries_distance: Distance,
    *,
    query_pairs: Pairs | None = None,
    score_map: ScoreMap | None = None,
    sets: SetScores = NO_SETS,
    plain: Merge | None = None,
    seed: int = 0,
) -> tuple[Merge, list[dict[str, Any]]]:
    """Return the merge that serves held-out pairs best, and what each method came to.

    Args:
        held: pairs the adapter was not fitted on, at least ``FEWEST``.
        adapter: leads from queries of one version to rows of the other.
        rows_distance: of the rows' version.
        queries_distance: of the queries' version.
        query_pairs: queries to ask; None for the held-out points themselves.
        score_map: takes the adapter's scores to the queries' metric, None where they are in it.
        sets: of the held-out points, where a version has sets.
        plain: what is kept where none is surely better; None for that of ``unmeasured``.
        seed: fixes which points are taken as embedded anew.
    """
    trial = _trial(
        held.take(slice(_MOST)),
        adapter,
        (rows_distance, queries_distance),
        query_pairs,
        score_map,
        sets,
    )
    rng = np.random.default_rng(seed)
    points = trial.native.shape[1]
    masks = [np.asarray(rng.random(points) < share) for share in _SHARES]
    methods: tuple[Method, ...] = "raw", "matched", "isotonic", "rank"
    found = {method: _found(trial, method, masks) for method in methods}
    table = [{"method": name, **_measured(one, found["raw"], seed)} for name, one in found.items()]
    if plain is None:
        plain = unmeasured(adapter, rows_distance, queries_distance)
    chosen = prefer(found, plain.method, seed)
    return Merge(chosen, trial.calibration() if chosen == "isotonic" else None), table


def prefer(found: Mapping[Method, NDArray[np.float64]], plain: Method, seed: int) -> Method:
    """Return the method that finds most, of those that surely find more than the plain one.

    Args:
        found: of each method, (q,) shares by query.
        plain: the method to keep where none does.
        seed: of the bootstrap samples.
    """
    better = [plain]
    for name in found:
        gain = estimate(resample((found[name] - found[plain])[:, None], seed)[:, 0])
        if gain.low is not None and gain.low > 0:
            better.append(name)
    return max(better, key=lambda name: float(found[name].mean()))


class _Trial(NamedTuple):
    """Scores (q, n) of queries with held-out rows; a query's own point has minus infinity."""

    native: Scores
    bridged: Scores

    def calibration(self, asked: slice = slice(None)) -> Calibration:
        """Return the calibration fitted on the tops of some queries' bridged lists."""
        bridged, native = self.bridged[asked], self.native[asked]
        tops = best(bridged, min(_TOP, bridged.shape[1] - 1))
        return fit_calibration(
            np.take_along_axis(bridged, tops, 1).ravel(),
            np.take_along_axis(native, tops, 1).ravel(),
        )


def _trial(
    held: Pairs,
    adapter: Adapter,
    distances: tuple[Distance, Distance],
    query_pairs: Pairs | None,
    score_map: ScoreMap | None,
    sets: SetScores,
) -> _Trial:
    rows_distance, queries_distance = distances
    queries = (held if query_pairs is None else query_pairs).queries[:_ASKED]
    native = sets.by_new(queries, held.queries, queries_distance)
    bridged = sets.over(adapter, queries, held.rows, rows_distance)
    if adapter.rescores:
        rescore(adapter, queries, held.rows, bridged, _LISTED)
    if score_map is not None:
        bridged = estimated(adapter, score_map, bridged, rows_distance, queries)
    if query_pairs is None:
        np.fill_diagonal(native, -np.inf)
        np.fill_diagonal(bridged, -np.inf)
    return _Trial(native, bridged)


def _found(trial: _Trial, method: str, masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """Return (q,) shares of the first of each answer that merged lists hold, a mean over masks."""
    truth = best(trial.native, min(_FIRST, trial.native.shape[1] - 1))
    bridged = trial.bridged
    if method == "isotonic":
        bridged = _cross_calibrated(trial)
    shares = [_in_list(truth, _merged(trial.native, bridged, mask, method)) for mask in masks]
    return np.asarray(np.mean(shares, axis=0), dtype=np.float64)


def _cross_calibrated(trial: _Trial) -> Scores:
    """Calibrate each half of the queries by the other half."""
    calibrated = trial.bridged.copy()
    for half, other in (
        (slice(0, None, 2), slice(1, None, 2)),
        (slice(1, None, 2), slice(0, None, 2)),
    ):
        known = np.isfinite(calibrated[half])
        # By the other half: fitted on the very queries it is judged by, isotonic would always seem
        # to win.
        calibrated[half][known] = trial.calibration(other).of(trial.bridged[half][known])
    return calibrated


def _merged(native: Scores, bridged: Scores, mask: NDArray[np.bool_], method: str) -> Scores:
    """Return comparable scores (q, n): native where the mask says so, else bridged."""
    if method == "rank":
        bridged = _placed(native[:, mask], bridged[:, ~mask], bridged, ~mask)
    if method == "matched":
        bridged = bridged + _shifts(native[:, mask], bridged[:, ~mask])[:, None]
    return np.where(mask, native, bridged)


def _placed(
    native: Scores, others: Scores, bridged: Scores, own: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return bridged scores (q, n) with those that are not embedded anew placed among native."""
    columns, placed = np.flatnonzero(own), bridged.copy()
    for line, natives, scores in zip(placed, native, others, strict=True):
        order = np.argsort(-scores, kind="stable")
        first = -np.sort(-natives[np.isfinite(natives)])
        line[columns[order]] = by_place(first, native.shape[1], scores[order], others.shape[1])
    return placed


def _shifts(native: Scores, bridged: Scores) -> NDArray[np.float32]:
    """Return (q,) shifts between the tops of native (q, m) and of bridged (q, n - m) scores."""
    tops = [-np.sort(-each, axis=1)[:, :_LISTED] for each in (native, bridged)]
    live = native.shape[1], bridged.shape[1]
    return np.array(
        [
            shift(own[np.isfinite(own)], live[0], other[np.isfinite(other)], live[1])
            for own, other in zip(*tops, strict=True)
        ],
        dtype=np.float32,
    )


def _in_list(truth: NDArray[np.intp], scores: Scores) -> NDArray[np.float64]:
    """Return (q,) shares of the truth (q, m) among the best of each line."""
    listed = best(scores, min(_K, scores.shape[1] - 1))
    there = (truth[:, :, None] == listed[:, None, :]).any(axis=2)
    return np.asarray(there.mean(axis=1), dtype=np.float64)


def _measured(found: NDArray[np.float64], raw: NDArray[np.float64], seed: int) -> dict[str, Any]:
    own = estimate(resample(found[:, None], seed)[:, 0])
    gain = estimate(resample((found - raw)[:, None], seed)[:, 0])
    return {
        "found": own.value,
        "found_interval": own.interval,
        "over_raw": gain.value,
        "over_raw_interval": gain.interval,
    }
