"""One list of several versions: how bridged scores are made comparable with native ones.

    raw        as they are: for document-side adapters both are cosines in one space
    matched    raw, moved for each query by ``matching.shift``: part of the way to where a list
               of as many points would stand
    isotonic   bridged scores mapped to the true scores they stand for (``calibration``)
    rank       both lists by rank over the share of points each was chosen from: where the second
               of a list of a tenth of the points stands, twenty stand in the whole

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
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from index.types import Distance
from index.versions.adapter import ESTIMATING
from index.versions.adapters import Adapter, Pairs, best, bridged_scores, native_scores
from index.versions.bootstrap import estimate, resample
from index.versions.calibration import Calibration, fit_calibration
from index.versions.matching import shift
from index.versions.trial import rescore

Scores: TypeAlias = NDArray[np.float32]  # best first
Method: TypeAlias = Literal["raw", "matched", "isotonic", "rank"]

FEWEST = 16  # held-out pairs a merge can be chosen by
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
    """A bridged list: its scores (m,), how they merge, and how many points it was chosen from."""

    scores: Scores
    merge: Merge
    live: int


def comparable(
    native: Scores, native_live: int, bridged: Sequence[Listed]
) -> tuple[Scores, list[Scores]]:
    """Return scores that can be sorted together, of the native list and of the bridged ones.

    The order inside a list never changes; equal scores are for the caller to order by rank.

    Args:
        native: scores of the rows of the query's version (m,).
        native_live: how many points they were chosen from.
        bridged: the other lists.
    """
    if any(one.merge.method == "rank" for one in bridged):
        live = native_live + sum(one.live for one in bridged)
        others = [by_rank(len(one.scores), one.live / live) for one in bridged]
        return by_rank(len(native), native_live / live), others
    return native, [_moved(native, native_live, one) for one in bridged]


def _moved(native: Scores, native_live: int, one: Listed) -> Scores:
    if one.merge.method == "matched":
        return one.scores + np.float32(shift(native, native_live, one.scores, one.live))
    calibration = one.merge.calibration
    return one.scores if calibration is None else calibration.of(one.scores)


def by_rank(count: int, share: float) -> Scores:
    """Return scores in (0, 1) of the ranks of a list chosen from a share of all points."""
    places = np.arange(0.5, count, dtype=np.float32)
    places /= np.float32(max(share, 1e-9))
    places += np.float32(1)
    return np.reciprocal(places)


def placed(ranked: Scores, scored: NDArray[np.bool_], scores: Scores) -> Scores:
    """Return scores (n,) of a list merged by rank, of which some rows were scored again since.

    The others get the scores that stand at their ranks among those that were.

    Args:
        ranked: (n,) as ``by_rank`` makes them, best first.
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

    Scores in the queries' space, or of one distance in both, stand as they are; others, lengths
    beside cosines for example, have only their order in common.
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
    seed: int = 0,
) -> tuple[Merge, list[dict[str, Any]]]:
    """Return the merge that serves held-out pairs best, and what each method came to.

    Args:
        held: pairs the adapter was not fitted on, at least ``FEWEST``.
        adapter: leads from queries of one version to rows of the other.
        rows_distance: of the rows' version.
        queries_distance: of the queries' version.
        query_pairs: queries to ask; None for the held-out points themselves.
        seed: fixes which points are taken as embedded anew.
    """
    trial = _trial(held.take(slice(_MOST)), adapter, rows_distance, queries_distance, query_pairs)
    rng = np.random.default_rng(seed)
    points = trial.native.shape[1]
    masks = [np.asarray(rng.random(points) < share) for share in _SHARES]
    methods: tuple[Method, ...] = "raw", "matched", "isotonic", "rank"
    found = {method: _found(trial, method, masks) for method in methods}
    table = [{"method": name, **_measured(one, found["raw"], seed)} for name, one in found.items()]
    plain = unmeasured(adapter, rows_distance, queries_distance).method
    chosen = prefer(found, plain, seed)
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
    rows_distance: Distance,
    queries_distance: Distance,
    query_pairs: Pairs | None,
) -> _Trial:
    queries = (held if query_pairs is None else query_pairs).queries[:_ASKED]
    native = native_scores(queries, held.queries, queries_distance)
    bridged = bridged_scores(adapter, queries, held.rows, rows_distance)
    if adapter.rescores:
        rescore(adapter, queries, held.rows, bridged, _LISTED)
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
        calibrated[half][known] = trial.calibration(other).of(trial.bridged[half][known])
    return calibrated


def _merged(native: Scores, bridged: Scores, mask: NDArray[np.bool_], method: str) -> Scores:
    """Return comparable scores (q, n): native where the mask says so, else bridged."""
    if method == "rank":
        merged = np.empty_like(native)
        for scores, own in ((native, mask), (bridged, ~mask)):
            columns = np.flatnonzero(own)
            ranks = np.argsort(np.argsort(-scores[:, columns], axis=1, kind="stable"), axis=1)
            merged[:, columns] = -(ranks + 0.5) / max(own.mean(), 1e-9)
        return merged
    if method == "matched":
        bridged = bridged + _shifts(native[:, mask], bridged[:, ~mask])[:, None]
    return np.where(mask, native, bridged)


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
