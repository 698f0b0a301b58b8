"""Isotonic calibration: bridged scores to the scores that rows of the query's version would get.

Fitted by pool-adjacent-violators (Barlow and Brunk, 1972) on the tops of bridged lists, where a
merge needs it: fitted on all pairs it describes rows that no list holds (algorithms 8.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

_KNOTS = 256  # of the stored map, at most


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A map that never decreases: straight between knots (m,), of slope 1 beyond the last ones."""

    bridged: NDArray[np.float64]
    native: NDArray[np.float64]

    def of(self, scores: Scores) -> Scores:
        """Return calibrated scores, in the same order."""
        # Beyond the knots nothing was measured. A slope of 1 there keeps the order, where a flat
        # end would make all that is better than the best pair equal.
        inside = np.clip(scores, self.bridged[0], self.bridged[-1])
        calibrated = np.interp(inside, self.bridged, self.native) + (scores - inside)
        return calibrated.astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {"bridged": self.bridged.tolist(), "native": self.native.tolist()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Calibration:
        """Return a stored one."""
        return cls(np.array(stored["bridged"]), np.array(stored["native"]))


def fit_calibration(bridged: NDArray[np.floating], native: NDArray[np.floating]) -> Calibration:
    """Return the calibration of bridged scores (n,) to the native scores (n,) of the same rows."""
    order = np.argsort(bridged, kind="stable")
    xs, means = bridged[order].astype(np.float64), pool(native[order].astype(np.float64))
    ends = np.flatnonzero(np.append(np.diff(means) > 0, True))
    starts = np.append(0, ends[:-1] + 1)
    centres = np.array([xs[a : b + 1].mean() for a, b in zip(starts, ends, strict=True)])
    levels = means[ends]
    if len(centres) > _KNOTS:
        # Spread over the levels, both ends among them: those are what the slopes beyond begin at.
        kept = np.unique(np.linspace(0, len(centres) - 1, _KNOTS).astype(np.intp))
        centres, levels = centres[kept], levels[kept]
    return Calibration(centres, levels)


def pool(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the closest values, in squares, that never decrease: violators are averaged."""
    sums: list[float] = []
    counts: list[int] = []
    for value in values.tolist():
        total, count = value, 1
        # Means compared by products: equal ones are joined too, which a division would round apart.
        while sums and sums[-1] * count >= total * counts[-1]:
            total, count = total + sums.pop(), count + counts.pop()
        sums.append(total)
        counts.append(count)
    return np.repeat(np.array(sums) / np.array(counts), counts)
