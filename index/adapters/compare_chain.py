"""A chain of versions side by side: the cross-version matrix, AC, AM, and a verdict per step.

All lists are of one corpus, the points that hold every version of the chain and that no adapter
between them was fitted on. ``C[t][k]`` is the mean measure of queries of version t over rows of
version k, versions in the order they are given, which should be from old to new: AC is the share of
the pairs t > k in which newer queries over older rows beat the older version alone, and AM the mean
of the lower triangle (CoReS, arXiv 2111.07632; the criterion of a pair is that of Shen et al.,
arXiv 2003.11942). Queries are resampled all together, so that each has its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.bootstrap import resample
from palimpsest.index.adapters.compare_unjudged import as_matrix, named
from palimpsest.index.adapters.measures import Measured
from palimpsest.index.adapters.verdict import ASSUMED, Lift, Way, decide_judged

Cell: TypeAlias = tuple[int, int]  # (t, k): queries of version t over rows of version k


@dataclass(frozen=True, slots=True, eq=False)
class ChainMeasures:
    """What queries (q,) measure, NaN for those that do not count.

    ``worth`` has each cell of the matrix that was measured, always its diagonal. ``ranked`` has the
    steps' cascades: the best candidates of version k, ranked by vectors of version t. ``absolute``
    measures do not take any version to be right; of others steps have no verdict.
    """

    versions: Sequence[str]
    worth: Mapping[Cell, Measured]
    ranked: Mapping[Cell, Measured]
    absolute: bool
    described: str


def chained(measures: ChainMeasures, seed: int = 0) -> dict[str, Any]:
    """Return the matrix, AC and AM with their intervals, and the steps of the chain, as JSON.

    Args:
        measures: of at least one query, and of two versions.
        seed: fixes the draws of the bootstrap.
    """
    every = [*measures.worth.values(), *measures.ranked.values()]
    means = resample(np.stack(every, axis=1), seed)
    cells = dict(zip(measures.worth, means.T, strict=False))
    ranked = dict(zip(measures.ranked, means.T[len(cells) :], strict=True))
    count = len(measures.versions)
    matrix = np.full((len(means), count, count), np.nan)
    for (t, k), drawn in cells.items():
        matrix[:, t, k] = drawn
    missing = [
        f"queries of {measures.versions[t]!r} over rows of {measures.versions[k]!r}"
        for t in range(count)
        for k in range(t)
        if (t, k) not in cells
    ]
    reasons = [measures.described]
    if missing:
        reasons.append(f"AC and AM are unknown, as no adapter serves {', '.join(missing)}")
    if not measures.absolute:
        reasons.append(
            f"{ASSUMED}: its own answers are what should be found, so no step has a verdict; "
            "`relevant` or `relevant_by` let queries tell"
        )
    return {
        "queries": int((~np.isnan(measures.worth[0, 0])).sum()),
        **as_matrix(matrix),
        "assumes": None if measures.absolute else ASSUMED,
        "steps": [
            _step(measures, cells, ranked, old) for old in range(count - 1) if measures.absolute
        ],
        "reasons": reasons,
    }


def _step(
    measures: ChainMeasures,
    cells: Mapping[Cell, NDArray[np.float64]],
    ranked: Mapping[Cell, NDArray[np.float64]],
    old: int,
) -> dict[str, Any]:
    """Return what going from one version to the next one gains, and what to do."""
    new, alone = old + 1, cells[old, old]
    queries = int((~np.isnan(measures.worth[old, old])).sum())
    ways: dict[Way, NDArray[np.float64] | None] = {
        "bridge": cells.get((new, old)),
        "cascade_from_old": ranked.get((new, old)),
        "reindex": cells[new, new],
    }
    lifts = {way: Lift(drawn - alone, queries) for way, drawn in ways.items() if drawn is not None}
    decision = decide_judged(lifts, None, measures.described)
    return {
        "old": measures.versions[old],
        "new": measures.versions[new],
        "over_old": {
            way: {**named("value", one.drawn), "queries": queries} for way, one in lifts.items()
        },
        "verdict": decision.verdict,
        "more_queries": decision.more_queries,
        "reasons": decision.reasons,
    }
