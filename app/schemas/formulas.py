"""Formulas on the wire: JSON expressions to terms.

A number is a constant, a string names a payload value or, as ``$score[i]``, what the i-th prefetch
gave; an object is one function, or a condition of the filter language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

from palimpsest.app.errors import format_error, wrong_input
from palimpsest.app.schemas.documents import ref
from palimpsest.app.schemas.filters import decode_condition
from palimpsest.index import Path, parse_datetime, parse_path, queries, terms

Body = TypeVar("Body")

AnyExpression: TypeAlias = Annotated[Any, msgspec.Meta(extra_json_schema=ref("Expression"))]

MAX_DEPTH = 64  # of functions in functions
MICROSECONDS = 1e6  # per second

_SCORE = re.compile(r"\$score(?:\[(?P<place>[0-9]{1,9})\])?")
ONE = ("neg", "abs", "sqrt", "exp", "log10", "ln", "acosh")
MANY = ("sum", "mult", "max", "min")
DECAYS = {"lin_decay": "lin", "exp_decay": "exp", "gauss_decay": "gauss"}


class DivBody(msgspec.Struct, forbid_unknown_fields=True):
    """Operands of a quotient."""

    left: AnyExpression
    right: AnyExpression
    by_zero_default: int | float | None = None


class PowBody(msgspec.Struct, forbid_unknown_fields=True):
    """Operands of a power."""

    base: AnyExpression
    exponent: AnyExpression


class GeoBody(msgspec.Struct, forbid_unknown_fields=True):
    """A place on earth, in degrees."""

    lon: float
    lat: float


class GeoDistanceBody(msgspec.Struct, forbid_unknown_fields=True):
    """From where to the place in the payload."""

    origin: GeoBody
    to: str


class DecayBody(msgspec.Struct, forbid_unknown_fields=True):
    """Operands and shape of a decay."""

    x: AnyExpression
    target: AnyExpression = None
    scale: float | None = None
    midpoint: float | None = None


def to_formula(expression: Any, defaults: Mapping[str, Any] | None) -> queries.Formula:
    """Return the formula of a decoded expression and its defaults.

    Raises:
        Refusal: a function is unknown or its operands are not as expected.
        InvalidInput: a path cannot be read.
    """
    given: dict[Path | int, object] = {}
    for key, value in (defaults or {}).items():
        variable = _variable(key)
        given[variable.place if isinstance(variable, terms.Score) else variable.path] = value
    return queries.Formula(_term(expression, 0), given)


def _term(value: Any, depth: int) -> terms.Term:
    if depth > MAX_DEPTH:
        raise format_error(f"formula: nested too deeply, expected at most {MAX_DEPTH} levels")
    if isinstance(value, str):
        return _variable(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return terms.Constant(_in_range(value))
    if not isinstance(value, dict):
        raise format_error(f"formula: expected a number, a string or an object, got {value!r:.60}")
    if len(value) == 1:
        ((name, operands),) = value.items()
        # A condition has several fields, or one that is no function: so the two never look alike.
        read = _FUNCTIONS.get(name)
        if read is not None:
            return read(name, operands, depth + 1)
    return terms.Holds(decode_condition(value, "formula"))


def _in_range(value: float) -> int | float:
    try:
        float(value)
    except OverflowError:
        raise format_error("formula: expected a number that fits into a float64") from None
    return value


def _variable(text: str) -> terms.Score | terms.Value:
    if not text.startswith("$score"):
        return terms.Value(parse_path(text))
    found = _SCORE.fullmatch(text)
    if found is None:
        raise wrong_input(f"Invalid score pattern: {text[:60]}, expected $score or $score[i]")
    return terms.Score(int(found["place"] or 0))


def _one(name: str, operand: Any, depth: int) -> terms.Term:
    return terms.One(name, _term(operand, depth))  # type: ignore[arg-type]


def _many(name: str, operands: Any, depth: int) -> terms.Term:
    if not isinstance(operands, list):
        raise format_error(f"formula.{name}: expected a list, got {operands!r:.60}")
    if not operands and name in ("max", "min"):
        raise wrong_input(f"formula: `{name}` needs at least one operand")
    return terms.Many(name, tuple(_term(each, depth) for each in operands))  # type: ignore[arg-type]


def _quotient(name: str, operands: Any, depth: int) -> terms.Term:
    body = _convert(name, operands, DivBody)
    by_zero = body.by_zero_default
    return terms.Quotient(
        _term(body.left, depth),
        _term(body.right, depth),
        None if by_zero is None else _in_range(by_zero),
    )


def _power(name: str, operands: Any, depth: int) -> terms.Term:
    body = _convert(name, operands, PowBody)
    return terms.Power(_term(body.base, depth), _term(body.exponent, depth))


def _metres(name: str, operands: Any, depth: int) -> terms.Term:
    body = _convert(name, operands, GeoDistanceBody)
    origin = body.origin
    if not (-180 <= origin.lon <= 180 and -90 <= origin.lat <= 90):
        raise wrong_input(
            "formula.geo_distance.origin: expected lon in [-180, 180] and lat in [-90, 90], "
            f"got {origin.lon}, {origin.lat}"
        )
    return terms.Metres((origin.lon, origin.lat), parse_path(body.to))


def _datetime(name: str, text: Any, depth: int) -> terms.Term:
    moment = parse_datetime(text) if isinstance(text, str) else None
    if moment is None:
        raise wrong_input(
            f"formula.datetime: Expected datetime in supported format, got {text!r:.60}"
        )
    return terms.Constant(moment / MICROSECONDS)


def _datetime_key(name: str, text: Any, depth: int) -> terms.Term:
    if not isinstance(text, str):
        raise format_error(f"formula.datetime_key: expected a path, got {text!r:.60}")
    return terms.Value(parse_path(text), is_datetime=True)


def _decay(name: str, operands: Any, depth: int) -> terms.Term:
    body = _convert(name, operands, DecayBody)
    scale = terms.DEFAULT_SCALE if body.scale is None else body.scale
    midpoint = terms.DEFAULT_MIDPOINT if body.midpoint is None else body.midpoint
    kind = DECAYS[name]
    if not scale > 0:
        raise wrong_input(f"formula.{name}: Scale must be non-zero positive, got {scale}")
    if kind == "lin" and not 0 <= midpoint <= 1:
        raise wrong_input(
            f"formula.{name}: midpoint should be in the range [0.0, 1.0], got {midpoint}"
        )
    if kind != "lin" and not 0 < midpoint < 1:
        raise wrong_input(
            f"formula.{name}: midpoint should be in the range (0.0, 1.0), got {midpoint}"
        )
    target = terms.Constant(0.0) if body.target is None else _term(body.target, depth)
    return terms.Decay(kind, _term(body.x, depth), target, scale, midpoint)  # type: ignore[arg-type]


def _convert(name: str, operands: Any, kind: type[Body]) -> Body:
    try:
        return msgspec.convert(operands, kind)
    except msgspec.ValidationError as error:
        raise format_error(f"formula.{name}: {error}") from None


_FUNCTIONS: Mapping[str, Callable[[str, Any, int], terms.Term]] = {
    **dict.fromkeys(ONE, _one),
    **dict.fromkeys(MANY, _many),
    **dict.fromkeys(DECAYS, _decay),
    "div": _quotient,
    "pow": _power,
    "geo_distance": _metres,
    "datetime": _datetime,
    "datetime_key": _datetime_key,
}
