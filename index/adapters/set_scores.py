"""Exact scores of held-out points whose vectors are sets: what fits of sets are measured on.

Points ask by as many as ``ASKED`` of their vectors, spread over the set, so that a point asks by
all of its text as it does in a version of one vector a point. MaxSim is a sum over the vectors of
the query; to be comparable among queries, and with scores of single vectors, it is measured
``per_token`` here and wherever versions are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import Adapter
from palimpsest.index.adapters.scoring import bridged_scores, native_scores
from palimpsest.index.encoding.tokens import ExactMaxSim
from palimpsest.index.types import Distance, Vectors

Scores: TypeAlias = NDArray[np.float32]  # (q, n), larger for what is closer
ASKED = 32  # vectors of a query, as many as late-interaction models make of a question at most


class SetScores(NamedTuple):
    """What is known of held-out points (n, n), in place of what their vectors by themselves tell.

    ``new`` and ``old`` are by the queries' version, and by the rows'; ``bridged`` by an adapter;
    None where vectors tell it: scores of means, or of a version of one vector a point.
    """

    new: Scores | None = None
    old: Scores | None = None
    bridged: Callable[[Adapter], Scores] | None = None

    def by_new(self, queries: Vectors, rows: Vectors, distance: Distance) -> Scores:
        """Return the scores of the queries' version; arguments as of ``native_scores``."""
        return native_scores(queries, rows, distance) if self.new is None else self.new.copy()

    def by_old(self, queries: Vectors, rows: Vectors, distance: Distance) -> Scores:
        """Return the scores of the rows' version; arguments as of ``native_scores``."""
        return native_scores(queries, rows, distance) if self.old is None else self.old.copy()

    def over(
        self, adapter: Adapter, queries: Vectors, rows: Vectors, rows_distance: Distance
    ) -> Scores:
        """Return the scores by an adapter; arguments as of ``bridged_scores``."""
        if self.bridged is None:
            return bridged_scores(adapter, queries, rows, rows_distance)
        return self.bridged(adapter)


NO_SETS = SetScores()  # vectors by themselves tell everything


def per_token(distance: Distance, tokens: int) -> float:
    """Return what MaxSim of a query of so many vectors is divided by to be that of one.

    Under euclid MaxSim is a root of a sum of squares.
    """
    return sqrt(tokens) if distance is Distance.EUCLID else float(tokens)


def asked_by(values: Vectors) -> Vectors:
    """Return the vectors of a set (t, d) that its point asks by: at most ``ASKED``, in order."""
    if len(values) <= ASKED:
        return values
    chosen = np.linspace(0, len(values) - 1, ASKED).round().astype(np.intp)
    return np.ascontiguousarray(values[chosen])


def set_scores(asked: Sequence[Vectors], sets: Sequence[Vectors], distance: Distance) -> Scores:
    """Return exact MaxSim (q, n) per token of queries (t, d) each with sets (t, d) each."""
    starts = np.zeros(len(sets) + 1, dtype=np.int64)
    np.cumsum([len(one) for one in sets], out=starts[1:])
    if not sets:  # an adapter that needs no pairs may have none
        return np.empty((len(asked), 0), dtype=np.float32)
    values, rows = np.concatenate(sets), np.arange(len(sets), dtype=np.uint32)
    exact = ExactMaxSim(distance)
    found = np.empty((len(asked), len(sets)), dtype=np.float32)
    for query, line in zip(asked, found, strict=True):
        distances = exact.distances(query, values, starts, rows)
        line[:] = -distances / np.float32(per_token(distance, len(query)))
    return found


def mapped_set(adapter: Adapter, query: Vectors) -> Vectors:
    """Return each vector of a query (t, d_q) as sets are searched with it (t, d_v)."""
    return np.stack([adapter.map_query(one).vector for one in query])
