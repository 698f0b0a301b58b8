"""The merge that was chosen on held-out pairs, against the others forced upon the same searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import Collection, Distance
from palimpsest.index.adapters.calibration import Calibration, fit_calibration
from palimpsest.index.adapters.comparable import Merge
from palimpsest.index.adapters.kinds import Adapter, Pairs, best, bridged_scores, native_scores
from palimpsest.index.types import Vectors
from tests.bench import versions_engine as engine
from tests.bench.corpora import SEED
from tests.bench.report import Result
from tests.bench.versions_corpora import Abstracts
from tests.bench.versions_rows import listed, verdict

SHARES = (0.25, 0.5, 0.75)
ENDS = (engine.OLD, "v2")
_SLACK = 0.01  # below the best of the others, at most
_TOP = 20  # rows of each bridged list that are calibrated on
_HELD = 1_000  # pairs for that
_ORDERS = 3  # random ones, of the few abstracts

CHOSEN = "chosen"
Measured: TypeAlias = dict[str, list[float]]  # by merge, one for each share


def measure(abstracts: Abstracts) -> Iterator[Result]:
    """Yield the row on Cranfield, whose adapter is fitted on the abstracts that migrated."""
    rows, n = abstracts.rows, len(abstracts.rows[engine.OLD])
    sums: Measured = {}
    for seed in range(_ORDERS):
        order = np.random.default_rng(SEED + seed).permutation(n)
        for place, share in enumerate(SHARES):
            with engine.holding(rows[engine.OLD]) as collection:
                engine.declare(collection, ENDS[1], rows[ENDS[1]])
                engine.migrate(collection, ENDS[1], rows[ENDS[1]], order[: round(share * n)])
                engine.fit(collection, *ENDS)
                engine.seal(collection)
                held = held_out(rows, order[round(share * n) :])
                quality = partial(_ndcg, collection, abstracts)
                for name, value in compare(collection, held, quality):
                    sums.setdefault(name, [0.0] * len(SHARES))[place] += value / _ORDERS
    yield row("1,400 abstracts, nDCG@10", sums)


def held_out(rows: Mapping[str, Vectors], points: NDArray[np.intp]) -> Pairs:
    """Return pairs of the first of some points."""
    return Pairs(*(rows[version][points[:_HELD]] for version in ENDS))


def _ndcg(collection: Collection, abstracts: Abstracts) -> float:
    return abstracts.ndcg(engine.searched(collection, ENDS[1], abstracts.queries[ENDS[1]]))


def compare(
    collection: Collection, held: Pairs, quality: Callable[[], float]
) -> Iterator[tuple[str, float]]:
    """Yield the quality of lists under the merge that was chosen, then under each one by force.

    Args:
        collection: with an adapter between ``ENDS``.
        held: pairs the adapter was not fitted on, which scores are calibrated on.
        quality: measures lists.
    """
    chosen = engine.fitted(collection, *ENDS).merge
    yield CHOSEN, quality()
    calibration = _calibration(engine.fitted(collection, *ENDS).adapter, held)
    for merge in (Merge("raw"), Merge("isotonic", calibration), Merge("rank")):
        engine.put_merge(collection, *ENDS, merge)
        yield merge.method, quality()
    engine.put_merge(collection, *ENDS, chosen)


def _calibration(adapter: Adapter, held: Pairs) -> Calibration:
    """Map scores at the top of bridged lists to the true scores they stand for."""
    bridged = bridged_scores(adapter, held.queries, held.rows, Distance.COSINE)
    native = native_scores(held.queries, held.queries, Distance.COSINE)
    for scores in (bridged, native):
        np.fill_diagonal(scores, -np.inf)
    tops = best(bridged, _TOP)
    return fit_calibration(
        np.take_along_axis(bridged, tops, axis=1).ravel(),
        np.take_along_axis(native, tops, axis=1).ravel(),
    )


def row(what: str, measured: Measured) -> Result:
    """Return the row of one corpus: what was chosen, and the best of the others at each share."""
    others = {name: values for name, values in measured.items() if name != CHOSEN}
    best = [max(values) for values in zip(*others.values(), strict=True)]
    above = [value + 1e-3 for value in best]  # a difference that shows
    met = verdict(measured[CHOSEN], [value - _SLACK for value in best], above)
    told = ", ".join(f"{name} {listed(values)}" for name, values in others.items())
    return Result(
        f"merge chosen on held-out pairs, {what} at 25/50/75 % migrated",
        ".01 below the best",
        "above all",
        f"{listed(measured[CHOSEN])} ({told}): {met}",
    )
