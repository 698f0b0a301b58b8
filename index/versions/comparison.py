"""Two versions side by side on given queries: what staying, bridging and reindexing answer.

All lists are of the same corpus, the points that hold both versions, so that only the vectors
differ. Without judgements the measure is the overlap with the new version's own answer, as in
``index.versions.report``; with them it is whether a known item was found, or nDCG where a query
has several relevant points, and judgements decide the verdict: they alone can tell that the new
version is no better. ``C[t][k]`` is the measure of queries of version t over rows of version k,
the old version first (algorithms 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from index.versions.backfill import shuffled
from index.versions.bootstrap import estimate, resample
from index.versions.growth import CASCADE, grown
from index.versions.measures import (
    Measured,
    Places,
    average_compatibility,
    average_measure,
    gain_captured,
    known_item,
    ndcg,
    overlap,
    retained,
)
from index.versions.trial import Cell, Shares, lengths
from index.versions.verdict import Levels, decide

Measure: TypeAlias = Literal["overlap", "known_item", "ndcg"]

_PARTS = (1, 2, 4)
_DEEP = 8  # times k: how far down lists of the whole corpus are looked into
DEPTH = _DEEP * _PARTS[-1]  # times k: so that lists of a quarter of it reach as far


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Numbers of points, best first, -1 where there are no more; of q queries.

    ``old``, ``bridged`` and ``new`` are (q, c), of old queries in old rows, new queries in old rows
    and new queries in new rows; ``back`` of old queries in new rows, None without an adapter. c
    should be ``list_length(k)``. ``points`` hold both versions, ``collection`` points hold any.
    ``mixed`` (q, k) are of new queries among all points as searches find them now, None if those
    fail.
    """

    old: Places
    bridged: Places
    new: Places
    back: Places | None
    mixed: Places | None
    points: int
    collection: int


def list_length(k: int) -> int:
    """Return how long lists a comparison of answers of length k needs."""
    return max(CASCADE, DEPTH * k)


