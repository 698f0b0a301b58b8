"""Terms of a formula, as immutable values. ``formula`` evaluates them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from palimpsest.index.filters.expression import Condition, Geo, Path

DEFAULT_SCALE = 1.0
DEFAULT_MIDPOINT = 0.5

OneOperator: TypeAlias = Literal["neg", "abs", "sqrt", "exp", "log10", "ln", "acosh"]
ManyOperator: TypeAlias = Literal["sum", "mult", "max", "min"]


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A number, integers as they are; of a datetime its seconds since 1970."""

    value: int | float


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """The score given by the prefetch at ``place``."""

    place: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """The number at a payload path; with ``is_datetime`` the seconds of the text there."""

    path: Path
    is_datetime: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Metres:
    """The distance between ``origin`` and the point of the earth at a payload path."""

    origin: Geo
    path: Path


@dataclass(frozen=True, slots=True, eq=False)
class Holds:
    """1 where the condition holds, 0 elsewhere."""

    condition: Condition


@dataclass(frozen=True, slots=True, eq=False)
class One:
    """A function of one operand."""

    operator: OneOperator
    operand: Term


@dataclass(frozen=True, slots=True, eq=False)
class Many:
    """A function of any number of operands, from left to right; a product stops at a zero."""

    operator: ManyOperator
    operands: tuple[Term, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Quotient:
    """``left / right``; ``by_zero`` where right is 0."""

    left: Term
    right: Term
    by_zero: int | float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """``base`` to the ``exponent``."""

    base: Term
    exponent: Term


@dataclass(frozen=True, slots=True, eq=False)
class Decay:
    """1 where ``x`` is at the target, ``midpoint`` at ``scale`` from it, falling towards 0."""

    kind: Literal["lin", "exp", "gauss"]
    x: Term
    target: Term = Constant(0.0)
    scale: float = DEFAULT_SCALE
    midpoint: float = DEFAULT_MIDPOINT


Term: TypeAlias = Constant | Score | Value | Metres | Holds | One | Many | Quotient | Power | Decay
