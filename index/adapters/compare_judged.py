"""Two versions side by side on judged queries: what users get, and what they would get.

The old version, the bridge, both queries together and the collection as it is now are searched as
users search them, among all points that hold the old version but those an adapter was fitted on,
which it knows better than any other. The new version's own answer, and the cascades, can only be
measured among points that hold both: there the old version is measured beside them, and what they
gain over it follows to the size of the collection (``index.adapters.growth``), for among few points
everything is found. A query counts for each as far as some point that is relevant to it is there.

The measure is whether the known item was found, where every query has one relevant point, else
nDCG with linear gains. Every gain over the old version has its interval, paired by query, and the
verdict goes by those (``index.adapters.verdict``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.bootstrap import resample
from palimpsest.index.adapters.compare_unjudged import as_matrix, matrix_of, named, shown
from palimpsest.index.adapters.gains import Gains, Judged, Measure, Placed, measure_of
from palimpsest.index.adapters.growth import CASCADE, CASCADE_FROM_OLD, follow
from palimpsest.index.adapters.lists import cells_of, is_in, shares_in
from palimpsest.index.adapters.measures import Measured, Places
from palimpsest.index.adapters.trial import Cell, TrialShares
from palimpsest.index.adapters.verdict import Levels, Lift, Way, decide_judged

Drawn = NDArray[np.float64]  # (draws + 1,)


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """Lists (q, k) of what users get, -1 where there are no more.

    ``mixed`` is found by queries of the new version among the points as they are now; None where
    searches fail, as ``bridged`` is without an adapter. ``gains`` are of the ``points`` searched:
    empty for a query that does not count. Where the two versions are ``alone``, what is found now
    is what the bridge is worth; a third one would have a part in it.
    """

    old: Places
    bridged: Places | None
    both: Places | None
    mixed: Places | None
    gains: Sequence[Gains]
    points: int
    alone: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """Lists (q, c) among ``points`` that hold both versions, of the same queries.

    ``candidates`` are those that new vectors rank: the old version's own best, or the bridge's.
    """

    old: Places
    candidates: Places
    new: Places
    gains: Sequence[Gains]
    points: int


def judgement(
    served: Served,
    shared: Shared | None,
    unseen: Shared | None,
    *,
    k: int,
    collection: int,
    seed: int = 0,
) -> dict[str, Any]:
    """Return what judged queries tell of two versions, as JSON.

    Args:
        served: what users get; at least one query counts.
        shared: what is found where both versions are held, its candidates the old version's; None
            where too few points hold both.
        unseen: the same among those that no adapter was fitted on, its candidates the bridge's;
            None without an adapter, or where too few are left.
        k: length of an answer.
        collection: how many points hold any version.
        seed: fixes the draws of the bootstrap.
    """
    measure = measure_of(served.gains)
    users = _users(served, measure, k)
    few = {} if shared is None else _few(shared, measure, k, CASCADE_FROM_OLD, collection)
    fewer = {} if unseen is None else _few(unseen, measure, k, CASCADE, collection)
    means = _resampled(
        [
            *(one[:, None] for one in users.values()),
            *(one.shares.found for one in (*few.values(), *fewer.values())),
        ],
        seed,
    )
    drawn = {name: next(means)[:, 0] for name in users}
    there = {name: one.follow(next(means)) for name, one in few.items()}
    deep = {name: one.follow(next(means)) for name, one in fewer.items()}
    unknown = np.full_like(drawn["old"], np.nan)
    levels = Levels(
        drawn["old"],
        drawn.get("bridged"),
        there.get("new", unknown),
        deep.get("cascade"),
        drawn.get("both"),
        there.get("cascade"),
    )
    if served.alone and "mixed" in drawn:
        serving = drawn["mixed"]
    else:
        serving = drawn.get("bridged")
    lifts = _lifts(drawn, serving, there, deep, (users["old"], few, fewer))
    both_over_bridge = None
    if "both" in drawn and serving is not None:
        both_over_bridge = Lift(drawn["both"] - serving, _counted(users["old"]))
    described = _described(measure, k, served, shared, few, collection)
    decision = decide_judged(lifts, both_over_bridge, described)
    return {
        "k": k,
        "queries": _counted(users["old"]),
        "points": served.points,
        "measure": measure,
        **shown(levels),
        **as_matrix(matrix_of(levels, None)),
        "expected": None,
        "mixed": None if "mixed" not in drawn else named("value", drawn["mixed"]),
        "over_old": {
            way: {**named("value", one.drawn), "queries": one.queries} for way, one in lifts.items()
        },
        "shared": None if shared is None else _shown_shared(shared, few, there, measure, seed),
        "assumes": None,
        "verdict": decision.verdict,
        "more_queries": decision.more_queries,
        "bridging_pays": decision.support,
        "reasons": decision.reasons,
    }


def outcome(found: dict[str, Any]) -> dict[str, Any]:
    """Return what of a judgement is kept for later reports on the same two versions."""
    kept = (
        "measure", "k", "queries", "points", "old_old", "bridged", "both", "new_new", "over_old",
        "verdict", "more_queries", "reasons",
    )  # fmt: skip
    return {name: found[name] for name in kept}


def _users(served: Served, measure: Measure, k: int) -> dict[str, Measured]:
    judged = Judged(served.gains, measure, k)
    lists = {
        "old": served.old,
        "bridged": served.bridged,
        "both": served.both,
        "mixed": served.mixed,
    }
    return {
        name: judged.worth(judged.placed(found[:, :k]), k)
        for name, found in lists.items()
        if found is not None
    }


class _Growing(NamedTuple):
    """A measure in some cells, and the cell it is wanted in."""

    shares: TrialShares
    wanted: Cell

    def follow(self, means: NDArray[np.float64]) -> Drawn:
        return follow(self.shares.cells, means, self.wanted)

    @property
    def queries(self) -> int:
        return _counted(self.shares.found[:, 0])


def _few(
    shared: Shared, measure: Measure, k: int, candidates: int, collection: int
) -> dict[str, _Growing]:
    """Return the old version, the new one and the cascade among points that hold both."""
    judged = Judged(shared.gains, measure, k)
    rows = max(collection, shared.points)
    wanted = Cell(rows, k, k)
    near, far = (list(cells_of(shared.points, k, deep=deep)) for deep in (False, True))
    old, new = (_in_cells(judged, found, near) for found in (shared.old, shared.new))
    deep = _cascades(judged, shared, [each for each in far if each[1].depth <= candidates])
    deepest = Cell(rows, k, min(candidates, rows))
    if rows == shared.points:  # nothing is to be followed: it is measured as it is
        deep = _cascades(judged, shared, [(1, deepest)])
    return {
        "old": _Growing(old, wanted),
        "new": _Growing(new, wanted),
        "cascade": _Growing(deep, deepest),
    }


def _in_cells(judged: Judged, found: Places, cells: list[tuple[int, Cell]]) -> TrialShares:
    placed = judged.placed(found)

    @cache
    def inside(parts: int, part: int) -> Placed:
        return placed.among(_own(found, parts, part))

    def worth(parts: int, part: int, cell: Cell) -> Measured:
        return judged.worth(inside(parts, part), cell.k, (parts, part))

    return shares_in(cells, worth)


def _cascades(judged: Judged, shared: Shared, cells: list[tuple[int, Cell]]) -> TrialShares:
    """Return what is found when the first ``depth`` candidates are ranked by new vectors."""
    placed, ranks = judged.placed(shared.new), _ranks_in(shared.new, shared.candidates)

    @cache
    def ranked(parts: int, part: int) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """Return which places of the new list are of a part, and their places as candidates."""
        own = _own(shared.candidates, parts, part)
        places = np.cumsum(own, axis=1) - 1
        beyond = np.full((len(own), 1), np.iinfo(places.dtype).max)  # of what is no candidate
        places = np.concatenate([places, beyond], axis=1)
        return _own(shared.new, parts, part), np.take_along_axis(places, ranks, 1)

    @cache
    def inside(parts: int, part: int, depth: int) -> Placed:
        own, places = ranked(parts, part)
        return placed.among(own & (places < depth))

    def worth(parts: int, part: int, cell: Cell) -> Measured:
        return judged.worth(inside(parts, part, cell.depth), cell.k, (parts, part))

    return shares_in(cells, worth)


def _own(found: Places, parts: int, part: int) -> NDArray[np.bool_]:
    return (found >= 0) & is_in(found, parts, part)


def _ranks_in(wanted: Places, found: Places) -> NDArray[np.intp]:
    """Return at which place of ``found`` (q, d) each of ``wanted`` (q, c) stands, d for none."""
    ranks = np.full(wanted.shape, found.shape[1], dtype=np.intp)
    for line, row, others in zip(ranks, wanted.tolist(), found.tolist(), strict=True):
        place_of = {number: place for place, number in enumerate(others) if number >= 0}
        line[:] = [place_of.get(number, len(others)) for number in row]
    return ranks


def _resampled(measured: Sequence[NDArray[np.float64]], seed: int) -> Any:
    """Yield the means (draws + 1, m) of measures (q, m), all drawn together."""
    means = resample(np.hstack(measured), seed)
    ends = np.cumsum([one.shape[1] for one in measured])[:-1]
    return iter(np.hsplit(means, ends))


def _lifts(
    drawn: dict[str, Drawn],
    serving: Drawn | None,
    there: dict[str, Drawn],
    deep: dict[str, Drawn],
    counted: tuple[Measured, dict[str, _Growing], dict[str, _Growing]],
) -> dict[Way, Lift]:
    """Return what each way gains over the old version, where that was measured."""
    old, few, fewer = counted
    lifts: dict[Way, Lift] = {}
    if serving is not None:
        lifts["bridge"] = Lift(serving - drawn["old"], _counted(old))
    if "both" in drawn:
        lifts["both"] = Lift(drawn["both"] - drawn["old"], _counted(old))
    if there and few["new"].queries:
        queries = few["new"].queries
        lifts["cascade_from_old"] = Lift(there["cascade"] - there["old"], queries)
    if deep and fewer["new"].queries:
        lifts["cascade"] = Lift(deep["cascade"] - deep["old"], fewer["new"].queries)
    if there and few["new"].queries:
        lifts["reindex"] = Lift(there["new"] - there["old"], few["new"].queries)
    return lifts


def _counted(measured: Measured) -> int:
    return int((~np.isnan(measured)).sum())


def _shown_shared(
    shared: Shared, few: dict[str, _Growing], there: dict[str, Drawn], measure: Measure, seed: int
) -> dict[str, Any]:
    """Return what was measured among the points that hold both, and what is expected of it."""
    firsts = {name: few[name].shares.found[:, :1] for name in ("old", "new")}
    raw = dict(zip(firsts, resample(np.hstack([*firsts.values()]), seed).T, strict=True))
    return {
        "points": shared.points,
        "queries": few["new"].queries,
        "measure": measure,
        **named("old_old", raw["old"]),
        **named("new_new", raw["new"]),
        "expected": {
            "points": few["new"].wanted.rows,
            **named("old_old", there["old"]),
            **named("new_new", there["new"]),
            **named("cascade_from_old", there["cascade"]),
        },
    }


def _described(
    measure: Measure,
    k: int,
    served: Served,
    shared: Shared | None,
    few: dict[str, _Growing],
    collection: int,
) -> str:
    what = f"known item in the top {k}" if measure == "known_item" else f"nDCG@{k}"
    text = (
        f"{what}: the old version, the bridge and both among the {served.points} points that hold "
        "the old version and were not fitted on"
    )
    if shared is None:
        return f"{text}; too few points hold both to measure the new version"
    return (
        f"{text}, the new version and what it ranks among the {shared.points} points that hold "
        f"both ({few['new'].queries} queries), as expected of {max(collection, shared.points)}"
    )
