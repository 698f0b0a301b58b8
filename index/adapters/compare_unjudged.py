"""Two versions side by side on queries that nobody judged: what each way has of the new answer.

All lists are of the same corpus, the points that hold both versions and that no adapter was fitted
on, so that only the vectors differ and no way is flattered. The measure is the overlap with the new
version's own answer, as in ``index.adapters.report``, and ``expected`` follows it to the size of
the collection. It takes the new version to be the better one; ``index.adapters.compare_judged``
need not. ``C[t][k]`` is the measure of queries of version t over rows of version k, the old version
first (algorithms 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.bootstrap import estimate, resample
from palimpsest.index.adapters.growth import CASCADE, CASCADE_FROM_OLD, Grown, grown
from palimpsest.index.adapters.lists import (
    PARTS,
    cascaded,
    cells_of,
    in_part,
    list_length,
    shares_in,
)
from palimpsest.index.adapters.measures import (
    Measured,
    Places,
    average_compatibility,
    average_measure,
    gain_captured,
    overlap,
    retained,
)
from palimpsest.index.adapters.trial import Cell, TrialAnswers, TrialShares
from palimpsest.index.adapters.verdict import Levels, decide

__all__ = ["Answers", "comparison", "list_length"]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Numbers of points, best first, -1 where there are no more; of q queries.

    ``old``, ``bridged`` and ``new`` are (q, c), of old queries in old rows, new queries in old rows
    and new queries in new rows, ``both`` (q, k) of both queries in old rows, ``back`` of old
    queries in new rows; None without an adapter. c should be ``list_length(k)``. ``points`` hold
    both versions and were not fitted on, ``collection`` points hold any.
    """

    old: Places
    bridged: Places | None
    both: Places | None
    new: Places
    back: Places | None
    points: int
    collection: int


