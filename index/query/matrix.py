"""Distances among a random sample of points: the closest others of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from pyroaring import BitMap

from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.filters.bitmaps import from_numbers
from palimpsest.index.filters.expression import Filter
from palimpsest.index.query.ordered import sample
from palimpsest.index.query.scope import Scope
from palimpsest.index.query.scored import Scored, is_similarity, nothing
from palimpsest.index.query.source import Source
from palimpsest.index.query.targets import config_of
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.stops import check_stop
from palimpsest.index.types import Numbers, PointId, Vector

DEFAULT_SAMPLE = 10
DEFAULT_NEIGHBOURS = 3
MAX_PAIRS = 1_000_000  # one second and 200 MB
_BLOCK = 256  # rows of distances held at a time


@dataclass(frozen=True, slots=True, eq=False)
class MatrixRequest:
    """How many of the points that pass to sample, and how many neighbours of each to return."""

    using: str = ""
    filter: Filter | None = None
    sample: int = DEFAULT_SAMPLE
    limit: int = DEFAULT_NEIGHBOURS


class Neighbours(NamedTuple):
    """Sampled points in the order of their ids; of each the places and scores of its closest."""

    ids: Sequence[PointId]
    places: Sequence[Sequence[int]]
    scores: Sequence[Sequence[float]]


def neighbours(source: Source, request: MatrixRequest) -> Neighbours:
    """Return the closest sampled points of every sampled point; nothing for a sample of one.

    Raises:
        UnknownVectorName: the name is not declared.
        InvalidConfig: so many points have so many neighbours that there would be too many pairs.
    """
    config = config_of(source, request.using)
    scope = Scope(request.filter).having(request.using)
    chosen = sample(source, scope, request.sample).numbers
    ordered = source.first(from_numbers(chosen), len(chosen))
    ids = source.ids_of(ordered)
    numbers = np.array([n for n in ordered.tolist() if n in ids], dtype=np.uint32)
    if len(numbers) < 2:
        return Neighbours([], [], [])
    if len(numbers) * min(request.limit, len(numbers)) > MAX_PAIRS:
        raise InvalidConfig(
            f"limit: sample times limit must be {MAX_PAIRS} or smaller, got {len(numbers)} points "
            f"with up to {min(request.limit, len(numbers))} others each: ask for fewer of either"
        )
    if isinstance(config, VectorConfig):
        found = _dense(source, request, numbers, config)
    else:
        found = _by_searches(source, request, numbers, config)
    places = [one.numbers.tolist() for one in found]
    return Neighbours(
        [ids[number] for number in numbers.tolist()], places, [one.scores.tolist() for one in found]
    )


def _dense(
    source: Source, request: MatrixRequest, numbers: Numbers, config: VectorConfig
) -> list[Scored]:
    """Return places and scores of the closest of each, from whole rows of distances."""
    rows = source.examples(request.using, numbers)
    none = np.zeros(config.size, dtype=np.float32)  # of one that was deleted meanwhile
    vectors = np.stack([none if row is None else cast(Vector, row) for row in rows])
    similarity = is_similarity(config)
    found = []
    for start in range(0, len(numbers), _BLOCK):
        block = source.rescore(request.using, vectors[start : start + _BLOCK], numbers)
        for row, distances in enumerate(block, start):
            check_stop()
            order = np.argsort(distances, kind="stable")
            order = order[order != row][: request.limit]
            scores = 0 - distances[order] if similarity else distances[order]
            found.append(Scored(order.astype(np.uint32), scores.astype(np.float64)))
    return found


def _by_searches(
    source: Source, request: MatrixRequest, numbers: Numbers, config: ColumnConfig
) -> list[Scored]:
    """Return places and scores of the closest of each, which is searched for among the others."""
    similarity = is_similarity(config)
    place_of = {number: place for place, number in enumerate(numbers.tolist())}
    everyone = from_numbers(numbers)
    found = []
    for number, vector in zip(place_of, source.examples(request.using, numbers), strict=True):
        if vector is None:  # replaced since it was chosen
            found.append(nothing())
            continue
        others = everyone - BitMap([number])
        check_stop()
        asked = SearchRequest(vector, request.using, request.limit, exact=True)
        near = source.nearest(asked, others)
        places = np.array([place_of[one] for one in near.numbers.tolist()], dtype=np.uint32)
        distances = near.distances.astype(np.float64)
        found.append(Scored(places, 0 - distances if similarity else distances))
    return found