def comparison(
    answers: Answers,
    *,
    k: int,
    relevant: Sequence[Sequence[int]] | None = None,
    newer: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """Return what the versions' answers are worth, as JSON.

    Args:
        answers: of at least one query.
        k: length of an answer.
        relevant: for each query the relevant points that hold both versions, at least one; None
            without judgements.
        newer: whether the new version was declared after the old one.
        seed: fixes the draws of the bootstrap.
    """
    measure = _measure_of(relevant)
    levels, matrix = _levels(answers, k, measure, relevant, seed)
    decided, expected = levels, None
    if relevant is None and answers.collection > answers.points > _PARTS[-1] * k:
        larger = grown(*_shares(answers, k), answers.collection, seed)
        decided = Levels(larger.old, larger.bridged, levels.new, larger.cascade)
        expected = {"points": larger.rows, **_shown(decided)}
    described = _described(measure, k, answers, expected)
    decision = decide(decided, judged=relevant is not None, newer=newer, measure=described)
    return {
        "k": k,
        "queries": len(answers.new),
        "points": answers.points,
        "measure": measure,
        "overlap": _overlaps(answers, k, seed),
        **_shown(levels),
        "matrix": _as_matrix(matrix),
        **_compatibility(matrix),
        "expected": expected,
        "mixed": _mixed(answers, k, measure, relevant, seed),
        "verdict": decision.verdict,
        "bridging_pays": decision.support,
        "reasons": decision.reasons,
    }


def _measure_of(relevant: Sequence[Sequence[int]] | None) -> Measure:
    if relevant is None:
        return "overlap"
    return "known_item" if all(len(set(wanted)) == 1 for wanted in relevant) else "ndcg"


def _worth(
    found: Places,
    answers: Answers,
    k: int,
    measure: Measure,
    relevant: Sequence[Sequence[int]] | None,
) -> Measured:
    if relevant is None:
        return overlap(found[:, :k], answers.new[:, :k])
    if measure == "known_item":
        return known_item(found, relevant, k)
    return ndcg(found, [dict.fromkeys(wanted, 1.0) for wanted in relevant], k)


def _levels(
    answers: Answers,
    k: int,
    measure: Measure,
    relevant: Sequence[Sequence[int]] | None,
    seed: int,
) -> tuple[Levels, NDArray[np.float64]]:
    """Return the levels, and the matrix C (draws + 1, 2, 2)."""
    lists = [answers.old, answers.bridged, answers.new, _cascade(answers, k)]
    if answers.back is not None:
        lists.append(answers.back)
    worth = [_worth(found, answers, k, measure, relevant) for found in lists]
    old, bridged, new, cascade, *back = resample(np.stack(worth, axis=1), seed).T
    matrix = np.stack([old, back[0] if back else np.full_like(old, np.nan), bridged, new], axis=1)
    return Levels(old, bridged, new, cascade), matrix.reshape(-1, 2, 2)


def _cascade(answers: Answers, k: int) -> Places:
    """Return the best candidates of the bridge as the new version ranks them, (q, k).

    Candidates below the end of its list are not told apart; they come last, as bridged.
    """
    ranked = np.full((len(answers.new), k), -1, dtype=np.int64)
    for place, (new, bridged) in enumerate(zip(answers.new, answers.bridged, strict=True)):
        candidates = bridged[:CASCADE]
        known = new[np.isin(new, candidates[candidates >= 0])]
        rest = candidates[~np.isin(candidates, known)]
        best = np.concatenate([known, rest])[:k]
        ranked[place, : len(best)] = best
    return ranked


def _shares(answers: Answers, k: int) -> tuple[Shares, Shares]:
    """Return what was found in the corpus, its halves and its quarters, as a trial has it."""
    old: dict[Cell, Measured] = {}
    bridged: dict[Cell, Measured] = {}
    for parts in _PARTS:
        size = answers.points // parts
        for length in lengths(k):
            depths = [length * d for d in (1, 2, 4, _DEEP) if d == 1 or 2 * length * d <= size]
            old[Cell(size, length, length)] = _in_parts(answers, answers.old, parts, length, length)
            for depth in depths:
                bridged[Cell(size, length, depth)] = _in_parts(
                    answers, answers.bridged, parts, length, depth
                )
    return tuple(Shares(list(one), np.stack([*one.values()], axis=1)) for one in (old, bridged))  # type: ignore[return-value]


def _in_parts(answers: Answers, found: Places, parts: int, k: int, depth: int) -> Measured:
    shares = [
        overlap(_part(found, parts, part, depth), _part(answers.new, parts, part, k))
        for part in range(parts)
    ]
    mean: Measured = np.mean(shares, axis=0)
    return mean


def _part(found: Places, parts: int, part: int, count: int) -> Places:
    """Return the first ``count`` of each list (q, c) that belong to a part of the points."""
    if parts == 1:
        return found[:, :count]
    own = (shuffled(found.astype(np.uint32)) % parts == part) & (found >= 0)
    first = np.argsort(~own, axis=1, kind="stable")[:, :count]
    kept: Places = np.where(
        np.take_along_axis(own, first, 1), np.take_along_axis(found, first, 1), -1
    )
    return kept


def _overlaps(answers: Answers, k: int, seed: int) -> dict[str, Any]:
    """Return the shares of the new version's answer that the others have, whatever the measure."""
    named = {"old": answers.old, "bridged": answers.bridged, "cascade": _cascade(answers, k)}
    shares = [overlap(found[:, :k], answers.new[:, :k]) for found in named.values()]
    means = resample(np.stack(shares, axis=1), seed).T
    return {
        key: each
        for name, drawn in zip(named, means, strict=True)
        for key, each in _named(name, drawn).items()
    }


def _shown(levels: Levels) -> dict[str, Any]:
    old, bridged, new, cascade = levels
    assert cascade is not None
    return {
        **_named("old_old", old),
        **_named("bridged", bridged),
        **_named("new_new", new),
        **_named("cascade", cascade),
        **_named("arr", retained(bridged, new)),
        **_named("gain", gain_captured(old, bridged, new)),
    }


def _named(name: str, drawn: NDArray[np.float64]) -> dict[str, Any]:
    known = estimate(drawn)
    return {name: known.value, f"{name}_interval": known.interval}


def _as_matrix(matrix: NDArray[np.float64]) -> list[list[dict[str, Any]]]:
    """Return C by version of the queries, then of the rows."""
    cells = [[estimate(matrix[:, t, k]) for k in (0, 1)] for t in (0, 1)]
    return [[{"value": one.value, "interval": one.interval} for one in row] for row in cells]


def _compatibility(matrix: NDArray[np.float64]) -> dict[str, Any]:
    compatible = np.array([average_compatibility(one) for one in matrix])
    mean = np.array([average_measure(one) for one in matrix])
    return {**_named("ac", compatible), **_named("am", mean)}


def _mixed(
    answers: Answers,
    k: int,
    measure: Measure,
    relevant: Sequence[Sequence[int]] | None,
    seed: int,
) -> dict[str, Any] | None:
    """Return what searches by the new version find now among all points; judged only."""
    if relevant is None or answers.mixed is None:
        return None
    worth = _worth(answers.mixed, answers, k, measure, relevant)
    return _named("value", resample(worth[:, None], seed)[:, 0])


def _described(measure: Measure, k: int, answers: Answers, expected: object) -> str:
    names = {
        "overlap": f"share of the new version's top {k}",
        "known_item": f"known item in the top {k}",
        "ndcg": f"nDCG@{k}",
    }
    among = f"among the {answers.points} points that hold both versions"
    if expected is not None:
        among = f"among {answers.collection} points (expected from {answers.points} with both)"
    return f"{names[measure]} {among}"
