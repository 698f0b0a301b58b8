"""Scores of rows of another version in the metric of the query's version: estimates.

Adapters that estimate rows in the queries' space (``adapter.ESTIMATING``) score in that metric
already. The others compare a mapped query with rows as they are, so their scores are of the rows'
metric and scale: lengths beside cosines, or of models whose vectors are of another length. What
all metrics have in common is how far a row reaches along the query, its *projection*: the cosine
itself, an inner product by the query's length, a distance by the lengths of both, where rows are
taken to be as long as they usually are. ``ScoreMap`` takes projections of one version to those that
stand at the same places of lists of the other, as found on held-out pairs. So as many points pass a
threshold as would if all were embedded anew. Fitted row by row instead, regression would shrink the
best ones below everything native (algorithms 8.2), and a threshold would lose them.

Where nothing was learned, ``converted`` takes rows to be as long as the query is.

Scores are larger for what is closer, here as in all of ``index.adapters``: distances are negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, pi, sqrt
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import ESTIMATING, Adapter
from palimpsest.index.adapters.calibration import fit_calibration
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.set_scores import NO_SETS, SetScores
from palimpsest.index.types import Distance, Vectors

Scores: TypeAlias = NDArray[np.float32]
Projections: TypeAlias = NDArray[np.float64]

FEWEST = 16  # pairs that anything can be learned from
_MOST, _ASKED = 1_000, 400  # pairs, and queries among them
_PLACES = 48  # of each list, that a map is fitted by: denser near the top
_FLATTEST = 1e-3  # of the mean slope, beyond the ends: what is closer never scores the same
_NO_LENGTH = 1e-12


class Metric(NamedTuple):
    """What scores are of: a distance of ``size`` dimensions, and the lengths of what is compared.

    ``query`` is (1,) for scores (n,) of one query, (q, 1) for those (q, n) of several; ``rows`` is
    what rows usually are, a number or like ``query``.
    """

    distance: Distance
    size: int
    query: NDArray[np.float64]
    rows: float | NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoreMap:
    """A map that never decreases: straight between knots (m,), and beyond them by two slopes.

    ``bridged`` are projections of rows of the one version, ``native`` those of the other that they
    stand for; ``lengths`` are how long rows of either usually are.
    """

    bridged: Projections
    native: Projections
    slopes: tuple[float, float]
    lengths: tuple[float, float]

    def of(self, projections: Projections) -> Projections:
        """Return what stands at the same places, of any shape."""
        first, last = self.bridged[0], self.bridged[-1]
        found = np.interp(projections, self.bridged, self.native)
        found += self.slopes[0] * np.minimum(projections - first, 0)
        found += self.slopes[1] * np.maximum(projections - last, 0)
        return np.asarray(found, dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {
            "bridged": self.bridged.tolist(),
            "native": self.native.tolist(),
            "slopes": list(self.slopes),
            "lengths": list(self.lengths),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ScoreMap:
        """Return a stored one, equal bit by bit. Raises LookupError, TypeError or ValueError."""
        (low, high), (rows, queries) = stored["slopes"], stored["lengths"]
        return cls(
            np.array(stored["bridged"], dtype=np.float64),
            np.array(stored["native"], dtype=np.float64),
            (float(low), float(high)),
            (float(rows), float(queries)),
        )


def learn_score_map(
    adapter: Adapter,
    held: Pairs,
    others: Pairs,
    rows_distance: Distance,
    queries_distance: Distance,
    query_pairs: Pairs | None = None,
    sets: SetScores = NO_SETS,
) -> ScoreMap | None:
    """Return the map of an adapter's scores; None where it needs none, or pairs are too few.

    Args:
        adapter: leads from queries of one version to rows of the other.
        held: pairs it was not fitted on.
        others: pairs it was, which count as well where too few were held out.
        rows_distance: of the rows' version.
        queries_distance: of the queries' version.
        query_pairs: queries to ask, None for the points of the pairs themselves.
        sets: of the held-out points, where a version has sets; a map is learned from these alone.
    """
    if sets.new is None and adapter.kind in ESTIMATING:
        return None
    if len(held.rows) < FEWEST and sets is NO_SETS:
        # A map from pairs that the adapter saw is a little too sure of itself; from three pairs it
        # would be arbitrary.
        held = Pairs(*(np.concatenate(both) for both in zip(held, others, strict=True)))
    if len(held.rows) < FEWEST:
        return None
    corpus = held.take(slice(_MOST))
    queries = (corpus if query_pairs is None else query_pairs).queries[:_ASKED]
    native = sets.by_new(queries, corpus.queries, queries_distance)
    bridged = sets.over(adapter, queries, corpus.rows, rows_distance)
    if query_pairs is None:
        np.fill_diagonal(native, -np.inf)
        np.fill_diagonal(bridged, -np.inf)
    usual = usual_length(corpus.rows), usual_length(corpus.queries)
    own, wanted = metrics_of(adapter, rows_distance, queries, mapped_by(adapter, queries), usual)
    ours, theirs = _best_places(bridged), _best_places(native)
    return fit_score_map(projected(ours, own), projected(theirs, wanted), usual)


def mapped_by(adapter: Adapter, queries: Vectors) -> Vectors:
    """Return queries (q, d_q) as rows are searched with them, (q, d_v)."""
    return np.stack([adapter.map_query(query).vector for query in queries])


def _best_places(scores: Scores) -> Scores:
    """Return the scores (q, m) at some places of each list (q, n), but for the last of it."""
    last = max(scores.shape[1] - 1, 1)
    # Dense where answers are: the first ten places decide what is found, the last thousand nothing.
    places = np.unique(np.geomspace(1, last, _PLACES).astype(np.intp)) - 1
    return np.asarray(-np.sort(-scores, axis=1)[:, places])


def fit_score_map(
    bridged: Projections, native: Projections, usual: tuple[float, float]
) -> ScoreMap:
    """Return the map between projections (q, m) at the same places of lists, best first."""
    known = fit_calibration(bridged.ravel(), native.ravel())
    spread = float(bridged.std())
    # Never quite flat: rows that differ are to have scores that differ, or their order would be
    # lost.
    least = _FLATTEST * (float(native.std()) / spread if spread > _NO_LENGTH else 1.0)
    low, high = (max(_end_slope(known.bridged, known.native, end), least) for end in (0, -1))
    return ScoreMap(known.bridged, known.native, (low, high), usual)


def _end_slope(knots: Projections, levels: Projections, end: int) -> float:
    """Return the slope of a fourth of the knots at an end."""
    span = max(len(knots) // 4, 1)
    other = min(span, len(knots) - 1) if end == 0 else max(len(knots) - 1 - span, 0)
    width = abs(float(knots[other] - knots[end]))
    return abs(float(levels[other] - levels[end])) / width if width > _NO_LENGTH else 0.0


def metrics_of(
    adapter: Adapter,
    rows_distance: Distance,
    queries: Vectors,
    mapped: Vectors,
    usual: tuple[float, float] | None,
) -> tuple[Metric, Metric]:
    """Return the metrics of an adapter's scores, and of those of the queries' version.

    Args:
        adapter: leads from queries of one version to rows of the other.
        rows_distance: of the rows' version.
        queries: (d_q,), or (q, d_q).
        mapped: what rows are searched with, (d_v,) or (q, d_v).
        usual: lengths of rows of either version, None for those of the queries.
    """
    own, asked = length(mapped), length(queries)
    rows, others = (own, asked) if usual is None else usual
    # what scales rows makes their scores cosines
    scored = Distance.COSINE if adapter.scales_rows else rows_distance
    return (
        Metric(scored, adapter.rows_size, own, rows),
        Metric(adapter.queries_distance, adapter.queries_size, asked, others),
    )


def estimated(
    adapter: Adapter,
    score_map: ScoreMap,
    scores: Scores,
    rows_distance: Distance,
    queries: Vectors,
    mapped: Vectors | None = None,
) -> Scores:
    """Return an adapter's scores (n,) or (q, n) in the metric of the queries, in the same order.

    Arguments are as of ``metrics_of``; without ``mapped`` the queries are mapped here.
    """
    if mapped is None:
        mapped = mapped_by(adapter, queries)
    usual = score_map.lengths
    own, wanted = metrics_of(adapter, rows_distance, queries, mapped, usual)
    return scored(score_map.of(projected(scores, own)), wanted)


def converted(scores: Scores, own: Metric, wanted: Metric) -> Scores:
    """Return scores of one metric as those of another, in the same order.

    As far along the query as a row of the one reaches, by what rows usually are, does one of the
    other.
    """
    if own.distance is wanted.distance is Distance.COSINE:
        return scores
    share = projected(scores, own) / _usual(own)
    return scored(share * _usual(wanted), wanted)


def _usual(metric: Metric) -> float | NDArray[np.float64]:
    cosine = metric.distance is Distance.COSINE
    return 1.0 if cosine else np.maximum(metric.rows, _NO_LENGTH)


def projected(scores: Scores, metric: Metric) -> Projections:
    """Return how far rows with some scores, of any shape, reach along their query."""
    known = scores.astype(np.float64)
    if metric.distance is Distance.COSINE:
        return known
    query = np.maximum(metric.query, _NO_LENGTH)
    if metric.distance is Distance.DOT:
        return np.asarray(known / query)
    squares = np.square(known / _spread(metric))
    return np.asarray((np.square(query) + np.square(metric.rows) - squares) / (2 * query))


def scored(projections: Projections, metric: Metric) -> Scores:
    """Return the scores of rows that reach so far along their query: ``projected`` undone."""
    if metric.distance is Distance.COSINE:
        return np.clip(projections, -1.0, 1.0).astype(np.float32)
    query = np.maximum(metric.query, _NO_LENGTH)
    if metric.distance is Distance.DOT:
        return np.asarray(projections * query, dtype=np.float32)
    squares = np.square(query) + np.square(metric.rows) - 2 * query * projections
    distances = np.sqrt(np.maximum(squares, 0.0)) * _spread(metric)
    return np.asarray(-distances, dtype=np.float32)


def _spread(metric: Metric) -> float:
    """Return by how much a distance is longer than the euclidean: for normal differences."""
    return sqrt(2 * metric.size / pi) if metric.distance is Distance.MANHATTAN else 1.0


def best_score(distance: Distance) -> float:
    """Return the score of what is as close as can be; infinite under dot."""
    if distance is Distance.DOT:
        return inf
    return 1.0 if distance is Distance.COSINE else 0.0


def length(vectors: Vectors) -> NDArray[np.float64]:
    """Return the lengths of vectors (d,) or (q, d) as (1,) or (q, 1)."""
    return np.asarray(np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True))


def usual_length(rows: Vectors) -> float:
    """Return the root of the mean square length of rows (n, d)."""
    return float(np.sqrt(np.mean(np.square(length(rows)))))
