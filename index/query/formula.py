"""Formulas: the points that prefetches found, scored anew by a term and ranked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from pyroaring import BitMap

from palimpsest.index.filters.decoding import decode_payload
from palimpsest.index.filters.expression import Filter, HasVector
from palimpsest.index.filters.matching import Facts
from palimpsest.index.query.compiled import (
    Evaluate,
    FormulaKnowledge,
    Row,
    compile_term,
    refuse_infinite,
)
from palimpsest.index.query.request import Formula
from palimpsest.index.query.scored import Scored, nothing
from palimpsest.index.query.source import Source
from palimpsest.index.stops import checked
from palimpsest.index.types import Numbers


def rank(source: Source, formula: Formula, found: Sequence[Scored], count: int) -> Scored:
    """Return the ``count`` best of the points found, by the formula's score.

    Raises:
        InvalidInput: a point has no finite score; the text names the term.
    """
    evaluate = compile_term(formula.term, FormulaKnowledge(formula.defaults, source.tokenizers))
    named = dict.fromkeys(n for ranking in found for n in ranking.numbers.tolist())
    facts = _facts(source, np.array([*named], dtype=np.uint32))
    numbers = [number for number in named if number in facts]
    if not numbers:
        return nothing()
    columns = [
        dict(zip(ranking.numbers.tolist(), ranking.scores.tolist(), strict=True))
        for ranking in found
    ]
    array = np.array(numbers, dtype=np.uint32)
    scores = np.empty(len(numbers))
    for place, number in enumerate(checked(numbers)):
        row = Row(facts[number], [column.get(number) for column in columns])
        scores[place] = _score(evaluate, row)
    order = np.argsort(-scores, kind="stable")[:count]
    return Scored(array[order], scores[order])


def _score(evaluate: Evaluate, row: Row) -> float:
    try:
        score = float(evaluate(row))
    except OverflowError:  # an integer on the way that no float holds
        refuse_infinite("of these integers as f64")
    with np.errstate(over="ignore"):
        rounded = float(np.float32(score))
    if not math.isfinite(rounded):
        refuse_infinite(f"{score} as f32")
    return rounded


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of a point's vectors; which points have one is found once it is asked for."""

    number: int
    having: Callable[[str], BitMap | None]

    def __contains__(self, name: object) -> bool:
        points = self.having(str(name))
        return points is None or self.number in points


def _facts(source: Source, numbers: Numbers) -> dict[int, Facts]:
    """Return what conditions and values may ask of each point that is still there."""
    if not len(numbers):
        return {}

    @cache
    def having(name: str) -> BitMap | None:
        return source.allowed(Filter(must=(HasVector(name),)))

    payloads = source.payloads(numbers)
    ids = source.ids_of(numbers)  # read last: a point that is there had its payload too
    return {
        number: Facts(
            ids[number],
            decode_payload(payload),
            _Names(number, having),
        )
        for number, payload in zip(numbers.tolist(), payloads, strict=True)
        if number in ids
    }