def comparison(
    answers: Answers,
    *,
    k: int,
    newer: bool = True,
    known: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return what the versions' answers are worth, as JSON.

    Args:
        answers: of at least one query.
        k: length of an answer.
        newer: whether the new version was declared after the old one.
        known: what judged queries have told of the two versions, None for nothing.
        seed: fixes the draws of the bootstrap.
    """
    levels = _levels(answers, k, seed)
    matrix = matrix_of(levels, _back(answers, k, seed))
    decided, expected = levels, None
    if answers.collection > answers.points > PARTS[-1] * k:
        larger = grown(_shares(answers, k), answers.collection, seed)
        decided = _expected(larger, answers)
        expected = {"points": larger.rows, **shown(decided)}
    described = _described(k, answers, expected)
    decision = decide(decided, newer=newer, measure=described, known=known)
    return {
        "k": k,
        "queries": len(answers.new),
        "points": answers.points,
        "measure": "overlap",
        "overlap": overlaps(answers, k, seed),
        **shown(levels),
        **as_matrix(matrix),
        "expected": expected,
        "mixed": None,
        "over_old": None,
        "shared": None,
        "assumes": decision.assumes,
        "verdict": decision.verdict,
        "more_queries": decision.more_queries,
        "bridging_pays": decision.support,
        "reasons": decision.reasons,
    }


def _levels(answers: Answers, k: int, seed: int) -> Levels:
    lists = {
        "old": answers.old,
        "bridged": answers.bridged,
        "new": answers.new,
        "cascade": _cascade(answers, k),
        "both": answers.both,
        "cascade_from_old": cascaded(answers.old[:, :CASCADE_FROM_OLD], answers.new, k),
    }
    known = {name: found for name, found in lists.items() if found is not None}
    worth = [overlap(found[:, :k], answers.new[:, :k]) for found in known.values()]
    means = dict(zip(known, resample(np.stack(worth, axis=1), seed).T, strict=True))
    return Levels(*(means.get(name) for name in Levels._fields))  # type: ignore[arg-type]


def _cascade(answers: Answers, k: int) -> Places | None:
    if answers.bridged is None:
        return None
    return cascaded(answers.bridged[:, :CASCADE], answers.new, k)


def _back(answers: Answers, k: int, seed: int) -> NDArray[np.float64] | None:
    if answers.back is None:
        return None
    worth = overlap(answers.back[:, :k], answers.new[:, :k])
    return resample(worth[:, None], seed)[:, 0]


def _shares(answers: Answers, k: int) -> TrialAnswers:
    """Return what was found in the corpus, its halves and its quarters, as a trial has it."""

    def found(places: Places, *, deep: bool) -> TrialShares:
        def worth(parts: int, part: int, cell: Cell) -> Measured:
            there = in_part(places, parts, part, cell.depth)
            return overlap(there, in_part(answers.new, parts, part, cell.k))

        return shares_in(cells_of(answers.points, k, deep=deep), worth)

    bridged = answers.old if answers.bridged is None else answers.bridged
    both = bridged if answers.both is None else answers.both
    return TrialAnswers(
        found(answers.old, deep=True), found(bridged, deep=True), found(both, deep=False)
    )


def _expected(larger: Grown, answers: Answers) -> Levels:
    """Return the levels in the collection, without those of an adapter where there is none."""
    there = answers.bridged is not None
    return Levels(
        larger.old,
        larger.bridged if there else None,
        np.ones_like(larger.old),
        larger.cascade if there else None,
        larger.both if answers.both is not None else None,
        larger.cascade_from_old,
    )


def overlaps(answers: Answers, k: int, seed: int) -> dict[str, Any]:
    """Return the shares of the new version's answer that the others have."""
    lists = {"old": answers.old, "bridged": answers.bridged, "cascade": _cascade(answers, k)}
    found = {}
    for name, places in lists.items():
        drawn = None
        if places is not None:
            share = overlap(places[:, :k], answers.new[:, :k])
            drawn = resample(share[:, None], seed)[:, 0]
        found.update(named(name, drawn))
    return found


def shown(levels: Levels) -> dict[str, Any]:
    """Return levels by name, each with its interval."""
    old, bridged, new, cascade, both, cascade_from_old = levels
    return {
        **named("old_old", old),
        **named("bridged", bridged),
        **named("both", both),
        **named("new_new", new),
        **named("cascade", cascade),
        **named("cascade_from_old", cascade_from_old),
        **named("arr", None if bridged is None else retained(bridged, new)),
        **named("gain", None if bridged is None else gain_captured(old, bridged, new)),
    }


def named(name: str, drawn: NDArray[np.float64] | None) -> dict[str, Any]:
    """Return a statistic (draws + 1,) by name, with its interval; None for what is not known."""
    if drawn is None:
        return {name: None, f"{name}_interval": None}
    known = estimate(drawn)
    return {name: known.value, f"{name}_interval": known.interval}


def matrix_of(levels: Levels, back: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return C (draws + 1, 2, 2) of levels and of old queries in new rows."""
    unknown = np.full_like(levels.old, np.nan)
    cells = [levels.old, back, levels.bridged, levels.new]
    matrix = np.stack([unknown if one is None else one for one in cells], axis=1)
    return matrix.reshape(-1, 2, 2)


def as_matrix(matrix: NDArray[np.float64]) -> dict[str, Any]:
    """Return C by version of the queries, then of the rows, with AC and AM."""
    every = range(matrix.shape[1])
    known = [[estimate(matrix[:, t, k]) for k in every] for t in every]
    cells = [[{"value": one.value, "interval": one.interval} for one in row] for row in known]
    compatible = np.array([average_compatibility(one) for one in matrix])
    mean = np.array([average_measure(one) for one in matrix])
    return {
        "matrix": cells,
        **named("ac", compatible),
        **named("am", mean),
    }


def _described(k: int, answers: Answers, expected: object) -> str:
    held = "that hold both versions and were not fitted on"
    among = f"among the {answers.points} points {held}"
    if expected is not None:
        among = f"among {answers.collection} points (expected from {answers.points} {held})"
    return f"share of the new version's top {k} {among}"
