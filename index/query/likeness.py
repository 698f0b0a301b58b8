"""Levels that judge points by several examples: recommend, discover, context, feedback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.normalise import check_query
from palimpsest.index.errors import InvalidInput
from palimpsest.index.query import examples
from palimpsest.index.query.examples import Scores, Similarities, similarities
from palimpsest.index.query.nearest import nearest
from palimpsest.index.query.request import Context, Discover, Feedback, Pair, Prefetch, Recommend
from palimpsest.index.query.scope import Scope
from palimpsest.index.query.scored import Scored, best
from palimpsest.index.query.source import Source
from palimpsest.index.read.by_id import Point
from palimpsest.index.search.every_point import blocks
from palimpsest.index.search.plan import rung
from palimpsest.index.stops import checked
from palimpsest.index.types import Numbers, SparseVector, Vectors

Judged: TypeAlias = Recommend | Discover | Context | Feedback
# Scores from similarities, which may be off by some slack. Where a small error of a similarity
# makes a large one of the score, as in `discover`, the score is the best one within the slack.
Judge: TypeAlias = Callable[[Similarities, float], Scores]

# Points whose estimated score is recomputed exactly: this many at least, and this many per result.
EXACT_POINTS = 1_024
OVERSAMPLING = 4
# Points whose estimates tell how far estimates are off, and the standard deviations allowed for.
ERROR_POINTS, ERROR_SIGMAS = 64, 2.5


def by_examples(source: Source, node: Prefetch, query: Judged, scope: Scope, count: int) -> Scored:
    """Return the ``count`` points that the examples together make the best.

    Raises:
        InvalidInput: there is no example where one is needed.
    """
    if isinstance(query, Recommend) and query.strategy == "average_vector":
        _check_lengths(query, source.vector_names[node.using])
        return nearest(source, node, average(query), scope, count, averaged=True)
    points, judge = _judge(query)
    if isinstance(source.vector_names[node.using], VectorConfig):
        targets = np.stack(cast(Sequence[NDArray[np.float32]], points)).astype(np.float32)
        found = _among_dense(source, node, targets, judge, scope, count)
    else:
        sparse = cast(Sequence[SparseVector], points)
        found = _among_sparse(source, node, sparse, judge, scope, count)
    return found.above(node.threshold)


def _check_lengths(query: Recommend, config: ColumnConfig) -> None:
    """Refuse examples that would be refused as queries: of their mean more is taken."""
    if isinstance(config, VectorConfig):
        for point in (*query.positive, *query.negative):
            check_query(cast(Point, point), config)


def average(query: Recommend) -> Point:
    """Return the mean of the positive examples, moved away from that of the negative ones.

    Raises:
        InvalidInput: there is no positive example.
    """
    if not query.positive:
        raise InvalidInput(
            "recommend: Positive list is empty; average_vector needs an example, "
            "best_score and sum_scores do with negative ones"
        )
    share = (2.0 if query.negative else 1.0) / len(query.positive)
    shares = [share] * len(query.positive)
    shares += [-1.0 / len(query.negative) for _ in query.negative]
    points = cast(Sequence[Point], (*query.positive, *query.negative))
    if isinstance(points[0], SparseVector):
        return _sparse_sum(cast(Sequence[SparseVector], points), shares)
    rows = np.stack(cast(Sequence[NDArray[np.float32]], points)).astype(np.float64)
    with np.errstate(over="ignore"):  # what overflows becomes Inf, which is refused
        return (np.array(shares) @ rows).astype(np.float32)


def _sparse_sum(rows: Sequence[SparseVector], shares: Sequence[float]) -> SparseVector:
    indices, place = np.unique(np.concatenate([row.indices for row in rows]), return_inverse=True)
    parts = [share * row.values.astype(np.float64) for share, row in zip(shares, rows, strict=True)]
    sums = np.bincount(place, weights=np.concatenate(parts), minlength=len(indices))
    with np.errstate(over="ignore"):  # as above
        return SparseVector(indices, sums.astype(np.float32))


def _judge(query: Judged) -> tuple[Sequence[Point], Judge]:
    """Return all examples, and what makes scores of the similarities to them."""
    match query:
        case Recommend():
            return _judge_recommend(query)
        case Discover():
            return _judge_discover(query)
        case Context():
            return _judge_context(query)
        case Feedback():
            return _judge_feedback(query)


def _judge_recommend(query: Recommend) -> tuple[Sequence[Point], Judge]:
    points = cast(Sequence[Point], (*query.positive, *query.negative))
    if not points:
        raise InvalidInput("recommend: No positive or negative examples given, expected one")
    liked = len(query.positive)
    rule = examples.best_score if query.strategy == "best_score" else examples.sum_scores
    return points, lambda found, _: rule(found[:liked], found[liked:])


def _judge_discover(query: Discover) -> tuple[Sequence[Point], Judge]:
    positive, negative = _sides(query.context)
    points, end = [cast(Point, query.target), *positive, *negative], 1 + len(positive)
    return points, lambda found, slack: examples.discover(
        found[0], found[1:end], found[end:], slack
    )


def _judge_context(query: Context) -> tuple[Sequence[Point], Judge]:
    if not query.pairs:
        raise InvalidInput("context: No target or context given, expected a pair")
    positive, negative = _sides(query.pairs)
    pairs = len(positive)
    points = [*positive, *negative]
    return points, lambda found, _: examples.context(found[:pairs], found[pairs:])


def _judge_feedback(query: Feedback) -> tuple[Sequence[Point], Judge]:
    given = tuple(score for _, score in query.examples)
    points = [cast(Point, query.target), *(cast(Point, target) for target, _ in query.examples)]
    abc = query.a, query.b, query.c
    return points, lambda found, _: examples.feedback(found[0], found[1:], given, abc)


def _sides(pairs: Sequence[Pair]) -> tuple[list[Point], list[Point]]:
    return (
        [cast(Point, pair.positive) for pair in pairs],
        [cast(Point, pair.negative) for pair in pairs],
    )


def _among_dense(
    source: Source, node: Prefetch, targets: Vectors, judge: Judge, scope: Scope, count: int
) -> Scored:
    """Judge every point by estimated distances, then the best by exact ones."""
    config = source.vector_names[node.using]
    assert isinstance(config, VectorConfig)
    distance = config.distance

    def exactly(points: Numbers) -> Similarities:
        return similarities(source.rescore(node.using, targets, points), distance)

    every, exact, judged = node.params.exact or node.params.ignore_codes, True, []
    for some, distances, is_exact in source.score_all(
        node.using, targets, scope.restricted(source)
    ):
        estimates = similarities(distances, distance)
        slack = 0.0 if is_exact else _error(some, estimates, exactly)
        exact = exact and is_exact
        judged.append((some, judge(estimates, slack)))
    numbers, scores = _joined(judged)
    if exact:
        return best(numbers, scores, count)
    if not every:
        # the same for the pages of one answer, but where they pass from one rung to the next
        count_exact = rung(OVERSAMPLING * max(count, node.params.ef or 0), EXACT_POINTS)
        numbers = best(numbers, scores, count_exact).numbers
    pieces = [numbers[block] for block in blocks(len(targets), len(numbers))]
    return best(*_joined([(some, judge(exactly(some), 0.0)) for some in checked(pieces)]), count)


def _joined(judged: Sequence[tuple[Numbers, Scores]]) -> tuple[Numbers, Scores]:
    """Return the points and scores of all blocks."""
    numbers: list[Numbers] = [np.empty(0, dtype=np.uint32), *(some for some, _ in judged)]
    scores: list[Scores] = [np.empty(0, dtype=np.float32), *(found for _, found in judged)]
    return np.concatenate(numbers), np.concatenate(scores)


def _error(
    numbers: Numbers, estimates: Similarities, exactly: Callable[[Numbers], Similarities]
) -> float:
    """Return how far the difference of two estimates may be off, from a few points."""
    places = np.linspace(0, len(numbers) - 1, ERROR_POINTS).astype(np.intp)
    off = (estimates[:, places] - exactly(numbers[places])).astype(np.float64)
    return ERROR_SIGMAS * float(np.sqrt(2 * np.square(off).mean()))


def _among_sparse(
    source: Source,
    node: Prefetch,
    targets: Sequence[SparseVector],
    judge: Judge,
    scope: Scope,
    count: int,
) -> Scored:
    """Judge every point with a sparse vector; without a common dimension its similarity is 0."""
    corpus = source.allowed(node.params.idf_corpus)
    found = source.score_sparse(node.using, targets, scope.restricted(source), corpus=corpus)
    return best(*_joined([(some, judge(-distances, 0.0)) for some, distances in found]), count)
