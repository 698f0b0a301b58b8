"""Levels that judge points by several examples: recommend, discover, context, feedback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import numpy as np

from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.errors import InvalidInput
from palimpsest.index.kinds.registry import kind_of
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
from palimpsest.index.types import Numbers

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
        config = source.vector_names[node.using]
        for example in (*query.positive, *query.negative):
            kind_of(config).check_example(cast(Point, example), config)
        return nearest(source, node, average(query, config), scope, count, averaged=True)
    points, judge = _judge(query)
    return _among(source, node, points, judge, scope, count).above(node.threshold)


def average(query: Recommend, config: ColumnConfig) -> Point:
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
    return kind_of(config).mean(points, shares)


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


def _among(
    source: Source, node: Prefetch, targets: Sequence[Point], judge: Judge, scope: Scope, count: int
) -> Scored:
    """Judge every point by estimated distances, then the best by exact ones."""
    distance = source.vector_names[node.using].distance
    corpus = source.allowed(node.params.idf_corpus)

    def exactly(points: Numbers) -> Similarities:
        return similarities(source.rescore(node.using, targets, points), distance)

    every, exact, judged = node.params.exact or node.params.ignore_codes, True, []
    for some, distances, is_exact in source.score(
        node.using, targets, scope.restricted(source), corpus=corpus
    ):
        estimates = similarities(distances, distance)
        # Measured on the very block: how far codes are off depends on the encoding, on the segment,
        # and on the examples.
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
    # Spread over the block and not drawn: the same request is to get the same answer.
    places = np.linspace(0, len(numbers) - 1, ERROR_POINTS).astype(np.intp)
    off = (estimates[:, places] - exactly(numbers[places])).astype(np.float64)
    return ERROR_SIGMAS * float(np.sqrt(2 * np.square(off).mean()))
