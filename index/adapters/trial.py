"""A trial of an adapter on held-out pairs: three exact searches of one corpus, side by side.

The corpus is the held-out points; queries are those same points, each without itself, or pairs of
queries. Old searches the old rows by old queries, new the new rows by new queries, bridged the
old rows by new queries through the adapter. The new version's best are what the others are to
find. It is repeated for shorter answers, and among random halves and quarters of the corpus, so
that ``index.adapters.growth`` can tell what a larger corpus makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import Adapter
from palimpsest.index.adapters.joint_score import WEIGHT, fuse
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.scoring import best
from palimpsest.index.adapters.set_scores import NO_SETS, SetScores
from palimpsest.index.types import Distance, Vectors

ScoreMatrix = NDArray[np.float32]  # (q, n) larger for what is closer

_PARTS = (1, 2, 4)  # the corpus is cut into so many
_SHORTER = (1.0, 0.7, 0.4, 0.2, 0.1)  # answers, as shares of k
_DEPTHS = (1, 2, 4, 8)  # times an answer's length: how far down the bridged list it is looked for
_DEEPEST = 0.4  # of a part: deeper, everything is found
_FUSED = 64  # rows of either list that both queries score
_RESCORED = (64, 8)  # candidates that ``Adapter.rescore`` ranks: at least, and times k


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Scores (q, n) of all queries with all rows of the corpus; a query's own point has -inf."""

    new: ScoreMatrix
    old: ScoreMatrix
    bridged: ScoreMatrix
    both: ScoreMatrix  # of the two before together, -inf beyond the tops of either
    k: int


class Cell(NamedTuple):
    """The ``k`` best of the new version, looked for among ``rows`` rows, ``depth`` down a list."""

    rows: int
    k: int
    depth: int


class TrialAnswers(NamedTuple):
    """What the old version finds, what is found through the adapter, and by both queries."""

    old: TrialShares
    bridged: TrialShares
    both: TrialShares


class TrialShares(NamedTuple):
    """What was found: shares (q, m) of the answers in m cells, that of the whole trial first."""

    cells: list[Cell]
    found: NDArray[np.float64]


