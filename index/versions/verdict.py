"""What to do about the rows of an old version: the break-even test (algorithms 4.1, 4.3).

- ``stay``: search the old rows by queries of the old version; the new one is not better.
- ``bridge``: queries of the new version over the old rows beat staying.
- ``cascade``: they do not, but their best candidates, embedded anew and ranked by that, do.
- ``reindex``: neither; embed everything anew before queries of the new version are answered.

**With judgements** a level is known item or nDCG, so it tells which version is better: bridging
pays when it is above staying.

**Without judgements** a level is the share of the new version's own answer. That takes the new
version to be the better one, and it is unfair to the old one: what it finds beside that answer is
an opinion of its own, often right, while what a bridge finds beside it is mostly error. If such a
row of the old version is worth ``s`` of a row of the answer, and one of the bridge ``r * s``,
bridging breaks even at the gain ``(1 - r) s / (1 - r s)``: .09 at the .5 and .9 measured for v1
and v2 of this project's text, .07 at the .1 and .3 for its v0, which carries too little to be
bridged. So the gain must reach ``LEAST_GAIN`` surely. Whenever judgements exist they decide, and
plainly: by what was measured.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from index.versions.measures import gain_captured

Verdict: TypeAlias = Literal["stay", "bridge", "cascade", "reindex"]

LEAST_GAIN = 0.1  # bridging must capture it where no judgement says that the old rows do worse
CASCADE_GAIN = 0.6  # below, most of what re-embedding buys stays out of the cascade's reach
SURE = (
    0.975  # share of the resamples in which it must, for a bridge that loses is the worse mistake
)
SAME = 0.99  # share of the new answer: versions that agree so far are told apart by nothing


class Levels(NamedTuple):
    """Mean measures (draws + 1,), the sample's own first; ``cascade`` None if not measured."""

    old: NDArray[np.float64]
    bridged: NDArray[np.float64]
    new: NDArray[np.float64]
    cascade: NDArray[np.float64] | None


class Decision(NamedTuple):
    """A verdict, the share of the resamples in which bridging pays, and why."""

    verdict: Verdict
    support: float
    reasons: list[str]


def decide(levels: Levels, *, judged: bool, measure: str, newer: bool = True) -> Decision:
    """Return the verdict on levels.

    Args:
        levels: of the old version alone, bridged, the new version alone, and the cascade.
        judged: whether they were measured against judgements.
        measure: what was measured, for the reasons.
        newer: whether the new version was declared after the old one; without judgements no other
            is worth leaving the old one for.
    """
    old, bridged, new, cascade = levels
    support = float(np.mean(_pays(levels, judged)[1:]))
    reasons = [
        f"{measure}: the old version alone {old[0]:.3f}, bridged {bridged[0]:.3f}, "
        f"the new version alone {new[0]:.3f}"
    ]
    if new[0] <= old[0] if judged else old[0] >= SAME * new[0]:
        what = "is no better than" if judged else "gives the same answers as"
        reasons.append(f"the new version {what} the old one, so there is nothing to gain")
        return Decision("stay", support, reasons)
    if not judged and not newer:
        reasons.append(
            "the version of the queries was declared before that of the rows, and without "
            "judgements the later one is taken to be the better: ask by queries of that one"
        )
        return Decision("stay", support, reasons)
    reasons.append(_bridging(levels, judged, support))
    if not judged:
        reasons.append("without judgements the new version is taken to be the better one")
    if bool(_pays(levels, judged)[0]) if judged else support >= SURE:
        return Decision("bridge", support, reasons)
    if cascade is None:
        return Decision("reindex", support, reasons)
    reached = float(gain_captured(old, cascade, new)[0])
    reasons.append(
        f"candidates embedded anew and ranked by that reach {cascade[0]:.3f}, {reached:.3f} of the "
        f"gain; a cascade is worth it from {CASCADE_GAIN:g} on"
    )
    return Decision("cascade" if reached >= CASCADE_GAIN else "reindex", support, reasons)


def _pays(levels: Levels, judged: bool) -> NDArray[np.bool_]:
    if judged:
        return levels.bridged > levels.old
    gain = gain_captured(levels.old, levels.bridged, levels.new)
    return np.nan_to_num(gain, nan=-1.0) >= LEAST_GAIN


def _bridging(levels: Levels, judged: bool, support: float) -> str:
    gain = float(gain_captured(levels.old, levels.bridged, levels.new)[0])
    needed = "more than 0" if judged else f"{LEAST_GAIN:g} in {SURE:.1%} of resamples"
    return (
        f"bridging captures {gain:.3f} of the gain and pays in {support:.1%} of resamples "
        f"(it must capture {needed})"
    )
