"""What strict mode asks of formulas: that every payload field they read has an index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from palimpsest.app.strict_filters import NUMBERS, leaves, require, require_indexes
from palimpsest.index import FieldIndex, Filter, terms

_INSTEAD = "use a different formula expression"


def require_indexes_of(term: terms.Term, indexes: Mapping[str, FieldIndex]) -> None:
    """Refuse a formula that reads a field without an index of the kind it reads."""
    for each in _parts(term):
        match each:
            case terms.Value(path=path, is_datetime=True):
                require(path, frozenset(("datetime",)), indexes, _INSTEAD)
            case terms.Value(path=path):
                require(path, NUMBERS, indexes, _INSTEAD)
            case terms.Metres(path=path):
                require(path, frozenset(("geo",)), indexes, _INSTEAD)
            case terms.Holds(condition=condition):
                require_indexes([*leaves(Filter(must=(condition,)))], indexes)


def _parts(term: terms.Term) -> Iterator[terms.Term]:
    """Yield a term and all it is made of."""
    yield term
    match term:
        case terms.One(operand=operand):
            yield from _parts(operand)
        case terms.Many(operands=operands):
            for each in operands:
                yield from _parts(each)
        case terms.Quotient(left=one, right=other) | terms.Power(base=one, exponent=other):
            yield from _parts(one)
            yield from _parts(other)
        case terms.Decay(x=x, target=target):
            yield from _parts(x)
            yield from _parts(target)
