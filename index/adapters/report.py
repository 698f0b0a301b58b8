"""What an adapter is worth, measured on pairs it was not fitted on; JSON for users and for gates.

``old_old``, ``bridged`` and ``new_new`` are shares of the new version's own k best, found by old
queries in old rows, by new queries in old rows through the adapter, and by new queries in new
rows (1 by definition); ``both`` is found by both queries in old rows, ``arr`` is bridged / new_new,
``gain`` the captured part of new_new - old_old, ``cascade`` the share among the 200 best bridged
candidates, and ``cascade_from_old`` that among the 100 best of the old version (algorithms 4.1,
4.6). At the top level they hold among the held-out points, in ``expected``, as cascades always do,
among as many rows as the collection has (``index.adapters.growth``). The verdict goes by the
latter, since a small corpus flatters a bridge. Every ``*_interval`` is the 95 % bootstrap interval
over queries.

No judgements are asked for, so the new version's answers are the measure, which takes the new
model to be the better one: ``assumes`` and the first of the reasons say so. Only judgements can
tell: ``index.adapters.compare_judged`` measures known item or nDCG with them. What they found for
two versions is kept as ``judged``; its verdict overrides this one, in later reports too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import Adapter
from palimpsest.index.adapters.bootstrap import Estimate, estimate
from palimpsest.index.adapters.comparable import Listed, Merge, comparable
from palimpsest.index.adapters.estimating import ScoreMap, estimated
from palimpsest.index.adapters.growth import Grown, grown, measured
from palimpsest.index.adapters.measures import gain_captured, kolmogorov_smirnov, retained
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.set_scores import NO_SETS, SetScores
from palimpsest.index.adapters.trial import Trial, run_trial, shares_found
from palimpsest.index.adapters.verdict import ASSUMED, Levels, decide
from palimpsest.index.types import Distance

K = 10
_FEWEST = 8  # held-out pairs: among fewer rows everything is found
_MOST = 1_000  # queries, and rows of the corpus: 0.4 s of one core
_FAR = 4  # times as many points as were held out: beyond, what is expected is an estimate


def report(
    adapter: Adapter,
    held: Pairs,
    *,
    query_pairs: Pairs | None = None,
    rows_distance: Distance,
    queries_distance: Distance,
    points: int = 0,
    merge: Merge | None = None,
    score_map: ScoreMap | None = None,
    newer: bool = True,
    known: Mapping[str, Any] | None = None,
    sets: SetScores = NO_SETS,
    k: int = K,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the report of an adapter.

    Args:
        adapter: fitted without the held-out pairs.
        held: at most 1,000 of them are used, drawn by the seed.
        query_pairs: queries in the old version (``rows``) and the new (``queries``), where there
            are some; else the held-out points search for each other.
        rows_distance: of the old version.
        queries_distance: of the new version.
        points: rows that the collection has or will have; 0 for as many as were held out.
        merge: how bridged scores are made comparable with native ones, None for not at all.
        score_map: takes bridged scores to the queries' metric, None where they are in it.
        newer: whether the queries' version was declared after the rows'. Where it was not, queries
            of an older model ask: the verdict is to stay, for the later model is taken as better.
        known: what judged queries have told of the two versions, None for nothing.
        sets: of the held-out points, at most 1,000, where a version has sets.
        k: length of an answer.
        seed: fixes what is drawn at random.
    """
    if len(held.rows) < _FEWEST:
        return _unmeasured(len(held.rows), known)
    corpus = _drawn(held, seed)
    asked = None if query_pairs is None else _drawn(query_pairs, seed)
    trial = run_trial(adapter, corpus, asked, (rows_distance, queries_distance), k, sets)
    found = shares_found(trial, seed)
    old, bridged, both = measured(found, seed)
    expected = grown(found, points, seed)
    new = np.ones_like(old)
    levels = levels_of(expected)
    measure = _measure(trial.k, expected.rows, corpus)
    if score_map is not None:
        queries = (corpus if asked is None else asked).queries
        bridged_as_new = estimated(adapter, score_map, trial.bridged, rows_distance, queries)
        trial = replace(trial, bridged=bridged_as_new)
    decision = decide(levels, newer=newer, measure=measure, known=known)
    return {
        "k": trial.k,
        "pairs_held_out": len(held.rows),
        "queries": len(trial.new),
        "queries_of": "points" if query_pairs is None else "queries",
        "measure": "overlap with the new version's own answer",
        **_shown(old, bridged, new),
        **_named("both", both),
        **_named("cascade", expected.cascade),
        **_named("cascade_from_old", expected.cascade_from_old),
        "expected": _expected(expected),
        "ks": _ks(trial, merge),
        "assumes": decision.assumes,
        "verdict": decision.verdict,
        "more_queries": decision.more_queries,
        "bridging_pays": decision.support,
        "reasons": [*decision.reasons, *_warnings(expected.rows, corpus)],
        "judged": None if known is None else dict(known),
    }