def run_trial(
    adapter: Adapter,
    held: Pairs,
    query_pairs: Pairs | None,
    distances: tuple[Distance, Distance],
    k: int,
    sets: SetScores = NO_SETS,
) -> Trial:
    """Return the scores of a trial.

    Args:
        adapter: fitted on other pairs.
        held: the corpus, at least four pairs.
        query_pairs: queries of the same texts in the old version (``rows``) and in the new one
            (``queries``); None to search for the corpus's own points.
        distances: of the old rows, and of the new version.
        k: length of an answer; a quarter of a small corpus.
        sets: of the corpus, where a version has sets.
    """
    old_distance, new_distance = distances
    asked = held if query_pairs is None else query_pairs
    k = max(1, min(k, len(held.rows) // 4))
    new = sets.by_new(asked.queries, held.queries, new_distance)
    old = sets.by_old(asked.rows, held.rows, old_distance)
    bridged = sets.over(adapter, asked.queries, held.rows, old_distance)
    if adapter.rescores:
        rescore(adapter, asked.queries, held.rows, bridged, max(_RESCORED[0], _RESCORED[1] * k))
    if query_pairs is None:
        for scores in (new, old, bridged):
            np.fill_diagonal(scores, -np.inf)
    return Trial(new, old, bridged, _together(old, bridged), k)


def _together(old: ScoreMatrix, bridged: ScoreMatrix) -> ScoreMatrix:
    """Return scores by both queries of the rows at the top of either's list, as a search does."""
    both = np.full_like(old, -np.inf)
    most = min(_FUSED, old.shape[1] - 1)
    for line, own, other, *tops in zip(
        both, old, bridged, best(old, most), best(bridged, most), strict=True
    ):
        among = np.union1d(*tops)
        among = among[np.isfinite(own[among]) & np.isfinite(other[among])]
        line[among] = fuse(other[among], own[among], WEIGHT)
    return both


def rescore(
    adapter: Adapter, queries: Vectors, rows: Vectors, scores: ScoreMatrix, most: int
) -> None:
    """Rank the candidates that a search has at hand anew; they stay above all other rows.

    Their scores are ``Adapter.rescore``'s: inner products with the rows as the adapter maps them,
    which are mapped here once for all queries.
    """
    most = min(most, len(rows))
    refined = queries @ adapter.map_rows(rows).T
    for line, own in zip(scores, refined, strict=True):
        first = np.argpartition(-line, most - 1)[:most]
        line += min(0.0, float(own[first].min() - line[first].min()))
        line[first] = own[first]


def shares_found(trial: Trial, seed: int) -> TrialAnswers:
    """Return what was found of the new version's answers in the lists of a trial.

    Of the list by both queries the first rows count, as many as the answer has; of the others some
    depths, too.
    """
    old: dict[Cell, NDArray[np.float64]] = {}
    bridged: dict[Cell, NDArray[np.float64]] = {}
    both: dict[Cell, NDArray[np.float64]] = {}
    for pieces in _cuts(trial, seed):
        size, least = len(pieces[0]), 1 if len(pieces) == 1 else len(pieces) / _DEEPEST
        ks = [k for k in lengths(trial.k) if size >= least * k]
        if ks:
            cells = [Cell(size, k, k) for k in ks]
            both.update(_found(trial.new, trial.both, pieces, cells))
            deeper = [one._replace(depth=one.k * d) for one in cells for d in _DEPTHS]
            cells += [c for c in deeper if c.k < c.depth <= _DEEPEST * size]
            old.update(_found(trial.new, trial.old, pieces, cells))
            bridged.update(_found(trial.new, trial.bridged, pieces, cells))
    return TrialAnswers(_shares(old), _shares(bridged), _shares(both))


def _cuts(trial: Trial, seed: int) -> Iterator[list[NDArray[np.int64]]]:
    order = np.random.default_rng(seed).permutation(trial.new.shape[1])
    for parts in _PARTS:
        size = len(order) // parts
        yield [order[piece * size : (piece + 1) * size] for piece in range(parts)]


def lengths(k: int) -> list[int]:
    """Return the lengths of answers that a trial looks at, k first."""
    return sorted({max(1, round(share * k)) for share in _SHORTER}, reverse=True)


def _found(
    new: ScoreMatrix, other: ScoreMatrix, pieces: list[NDArray[np.int64]], cells: list[Cell]
) -> dict[Cell, NDArray[np.float64]]:
    """Return the share (q,) of each cell's answer in the other list, a mean over pieces.

    Rows that tie with the last of the list count by how many of them it has room for, so that
    scores that tell nothing apart find what chance does.
    """
    found: dict[Cell, list[NDArray[np.float64]]] = {cell: [] for cell in cells}
    for piece in pieces:
        scores = other[:, piece]
        answer = best(new[:, piece], max(cell.k for cell in cells))
        wanted = np.take_along_axis(scores, answer, 1)
        depths = sorted({cell.depth for cell in cells})
        ranked = np.partition(scores, [-depth for depth in depths], axis=1)
        listed = {
            depth: _listed(scores, wanted, ranked[:, -depth, None], depth) for depth in depths
        }
        for cell, shares in found.items():
            shares.append(listed[cell.depth][:, : cell.k].mean(axis=1))
    return {cell: np.mean(shares, axis=0) for cell, shares in found.items()}


def _listed(
    scores: ScoreMatrix, wanted: ScoreMatrix, last: ScoreMatrix, depth: int
) -> NDArray[np.float64]:
    """Return how surely each wanted row (q, k) is in the list that ends with ``last`` (q, 1)."""
    above = (scores > last).sum(axis=1, keepdims=True)
    room = (depth - above) / (scores == last).sum(axis=1, keepdims=True)
    return np.where(wanted > last, 1.0, np.where(wanted == last, room, 0.0))


def _shares(found: dict[Cell, NDArray[np.float64]]) -> TrialShares:
    return TrialShares(list(found), np.stack(list(found.values()), axis=1))
