"""Pairs of points of which one version, or both, have sets of vectors: what is read of them.

Between sets and single vectors an adapter maps means of sets. Between two versions of sets it maps
tokens: fitted on tokens at the same places where both versions cut texts alike, which is told by
how many there are, else on means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import Adapter
from palimpsest.index.adapters.fitted import Over
from palimpsest.index.adapters.kinds import Kind, Pairs
from palimpsest.index.adapters.set_scores import (
    Scores,
    SetScores,
    asked_by,
    mapped_set,
    set_scores,
)
from palimpsest.index.config.collection import SpaceConfig
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.encoding.means import mean_of
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.types import Distance, Slots, Vectors
from palimpsest.index.view.view import AnyVectors

Sets: TypeAlias = list[Vectors]  # (t, d) each

TOKEN_KINDS: tuple[Kind, ...] = ("identity", "prefix", "procrustes", "procrustes_centred")
MOST_HELD = 256  # points that are measured on: each asks all others exactly
MOST_TOKENS = 1 << 17  # of these points: 64 MB of 128 dimensions
_FITTED_TOKENS = 1 << 15  # pairs of tokens that a map is fitted on: five hundred a dimension
_AGREEING = 0.5  # of the points; where fewer sets are of one length, that is chance


class HeldSets(NamedTuple):
    """Held-out points: means or vectors of both versions, and their exact scores."""

    pairs: Pairs
    scores: SetScores


def over_of(rows: SpaceConfig, queries: SpaceConfig) -> Over:
    """Return what an adapter between two versions compares."""
    if isinstance(rows, MultiConfig):
        return "tokens" if isinstance(queries, MultiConfig) else "means of rows"
    return "means of queries" if isinstance(queries, MultiConfig) else "vectors"


def candidates_of(
    over: Over, kinds: Sequence[Kind], rows: SpaceConfig, queries: SpaceConfig
) -> list[Kind]:
    """Return which kinds of adapter can serve: tokens are only ever mapped, never scaled."""
    if over != "tokens":
        return list(kinds)
    shorter = rows.size > queries.size and queries.distance is Distance.COSINE
    return [one for one in TOKEN_KINDS if one in kinds and not (one == "prefix" and shorter)]


def require_mapping(over: Over, adapter: Adapter) -> None:
    """Raise InvalidConfig for an adapter of tokens that needs a factor for each of the rows."""
    if over == "tokens" and (adapter.scales_rows or adapter.rescores):
        raise InvalidConfig(
            f"an adapter of kind {adapter.kind!r} scales the vectors it leads to, and those of "
            f"sets are compared as they are: use auto, {', '.join(TOKEN_KINDS[2:])}, or a matrix"
        )


def sets_at(vectors: AnyVectors, slots: Slots) -> tuple[Sets, bool]:
    """Return the sets of slots, as they are searched, and whether every one was found."""
    found: list[Any] = [None] * len(slots)
    for rows, source in vectors.find(slots):
        here = np.flatnonzero(rows >= 0)
        some = cast(Any, source).rows_of(rows[here])
        starts = some.starts.tolist()
        for place, first, last in zip(here.tolist(), starts[:-1], starts[1:], strict=True):
            found[place] = some.values[first:last]
    return found, all(one is not None for one in found)


def counts_at(vectors: AnyVectors, slots: Slots) -> NDArray[np.int64]:
    """Return how many vectors the set of each slot has (n,), 0 where it is not there."""
    counts = np.zeros(len(slots), dtype=np.int64)
    for rows, source in vectors.find(slots):
        here = rows >= 0
        starts = cast(Any, source).columns.starts
        counts[here] = starts[rows[here] + 1] - starts[rows[here]]
    return counts


def token_pairs(ends: Sequence[AnyVectors], slots: Sequence[Slots]) -> Pairs | None:
    """Return tokens of two versions at the same places, None where they cut texts differently.

    Args:
        ends: the rows' version and the queries'.
        slots: of the same points (n,) in either.
    """
    counts = [counts_at(one, own) for one, own in zip(ends, slots, strict=True)]
    agreeing = np.flatnonzero((counts[0] == counts[1]) & (counts[0] > 0))
    if not len(agreeing) or len(agreeing) < _AGREEING * len(slots[0]):
        return None
    quota = max(1, _FITTED_TOKENS // len(agreeing))
    found: tuple[list[Vectors], list[Vectors]] = [], []
    for some in np.array_split(agreeing, -(-len(agreeing) // MOST_HELD)):
        for vectors, own, kept in zip(ends, slots, found, strict=True):
            sets, complete = sets_at(vectors, own[some])
            if not complete:
                return None  # whoever asks looks at the same slots, and reads again
            kept.extend(one[_spread(len(one), quota)] for one in sets)
    return Pairs(np.concatenate(found[0]), np.concatenate(found[1]))


def _spread(count: int, most: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def first_held(ends: Sequence[AnyVectors], slots: Sequence[Slots]) -> int:
    """Return how many of some points are measured on: the first, as far as their sets are few."""
    counts = np.zeros(len(slots[0]), dtype=np.int64)
    for vectors, own in zip(ends, slots, strict=True):
        if isinstance(vectors.config, MultiConfig):
            counts = np.maximum(counts, counts_at(vectors, own))
    most = int(np.searchsorted(np.cumsum(counts), MOST_TOKENS, side="right"))
    return min(most, MOST_HELD)


def held_sets(
    rows: Vectors | Sets, queries: Vectors | Sets, spaces: Sequence[SpaceConfig]
) -> HeldSets:
    """Return held-out points with their exact scores.

    Args:
        rows: of the points (n), in the rows' version: vectors (n, d), or sets.
        queries: in the queries' version.
        spaces: how either is kept.
    """
    sides = [_side(own, space) for own, space in zip((rows, queries), spaces, strict=True)]
    old, new = sides
    pairs = Pairs(old.whole, new.asked_means)
    if new.asked is None:
        return HeldSets(pairs, SetScores(old=old.scores()))
    if old.asked is None:
        return HeldSets(pairs, SetScores(new=new.scores()))
    asked, sets, distance = new.asked, old.sets, spaces[0].distance
    bridged = _Remembered(
        lambda adapter: set_scores([mapped_set(adapter, one) for one in asked], sets, distance)
    )
    return HeldSets(pairs, SetScores(new.scores(), old.scores(), bridged))


class _Side(NamedTuple):
    """One version of held-out points; without ``asked`` one vector each."""

    whole: Vectors
    asked_means: Vectors
    sets: Sets
    asked: Sets | None
    distance: Distance

    def scores(self) -> Scores:
        """Return exact scores of all points with each other."""
        assert self.asked is not None
        return set_scores(self.asked, self.sets, self.distance)


def _side(own: Vectors | Sets, space: SpaceConfig) -> _Side:
    if isinstance(own, np.ndarray):
        return _Side(own, own, [], None, space.distance)
    unit = space.distance is Distance.COSINE
    asked = [asked_by(one) for one in own]
    whole, means = (
        np.array([mean_of(one, unit=unit) for one in some], np.float32).reshape(-1, space.size)
        for some in (own, asked)
    )
    return _Side(whole, means, own, asked, space.distance)


class _Remembered:
    """Scores by the adapter that was asked for last: each is measured several times in turn."""

    def __init__(self, scores_of: Callable[[Adapter], Scores]) -> None:
        self._scores_of = scores_of
        self._last: tuple[Adapter, Scores] | None = None

    def __call__(self, adapter: Adapter) -> Scores:
        if self._last is None or self._last[0] is not adapter:
            self._last = adapter, self._scores_of(adapter)
        return self._last[1].copy()
