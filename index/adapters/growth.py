"""What a measure on a small corpus becomes in a large one.

The more rows there are, the more of them come between a query and its answer, so shares measured
among a thousand held-out points promise too much for a large collection. The log-odds of a share
fall about in proportion to the logarithm of the number of rows, and change so with the length of
the answer and with the depth of the list. A plane through the shares in all cells of a trial is
followed to the size of the collection; short answers among many rows are nearest to it.

On this project's text (1,000 held-out points to 48,000 or, with v3, 12,000) the gain that
bridging captures comes out as .02 / .19 / .24 / .64 where it is .02 / .21 / .27 / .61 (v0 to v2,
v1 to v2, v1 to v3, v2 to v3); among the 1,000 points themselves it is .13 / .31 / .32 / .65.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.bootstrap import resample
from palimpsest.index.adapters.trial import Cell, TrialAnswers, TrialShares

CASCADE = 200  # candidates of a cascade through an adapter
CASCADE_FROM_OLD = 100  # candidates of one that begins with the old version's own answer
_LEAST, _MOST = 0.002, 0.998  # shares between which log-odds are finite enough to draw a plane


class Grown(NamedTuple):
    """Mean shares of the new version's answer, (draws + 1,) each, the sample's own first."""

    rows: int
    old: NDArray[np.float64]
    bridged: NDArray[np.float64]
    both: NDArray[np.float64]
    cascade: NDArray[np.float64]
    cascade_from_old: NDArray[np.float64]


def measured(found: TrialAnswers, seed: int) -> NDArray[np.float64]:
    """Return the mean shares (3, draws + 1) of old, bridged and both in the trial as it was."""
    return resample(np.stack([shares.found[:, 0] for shares in found], axis=1), seed).T


def grown(found: TrialAnswers, points: int, seed: int) -> Grown:
    """Return the shares to be expected among ``points`` rows.

    Args:
        found: shares of the new version's answers.
        points: rows to search; fewer than were held out count as that many.
        seed: fixes the draws.
    """
    whole = found.old.cells[0]
    rows = max(points, whole.rows)
    wanted = whole._replace(rows=rows)
    means = resample(np.hstack([shares.found for shares in found]), seed)
    old, bridged, both = np.hsplit(means, np.cumsum([len(one.cells) for one in found])[:-1])
    return Grown(
        rows,
        _near(found.old, old, wanted),
        _near(found.bridged, bridged, wanted),
        _near(found.both, both, wanted),
        _deep(found.bridged, bridged, wanted, CASCADE),
        _deep(found.old, old, wanted, CASCADE_FROM_OLD),
    )


def _near(shares: TrialShares, means: NDArray[np.float64], wanted: Cell) -> NDArray[np.float64]:
    first = [place for place, cell in enumerate(shares.cells) if cell.depth == cell.k]
    return follow([shares.cells[place] for place in first], means[:, first], wanted)


def _deep(
    shares: TrialShares, means: NDArray[np.float64], wanted: Cell, depth: int
) -> NDArray[np.float64]:
    """Return the shares among the first ``depth`` of lists; all where there are no more rows."""
    if wanted.rows <= depth:
        return np.ones(len(means))
    return follow(shares.cells, means, wanted._replace(depth=depth))


def follow(cells: list[Cell], shares: NDArray[np.float64], wanted: Cell) -> NDArray[np.float64]:
    """Return the shares (draws + 1,) in another cell, from those in some (draws + 1, m).

    Where more rows seem to make it easier, that is noise, and their number is left out.
    """
    if wanted == cells[0]:
        return shares[:, 0]
    logs = np.log(cells)
    centre = logs.mean(axis=0)
    kept = np.clip(shares, _LEAST, _MOST)
    odds = np.log(kept / (1.0 - kept))
    slopes = odds @ np.linalg.pinv(logs - centre).T
    slopes[:, 0] = np.minimum(slopes[:, 0], 0.0)
    reached = odds.mean(axis=1) + slopes @ (np.log(wanted) - centre)
    share: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-reached))
    return share
