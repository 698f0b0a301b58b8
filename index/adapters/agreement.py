"""Agreement of neighbours by a label: what tells versions apart where nobody judged queries.

A point asks by its own vector, and what it finds agrees where it has a label of the point. The
measure is the share of the first k that agree (the precision of a k-nearest-neighbour search, as
classifiers of embeddings are tested: Wu et al., arXiv 1805.01978). It is a proxy of relevance: as
good as the label is, and the same for every version, so what it differs by tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from palimpsest.index.adapters.measures import Measured, Places

Labels: TypeAlias = frozenset[Hashable]  # of one point; empty for a point without any


def agreement(found: Places, own: Sequence[Labels], labels: Mapping[int, Labels]) -> Measured:
    """Return the share (q,) of the points found that have a label in common with who asks.

    Args:
        found: numbers (q, k), -1 where there are no more; where nothing is found, the share is 0.
        own: the labels of the points that ask.
        labels: of the points found; one that is missing has none.
    """
    shares: Measured = np.zeros(len(found))
    for place, (row, wanted) in enumerate(zip(found.tolist(), own, strict=True)):
        there = [number for number in row if number >= 0]
        agreed = sum(not wanted.isdisjoint(labels.get(number, ())) for number in there)
        shares[place] = agreed / len(there) if there else 0.0
    return shares


def chance(own: Sequence[Labels]) -> float:
    """Return how often two of the points, drawn at random, have a label in common.

    Points of several labels in common are counted once for each, so it is an upper bound where
    points have more than one.
    """
    if len(own) < 2:
        return 0.0
    counts = Counter(label for labels in own for label in labels)
    pairs = sum(count * (count - 1) for count in counts.values())
    return min(1.0, pairs / (len(own) * (len(own) - 1)))
