"""What to do about the rows of an old version: the break-even test (algorithms 4.1, 4.3).

- ``stay``: search the old rows by queries of the old version; nothing is better.
- ``bridge``: queries of the new version over the old rows beat staying.
- ``both``: callers send every query in both versions, which beats staying.
- ``cascade_from_old``: the old version's 100 best, embedded anew and ranked by that, do.
- ``cascade``: the best candidates of the bridge, embedded anew and ranked by that, do.
- ``reindex``: embed everything anew before queries of the new version are answered.
- ``not enough queries``: the judged queries do not tell; the report says about how many more would.
- ``compare``: a bridge would pay if the new version is the better one: compare judged queries.

**With judgements** every way is measured by known item or nDCG, so they tell which is better. One
that is chosen must be better than the old version beyond its 95 % interval; of several the one that
asks least of callers, unless the next is surely better still.

**Without judgements** a level is the share of the new version's own answer. That takes the new
version to be the better one, which nothing here can tell, and it is unfair to the old one: what it
finds beside that answer is an opinion of its own, often right, while what a bridge finds beside it
is mostly error. If such a row of the old version is worth ``s`` of a row of the answer, and one of
the bridge ``r * s``, bridging breaks even at the gain ``(1 - r) s / (1 - r s)``: .09 at the .5 and
.9 measured for v1 and v2 of this project's text, .07 at the .1 and .3 for its v0, which carries too
little to be bridged. Between models that are not relatives a bridge is seldom as good as the old
version, however much of the answer it finds. So ``bridge`` is said only where judged queries of an
earlier comparison said so, and the verdict of such a comparison stands until the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.bootstrap import Estimate, estimate, queries_needed
from palimpsest.index.adapters.measures import gain_captured

Verdict: TypeAlias = Literal[
    "stay",
    "bridge",
    "both",
    "cascade_from_old",
    "cascade",
    "reindex",
    "not enough queries",
    "compare",
]
Way: TypeAlias = Literal["bridge", "both", "cascade_from_old", "cascade", "reindex"]

ASSUMED = "this takes the new model to be better"
LEAST_GAIN = 0.1  # bridging must capture it where no judgement says that the old rows do worse
CASCADE_GAIN = 0.6  # below, most of what re-embedding buys stays out of the cascade's reach
SURE = (
    0.975  # share of the resamples in which it must, for a bridge that loses is the worse mistake
)
_COUNTLESS = 100_000  # queries: a difference that takes more to be seen is none to users
SAME = 0.99  # share of the new answer: versions that agree so far are told apart by nothing


class Levels(NamedTuple):
    """Mean measures (draws + 1,), the sample's own first; None for what was not measured."""

    old: NDArray[np.float64]
    bridged: NDArray[np.float64] | None
    new: NDArray[np.float64]
    cascade: NDArray[np.float64] | None
    both: NDArray[np.float64] | None = None
    cascade_from_old: NDArray[np.float64] | None = None


class Decision(NamedTuple):
    """A verdict, the share of the resamples in which bridging pays, and why.

    ``assumes`` is what the verdict takes for granted, None for nothing; ``more_queries`` about how
    many more judged ones would decide, None where they have, or where no number would.
    """

    verdict: Verdict
    support: float
    reasons: list[str]
    assumes: str | None = None
    more_queries: int | None = None


# Without judgements.


def decide(
    levels: Levels, *, measure: str, newer: bool = True, known: Mapping[str, Any] | None = None
) -> Decision:
    """Return the verdict on shares of the new version's own answer.

    Args:
        levels: of the old version alone, bridged, the new version alone, and the other ways.
        measure: what was measured, for the reasons.
        newer: whether the new version was declared after the old one; without judgements no other
            is worth leaving the old one for.
        known: what an earlier comparison on judged queries found, as ``outcome`` of
            ``index.adapters.compare_judged`` has it; None for no such.
    """
    old, new = levels.old, levels.new
    support = 0.0 if levels.bridged is None else float(np.mean(_pays(levels)[1:]))
    reasons = [f"{measure}: {_told(levels)}"]
    if old[0] >= SAME * new[0]:
        reasons.append(
            "the new version gives the same answers as the old one, so there is nothing to gain"
        )
        return Decision("stay", support, reasons)
    if known is not None:
        judged = f"{known['queries']} judged queries decided so, in an earlier comparison"
        return Decision(known["verdict"], support, [judged, *known["reasons"], *reasons])
    if not newer:
        reasons.append(
            "the version of the queries was declared before that of the rows, and without "
            "judgements the later one is taken to be the better: ask by queries of that one"
        )
        return Decision("stay", support, reasons)
    head = f"{ASSUMED}: no judged queries have told (a comparison with `relevant` lets them)"
    reasons = [head, *reasons]
    if levels.bridged is not None:
        reasons.append(_bridging(levels, support))
    if support >= SURE:
        reasons.append(
            "so a bridge may pay; whether it beats the old version compare on judged queries"
        )
        return Decision("compare", support, reasons, ASSUMED)
    way, reached = _best_cascade(levels)
    if way is None:
        return Decision("reindex", support, reasons, ASSUMED)
    reasons.append(
        f"candidates {'of the old version' if way == 'cascade_from_old' else 'of the bridge'}, "
        f"embedded anew and ranked by that, reach {reached:.3f} of the gain; a cascade is worth it "
        f"from {CASCADE_GAIN:g} on"
    )
    return Decision(way if reached >= CASCADE_GAIN else "reindex", support, reasons, ASSUMED)


