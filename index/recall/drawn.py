"""Which queries recall is measured by: rows, what was asked of late, and what a caller gives."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from pyroaring import BitMap

from palimpsest.index.filters.expression import Filter
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.read.reading import Reading
from palimpsest.index.recall.answered import Answerable
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.types import BridgeMode, PointVector

Origin: TypeAlias = Literal["rows", "recent", "given"]
DEFAULT_QUERIES, MAX_QUERIES = 100, 1_000
DEFAULT_K, MAX_K = 10, 100
SECONDS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class RecallRequest:
    """What is to be measured: recall@k of searches under a name, of points that pass a filter.

    Up to ``num`` rows and as many recent queries are asked, or only those that are ``given``. Of a
    search ``ef``, ``rescore`` and ``oversampling`` are as of a ``SearchRequest``. It takes about
    ``seconds``.
    """

    vector_name: str = ""
    filter: Filter | None = None
    num: int = DEFAULT_QUERIES
    k: int = DEFAULT_K
    given: Sequence[PointVector] = ()
    ef: int | None = None
    rescore: bool | None = None
    oversampling: float | None = None
    bridge: BridgeMode = "on"
    seconds: float = SECONDS
    seed: int | None = None  # of what is drawn; None draws other rows each time

    def searching(self, query: Any) -> SearchRequest:
        """Return the search for one query."""
        return SearchRequest(
            query,
            self.vector_name,
            self.k,
            ef=self.ef,
            rescore=self.rescore,
            oversampling=self.oversampling,
            bridge=self.bridge,
        )


class Question(NamedTuple):
    """A query, and where it is from."""

    origin: Origin
    asked: Answerable


def drawn(reading: Reading, request: RecallRequest) -> list[Question]:
    """Return what is asked, in an order that means nothing: the first of them are a sample too.

    Raises:
        UnknownVectorName: the name is not declared.
        InvalidInput: a given query would be refused by a search.
        NotYetApplied: a point was replaced since; a newer reading has it.
    """
    view, name = reading.view, request.vector_name
    column = view.config.number(name)
    allowed = reading.allowed(request.filter)
    chance = random.Random(request.seed)

    def question(origin: Origin, query: PointVector, without: int | None = None) -> Question:
        return Question(origin, Answerable(view, request.searching(query), allowed, without))

    if request.given:
        config = view.vectors[column].config
        for given in request.given:  # searches that are exact are not asked, and would refuse none
            kind_of(config).check_example(given, config)
        questions = [question("given", query) for query in request.given]
    else:
        vectors = view.vectors[column]
        recent = kind_of(vectors.config).recent(vectors)
        questions = [question("recent", query) for query in recent[-request.num :]]
        rows = _rows(reading, column, allowed, request.num, chance)
        numbers = np.array(rows, dtype=np.uint32)
        for number, query in zip(rows, reading.examples(name, numbers), strict=True):
            # A zero vector is as close to all: what is found of it says nothing.
            if query is not None and not (isinstance(query, np.ndarray) and not query.any()):
                questions.append(question("rows", query, number))
    chance.shuffle(questions)
    return questions


def _rows(
    reading: Reading, column: int, allowed: BitMap | None, most: int, chance: random.Random
) -> list[int]:
    """Return the numbers of points to ask for: with a vector of the column, else with any version.

    Of one that holds another version the vector is mapped.
    """
    points = reading.view.vectors[column].held
    if not points:
        held = (found for _, found in reading.view.bridged(column))
        points = BitMap.union(BitMap(), *held)
    if allowed is not None:
        points = points & allowed
    places = chance.sample(range(len(points)), min(most, len(points)))
    return [points[place] for place in places]