def levels_of(expected: Grown) -> Levels:
    """Return what is expected as levels of a verdict without judgements."""
    return Levels(
        expected.old,
        expected.bridged,
        np.ones_like(expected.old),
        expected.cascade,
        expected.both,
        expected.cascade_from_old,
    )


def _drawn(pairs: Pairs, seed: int) -> Pairs:
    if len(pairs.rows) <= _MOST:
        return pairs
    chosen = np.random.default_rng(seed).choice(len(pairs.rows), _MOST, replace=False)
    return pairs.take(np.sort(chosen))


def _shown(
    old: NDArray[np.float64], bridged: NDArray[np.float64], new: NDArray[np.float64]
) -> dict[str, Any]:
    return {
        **_named("old_old", old),
        **_named("bridged", bridged),
        **_named("new_new", new),
        **_named("arr", retained(bridged, new)),
        **_named("gain", gain_captured(old, bridged, new)),
    }


def _expected(expected: Grown) -> dict[str, Any]:
    levels = _shown(expected.old, expected.bridged, np.ones_like(expected.old))
    others = ("both", "cascade", "cascade_from_old")
    named = {
        key: each for one in others for key, each in _named(one, getattr(expected, one)).items()
    }
    return {"points": expected.rows, **levels, **named}


def _named(name: str, drawn: NDArray[np.float64]) -> dict[str, Any]:
    known: Estimate = estimate(drawn)
    return {name: known.value, f"{name}_interval": known.interval}


def _ks(trial: Trial, merge: Merge | None) -> dict[str, float | None]:
    """Return how far native and bridged scores of like lists differ, before and after the merge.

    The lists are the k best of either half of the corpus, so they would be alike if scores were.
    """
    native, bridged = (
        -np.partition(-scores[:, half::2], trial.k - 1, axis=1)[:, : trial.k]
        for half, scores in enumerate((trial.new, trial.bridged))
    )
    native[:, ::-1].sort(axis=1)
    bridged[:, ::-1].sort(axis=1)
    before = kolmogorov_smirnov(native.ravel(), bridged.ravel())
    if merge is None:
        return {"before": before, "after": None}
    live = trial.new.shape[1] // 2
    merged = [
        comparable(own, live, [Listed(other, merge, live)])
        for own, other in zip(native, bridged, strict=True)
    ]
    owns = np.concatenate([own for own, _ in merged])
    others = np.concatenate([other for _, (other,) in merged])
    return {"before": before, "after": kolmogorov_smirnov(owns, others)}


def _measure(k: int, rows: int, corpus: Pairs) -> str:
    among = f"among {rows} points"
    if rows > len(corpus.rows):
        among += f" (expected from {len(corpus.rows)} held-out ones)"
    return f"share of the new version's top {k} {among}"


def _warnings(rows: int, corpus: Pairs) -> list[str]:
    held = len(corpus.rows)
    if rows <= _FAR * held or held >= _MOST:
        return []
    return [f"measured on {held} held-out pairs only: more pairs make the verdict surer"]


def _unmeasured(held: int, known: Mapping[str, Any] | None) -> dict[str, Any]:
    why = (
        f"only {held} pairs are held out, at least {_FEWEST} are needed to measure anything: "
        "give more points vectors of both versions and fit again"
    )
    names = ("old_old", "bridged", "new_new", "arr", "gain", "both", "cascade", "cascade_from_old")
    nothing = {key: None for name in names for key in (name, f"{name}_interval")}
    return {
        "k": None,
        "pairs_held_out": held,
        "queries": 0,
        "queries_of": "points",
        "measure": "overlap with the new version's own answer",
        **nothing,
        "expected": None,
        "ks": {"before": None, "after": None},
        "assumes": ASSUMED if known is None else None,
        "verdict": "reindex" if known is None else known["verdict"],
        "more_queries": None,
        "bridging_pays": 0.0,
        "reasons": [why] if known is None else [*known["reasons"], why],
        "judged": None if known is None else dict(known),
    }