def _told(levels: Levels) -> str:
    names = {
        "the old version alone": levels.old,
        "bridged": levels.bridged,
        "by both queries": levels.both,
        "the new version alone": levels.new,
    }
    return ", ".join(f"{name} {one[0]:.3f}" for name, one in names.items() if one is not None)


def _pays(levels: Levels) -> NDArray[np.bool_]:
    assert levels.bridged is not None
    gain = gain_captured(levels.old, levels.bridged, levels.new)
    return np.nan_to_num(gain, nan=-1.0) >= LEAST_GAIN


def _bridging(levels: Levels, support: float) -> str:
    assert levels.bridged is not None
    gain = float(gain_captured(levels.old, levels.bridged, levels.new)[0])
    return (
        f"bridging captures {gain:.3f} of the gain and would pay in {support:.1%} of resamples "
        f"(it must capture {LEAST_GAIN:g} in {SURE:.1%} of them)"
    )


def _best_cascade(levels: Levels) -> tuple[Literal["cascade", "cascade_from_old"] | None, float]:
    """Return the cascade that reaches more of the gain; the one from old needs no adapter."""
    found: list[tuple[float, Literal["cascade", "cascade_from_old"]]] = []
    ways: tuple[Literal["cascade_from_old", "cascade"], ...] = "cascade_from_old", "cascade"
    for way in ways:
        level: NDArray[np.float64] | None = getattr(levels, way)
        if level is not None:
            found.append((float(gain_captured(levels.old, level, levels.new)[0]), way))
    if not found:
        return None, 0.0
    reached, way = max(found, key=lambda each: each[0])
    return way, reached


# With judgements.


class Lift(NamedTuple):
    """What a way gains over the old version (draws + 1,), measured on so many queries."""

    drawn: NDArray[np.float64]
    queries: int

    @property
    def known(self) -> Estimate:
        """The gain and its interval."""
        return estimate(self.drawn)

    @property
    def surely(self) -> bool:
        """Whether it is above 0 beyond its interval."""
        low = self.known.low
        return low is not None and low > 0

    @property
    def hardly(self) -> bool:
        """Whether it is not above 0, beyond its interval."""
        high = self.known.high
        return high is not None and high <= 0


def decide_judged(
    lifts: Mapping[Way, Lift], both_over_bridge: Lift | None, measure: str
) -> Decision:
    """Return the verdict of judged queries.

    Args:
        lifts: of the ways that were measured over the old version alone; that of ``reindex`` is the
            new version's own gain.
        both_over_bridge: what both queries gain over the bridge, None where one was not measured.
        measure: what was measured, for the reasons.
    """
    bridging = lifts.get("bridge")
    support = 0.0 if bridging is None else float(np.mean(bridging.drawn[1:] > 0))
    reasons = [f"{measure}; over the old version alone: {', '.join(map(_gained, lifts.items()))}"]
    sure = [way for way, one in lifts.items() if one.surely]
    for ways in (("bridge", "both"), ("cascade_from_old", "cascade"), ("reindex",)):
        among = [way for way in sure if way in ways]
        if among:
            way = _of_two(among, lifts, both_over_bridge)
            reasons.append(f"{_WAYS[way]} is better than the old version beyond its interval")
            return Decision(way, support, reasons)
    new = lifts.get("reindex")
    if new is not None and (new.hardly or all(one.hardly for one in lifts.values())):
        reasons.append("nothing is better than the old version alone")
        return Decision("stay", support, reasons)
    if new is None:
        reasons.append("the new version was not measured: no relevant point holds both versions")
    more = _more(lifts)
    asked = "hardly any number would tell them apart" if more is None else f"about {more} more"
    return Decision(
        "not enough queries",
        support,
        [f"not enough queries: {asked}", *reasons],
        more_queries=more,
    )


_WAYS: Mapping[Way, str] = {
    "bridge": "bridging",
    "both": "asking by both queries",
    "cascade_from_old": "ranking the old version's best by new vectors",
    "cascade": "ranking the bridge's best by new vectors",
    "reindex": "the new version, with everything embedded anew,",
}


def _of_two(among: list[Way], lifts: Mapping[Way, Lift], both_over_bridge: Lift | None) -> Way:
    """Return the way to take of those that are surely better and cost about the same."""
    if len(among) == 1:
        return among[0]
    if among[0] == "bridge":
        surely = both_over_bridge is not None and both_over_bridge.surely
        return "both" if surely else "bridge"
    return max(among, key=lambda way: lifts[way].known.value or 0.0)


def _gained(each: tuple[Way, Lift]) -> str:
    way, lift = each
    known = lift.known
    if known.low is None or known.high is None or known.value is None:
        return f"{way} unknown"
    return f"{way} {known.value:+.3f} [{known.low:+.3f}, {known.high:+.3f}] ({lift.queries})"


def _more(lifts: Mapping[Way, Lift]) -> int | None:
    """Return about how many more queries show the first of the ways that seem better."""
    seeming = [one for one in lifts.values() if (one.known.value or 0.0) > 0]
    needed = [
        wanted - one.queries
        for one in seeming or lifts.values()
        if (wanted := queries_needed(one.known, one.queries)) is not None and wanted < _COUNTLESS
    ]
    return max(1, min(needed)) if needed else None
