"""Measures how many candidates hold the ten closest sets, and chooses what finds them.

Queries are vectors of sets, each left out of its own answer, and what was asked of late. What is
exact is MaxSim over the sets themselves. Each generator ranks all sets by its codes; a depth holds
when the ten closest are among as many, of a mean query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.segments.probe import Recall
from palimpsest.index.types import Distances, Vectors

RULE = 1
K = 10
QUERIES = 96  # made of sets
FEWEST_SETS = 256  # of a segment: fewer are all compared by MaxSim
WANTED = 0.985  # of the ten closest, among the candidates
_SURE = 0.99  # where less than what is given by default is to do
DEPTHS = (50, 100, 150, 200, 300, 400, 600, 800, 1_200, 1_600)
DEFAULT_DEPTH = 200
# Vectors of a query made of a set. Of users' queries of 1,400 abstracts .991 and .985 of the
# ten closest are among 200 candidates by the two generators; of queries of 16 of a set's vectors
# .992 and .985, of 20 more, of 12 fewer.
VECTORS = 16
_WORTH = 0.7  # of the depth that a cheaper generator needs, above which that one is taken

MultiDecision: TypeAlias = Literal["planned", "ef", "short"]
Ranks: TypeAlias = NDArray[np.int64]  # (q, k): how many sets a generator puts before each


class MultiProbed(NamedTuple):
    """What a probe found and decided of one segment; stands in its description.

    ``found`` is the share of the ten closest among ``DEFAULT_DEPTH`` candidates of each generator,
    ``recall`` that of what was decided. Decisions: ``planned`` up to that depth, ``ef`` for more,
    ``short`` where none of the depths holds.
    """

    rule: int
    decision: MultiDecision
    generator: str
    depth: int
    recall: Recall
    found: Mapping[str, float]
    queries: int
    recent: int

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` takes."""
        return {**self._asdict(), "recall": list(self.recall), "found": dict(self.found)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> MultiProbed | None:
        """Return what a segment's description states; None where it was written without a probe."""
        if stored is None:
            return None
        return cls(**{**stored, "recall": Recall(*stored["recall"])})


class MultiSample(NamedTuple):
    """Queries (t, d) each, and the sets they were made of, -1 for none; users' own come last."""

    queries: Sequence[Vectors]
    own: NDArray[np.int64]
    recent: int


def queries_of(sets: Sequence[Vectors], seed: int) -> list[Vectors]:
    """Return queries made of sets: some of the vectors of each, in their order."""
    rng = np.random.default_rng(seed)
    made = []
    for one in sets:
        few = min(VECTORS, len(one))
        made.append(np.ascontiguousarray(one[np.sort(rng.choice(len(one), few, replace=False))]))
    return made


def closest_of(exact: Distances, own: int) -> NDArray[np.int64]:
    """Return the ``K`` closest sets of a query by its distances (n,) to all, but for its own."""
    if own >= 0:
        exact = exact.copy()
        exact[own] = np.inf
    few = np.argpartition(exact, K - 1)[:K] if len(exact) > K else np.arange(len(exact))
    few = few[exact[few] < np.inf]
    return few[np.argsort(exact[few], kind="stable")].astype(np.int64)


def ranks_of(estimates: Distances, closest: NDArray[np.int64], own: int) -> NDArray[np.int64]:
    """Return before how many of all sets, but its own, each of the closest ones is put (k,)."""
    if own >= 0:
        estimates = np.delete(estimates, own)
        closest = closest - (closest > own)
    return np.searchsorted(np.sort(estimates), estimates[closest], side="right") - 1


def decide(ranks: Mapping[str, Sequence[NDArray[np.int64]]], sample: MultiSample) -> MultiProbed:
    """Return which generator finds the closest sets by the fewest candidates, and how many.

    Args:
        ranks: of each generator, the cheapest first, what ``ranks_of`` gave for each query.
        sample: what was asked.
    """
    users = len(sample.queries) - sample.recent
    chosen, *others = ranks
    depths = {
        name: _depth(each[:users], each[users:], cheap=name == chosen and len(ranks) > 1)
        for name, each in ranks.items()
    }
    for name in others:
        if _needed(depths[name]) <= _WORTH * _needed(depths[chosen]):
            chosen = name
    best = depths[chosen]
    depth = DEPTHS[-1] if best is None else best
    decision: MultiDecision = "planned" if depth <= DEFAULT_DEPTH else "ef"
    return MultiProbed(
        RULE,
        "short" if best is None else decision,
        chosen,
        depth,
        Recall.of(_recalls(ranks[chosen], depth)),
        {name: float(_recalls(each, DEFAULT_DEPTH).mean()) for name, each in ranks.items()},
        len(sample.queries),
        sample.recent,
    )


def _needed(depth: int | None) -> float:
    return np.inf if depth is None else depth


def _depth(*groups: Sequence[NDArray[np.int64]], cheap: bool) -> int | None:
    """Return the first depth that is surely enough, the default one where it holds; else None.

    Of made queries and of users': none hides behind another. A ``cheap`` generator is to be surely
    enough at any depth, for another may be taken.
    """
    for depth in DEPTHS:
        is_sure = cheap or depth < DEFAULT_DEPTH
        if all(_holds(_recalls(each, depth), sure=is_sure) for each in groups if each):
            return depth
    return None


def _holds(each: NDArray[np.float64], *, sure: bool) -> bool:
    """Tell whether recalls (q,) are as good as wanted: surely, or as far as so few tell."""
    if sure:
        return bool(each.mean() >= _SURE)
    return bool(each.mean() + each.std() / np.sqrt(len(each)) >= WANTED)


def _recalls(ranks: Sequence[NDArray[np.int64]], depth: int) -> NDArray[np.float64]:
    """Return the share (q,) of the closest sets among so many candidates."""
    return np.array([np.count_nonzero(each < depth) / max(len(each), 1) for each in ranks])
