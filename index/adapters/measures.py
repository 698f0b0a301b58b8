"""What answers are worth: shares, gains and the cross-version matrix, as plain functions of arrays.

Answers are (q, c) places of rows, best first; -1 stands for no row. Measures of a query lie
between 0 and 1, larger is better. ``C[t][k]`` is the mean measure of queries of version ``t``
over rows of version ``k``, versions from old to new (Shen et al., arXiv 2003.11942; algorithms
4.1); what was not measured is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]  # (q, c)
Measured = NDArray[np.float64]  # (q,) one number per query, or (draws,) one per resample


def overlap(found: Places, truth: Places) -> Measured:
    """Return the share (q,) of each row of ``truth`` that is in the same row of ``found``.

    Where ``truth`` is empty, as when nothing can be found at all, the share is 1.
    """
    there = truth >= 0
    common = ((found[:, :, None] == truth[:, None, :]) & there[:, None, :]).any(axis=1)
    wanted = there.sum(axis=1)
    share: Measured = np.where(wanted > 0, common.sum(axis=1) / np.maximum(wanted, 1), 1.0)
    return share


def known_item(found: Places, relevant: Sequence[Sequence[int]], k: int) -> Measured:
    """Return 1.0 where a relevant row is among the first ``k``, else 0.0; (q,)."""
    hits = [
        bool(set(row[:k].tolist()) & set(wanted))
        for row, wanted in zip(found, relevant, strict=True)
    ]
    return np.array(hits, dtype=np.float64)


def ndcg(found: Places, gains: Sequence[Mapping[int, float]], k: int) -> Measured:
    """Return nDCG@k (q,): linear gains, log2 discount, the ideal over all judged rows.

    A query without a positive gain measures 0 (Jarvelin and Kekalainen, 2002).
    """
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    measured = np.zeros(len(found))
    for place, (row, judged) in enumerate(zip(found, gains, strict=True)):
        ideal = np.array(sorted(judged.values(), reverse=True)[:k])
        best = float(ideal @ discount[: len(ideal)])
        if best > 0:
            gained = np.array([judged.get(one, 0.0) for one in row[:k].tolist()])
            measured[place] = float(gained @ discount[: len(gained)]) / best
    return measured


def retained(bridged: Measured, new: Measured) -> Measured:
    """Return ARR, ``bridged / new``: the share of a full reindex that bridging keeps.

    NaN where ``new`` is 0.
    """
    return _ratio(bridged, new)


def gain_captured(old: Measured, bridged: Measured, new: Measured) -> Measured:
    """Return ``(bridged - old) / (new - old)``: below 0 where staying is better than bridging.

    NaN where the new version gains nothing, for then there is nothing to capture.
    """
    return _ratio(bridged - old, np.where(new > old, new - old, 0.0))


def average_compatibility(matrix: NDArray[np.float64]) -> float:
    """Return AC: the share of the pairs t > k of (T, T) with ``C[t][k] > C[k][k]``.

    NaN for fewer than two versions, or where a pair was not measured.
    """
    newer, older = np.tril_indices(len(matrix), -1)
    if not len(newer) or np.isnan(matrix[np.tril_indices(len(matrix))]).any():
        return float("nan")
    return float(np.mean(matrix[newer, older] > matrix[older, older]))


def average_measure(matrix: NDArray[np.float64]) -> float:
    """Return AM: the mean of the lower triangle of (T, T), the diagonal included."""
    return float(np.mean(matrix[np.tril_indices(len(matrix))]))


def kolmogorov_smirnov(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the largest difference of two samples' distribution functions; 0 is the best."""
    every = np.sort(np.concatenate([one, other]))
    shares = [np.searchsorted(np.sort(some), every, "right") / len(some) for some in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def _ratio(top: Measured, bottom: Measured) -> Measured:
    ratio: Measured = np.full(np.broadcast(top, bottom).shape, np.nan)
    np.divide(top, bottom, out=ratio, where=np.asarray(bottom) > 0)
    return ratio
