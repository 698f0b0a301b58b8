"""Terms compiled to functions of one point.

A term is evaluated from left to right, in double precision once a fraction takes part: sums,
differences, products and extremes of integers are exact. What has no finite value, or no value at
all and no default, refuses the query: a score that means nothing must not pass for one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import truediv
from typing import Any, NamedTuple, NoReturn, TypeAlias, cast

from palimpsest.index.errors import InvalidInput
from palimpsest.index.filters.expression import Path
from palimpsest.index.filters.geo import metres, read_point
from palimpsest.index.filters.matching import Facts, compile_condition
from palimpsest.index.filters.paths import format_path
from palimpsest.index.filters.tokens import Tokenizer
from palimpsest.index.filters.values import parse_datetime, values_at
from palimpsest.index.query.terms import (
    Constant,
    Decay,
    Holds,
    Many,
    Metres,
    One,
    Power,
    Quotient,
    Score,
    Term,
    Value,
)

MICROSECONDS = 1e6  # per second
DEFAULT_SCORE = 0.0
_LARGEST_BITS = 1024  # an integer of fewer is certain to have a float next to it

Defaults: TypeAlias = Mapping[Path | int, object]


class FormulaKnowledge(NamedTuple):
    """What a formula may use besides points: its defaults, and how fields cut their texts."""

    defaults: Defaults
    tokenizers: Mapping[Path, Tokenizer]


class Row(NamedTuple):
    """One point to be scored: what it is, and the score of each prefetch that found it."""

    facts: Facts
    scores: Sequence[float | None]


Evaluate: TypeAlias = Callable[[Row], float]


def compile_term(term: Term, known: FormulaKnowledge) -> Evaluate:
    """Return the function that evaluates a term for a point."""
    match term:
        case Constant(value):
            return lambda row: value
        case Score(place):
            return _score(place, known.defaults)
        case Value(path, is_datetime):
            read = _seconds if is_datetime else _number
            return read(path, known.defaults)
        case Metres():
            return _metres(term, known.defaults)
        case Holds(condition):
            check = compile_condition(condition, known.tokenizers)
            return lambda row: 1.0 if check(row.facts) else 0.0
        case Decay():
            return _decay(term, known)
        case _:
            return _operation(term, known)


def _operation(term: One | Many | Quotient | Power, known: FormulaKnowledge) -> Evaluate:
    match term:
        case One(operator, operand):
            inner, function = compile_term(operand, known), _ONE[operator]
            return lambda row: _finite(operator, function, inner(row))
        case Many("mult", operands):
            return _product([compile_term(each, known) for each in operands])
        case Many(operator, operands):
            terms = [compile_term(each, known) for each in operands]
            fold = _MANY[operator]
            return lambda row: fold([each(row) for each in terms])
        case Quotient():
            return _quotient(term, known)
        case Power():
            base, exponent = (compile_term(e, known) for e in (term.base, term.exponent))
            return lambda row: _finite("pow", math.pow, base(row), exponent(row))


_ONE: Mapping[str, Callable[[float], float]] = {
    "neg": lambda x: -x,
    "abs": abs,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log10": math.log10,
    "ln": math.log,
    "acosh": math.acosh,
}
_MANY: Mapping[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}


def _finite(name: str, function: Callable[..., float], *operands: float) -> float:
    try:
        result = function(*operands)
        finite = math.isfinite(result)
    except (ValueError, OverflowError):
        finite = False
    if not finite:
        refuse_infinite(f"{name}({', '.join(map(str, operands))})")
    return result


def refuse_infinite(text: str) -> NoReturn:
    """Refuse a term, given as text, that has no finite value."""
    raise InvalidInput(
        f"formula: The expression {text} produced a non-finite number; "
        "keep it in range with `max`, `min`, `abs` or a default"
    )


def _score(place: int, defaults: Defaults) -> Evaluate:
    default = defaults.get(place, DEFAULT_SCORE)
    if not _is_number(default):
        raise InvalidInput(f"formula: expected a number as default of $score, got {default!r}")
    try:
        fallback = float(cast(float, default))
    except OverflowError:
        refuse_infinite("default of $score as f64")

    def evaluate(row: Row) -> float:
        score = row.scores[place] if place < len(row.scores) else None
        return fallback if score is None else score

    return evaluate


def _value(path: Path, defaults: Defaults) -> Callable[[Row], Any]:
    """Return what reads the one value at a path, or its default."""
    text = format_path(path)

    def evaluate(row: Row) -> Any:
        values: Any = values_at(row.facts.payload, path)
        if all(value is None or value == [] for value in values):  # as good as no value
            values = defaults.get(path)
        if isinstance(values, list) and len(values) == 1:
            return values[0]
        if values is None or values == []:
            raise InvalidInput(
                f"formula: No value found for {text} in the payload nor the formula defaults"
            )
        return values

    return evaluate


def _number(path: Path, defaults: Defaults) -> Evaluate:
    read, text = _value(path, defaults), format_path(path)

    def evaluate(row: Row) -> float:
        value: float = read(row)
        if not _is_number(value):
            _refuse_kind("number", text, value)
        try:
            float(value)
        except OverflowError:
            refuse_infinite(f"{text} as f64")
        return value

    return evaluate


def _seconds(path: Path, defaults: Defaults) -> Evaluate:
    read, text = _value(path, defaults), format_path(path)

    def evaluate(row: Row) -> float:
        value = read(row)
        moment = parse_datetime(value) if isinstance(value, str) else None
        if moment is None:
            _refuse_kind("datetime", text, value)
        return moment / MICROSECONDS

    return evaluate


def _metres(term: Metres, defaults: Defaults) -> Evaluate:
    read, text = _value(term.path, defaults), format_path(term.path)

    def evaluate(row: Row) -> float:
        value = read(row)
        point = read_point(value)
        if point is None:
            _refuse_kind("geo point", text, value)
        return metres(term.origin, point)

    return evaluate


def _refuse_kind(kind: str, text: str, value: object) -> NoReturn:
    raise InvalidInput(
        f"formula: Expected {kind} value for {text} in the payload and/or in the formula "
        f"defaults, got {str(value)[:60]}"
    )


def _product(factors: Sequence[Evaluate]) -> Evaluate:
    def evaluate(row: Row) -> float:
        product: float = 1
        for factor in factors:
            value = factor(row)
            # As Qdrant does: what follows a factor of 0 is not evaluated, and may be missing or
            # infinite.
            if value == 0:
                return 0.0
            product = _float_if_huge(product * value)
        return product

    return evaluate


def _quotient(term: Quotient, known: FormulaKnowledge) -> Evaluate:
    above, below = (compile_term(each, known) for each in (term.left, term.right))

    def evaluate(row: Row) -> float:
        left = above(row)
        # Before the divisor is looked at, as Qdrant does: 0 divided by 0 is 0.
        if left == 0:
            return 0.0
        right = below(row)
        if right == 0 and term.by_zero is not None:
            return term.by_zero
        if right == 0:
            refuse_infinite(f"{left}/{right}")
        return _finite("div", truediv, left, right)

    return evaluate


def _float_if_huge(number: float) -> float:
    """Return an integer beyond all floats as an infinite one, before it takes ever more memory."""
    # Python's integers grow without end: a product of a hundred payload values must not.
    if isinstance(number, int) and number.bit_length() >= _LARGEST_BITS:
        try:
            float(number)
        except OverflowError:
            return math.inf if number > 0 else -math.inf
    return number


def _decay(term: Decay, known: FormulaKnowledge) -> Evaluate:
    x, target = (compile_term(each, known) for each in (term.x, term.target))
    scale, midpoint = term.scale, term.midpoint

    def away(row: Row) -> float:
        return float(_float_if_huge(abs(x(row) - target(row))))

    def linear(row: Row) -> float:
        return max(0.0, 1.0 - (1.0 - midpoint) / scale * away(row))

    def exponential(row: Row) -> float:
        return math.exp(math.log(midpoint) / scale * away(row))

    def gaussian(row: Row) -> float:
        scaled = away(row) / scale
        return math.exp(math.log(midpoint) * scaled * scaled)

    return {"lin": linear, "exp": exponential, "gauss": gaussian}[term.kind]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
