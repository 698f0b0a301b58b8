"""Which points have values at a path at all, and of what form.

Answers what depends on no value: is_empty, is_null, values_count.

Not locked: the caller lets one thread in at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from pyroaring import BitMap

from palimpsest.index.filters.expression import Field, IsEmpty, IsNull, ValuesCount
from palimpsest.index.filters.meaning import within
from palimpsest.index.filters.values import are_empty, are_null, flatten
from palimpsest.index.payload.candidates import Candidates
from palimpsest.index.payload.postings import Arrays
from palimpsest.index.payload.sound import require
from palimpsest.index.payload.values import Read


@dataclass(slots=True)
class Presence:
    """Sets of points by the form of what is stored at a path."""

    plain: BitMap = field(default_factory=BitMap)  # one value, no array, not null
    odd: BitMap = field(default_factory=BitMap)  # anything else but nothing
    filled: BitMap = field(default_factory=BitMap)  # not empty
    null: BitMap = field(default_factory=BitMap)
    typed: BitMap = field(default_factory=BitMap)  # a value of the index's kind
    several: BitMap = field(default_factory=BitMap)  # more than one of them
    others: BitMap = field(default_factory=BitMap)  # a value of another kind, not null
    numbers: BitMap = field(default_factory=BitMap)  # a number among those

    @property
    def nbytes(self) -> int:
        """Resident bytes, about: what the sets take when written."""
        statistics = (getattr(self, each.name).get_statistics() for each in fields(self))
        return sum(
            each["n_bytes_array_containers"]
            + each["n_bytes_bitset_containers"]
            + each["n_bytes_run_containers"]
            for each in statistics
        )

    def add(self, numbers: Sequence[int], stored: Sequence[list[Any]], read: Read) -> Typed:
        """Note the form of what is stored, and return the values that ``read`` knows."""
        found = typed_values(numbers, stored, read)
        plain = BitMap(found.plain)
        self.plain |= plain
        self.filled |= plain
        self.typed.update(found.numbers)
        # Nearly all points have one value of the kind that was declared; the rest is looked at one
        # by one.
        for place in found.unusual:
            self._add_unusual(numbers[place], stored[place], read)
        return found

    def discard(self, numbers: BitMap) -> None:
        """Forget points."""
        for each in fields(self):
            held = getattr(self, each.name)
            held -= numbers

    def candidates(self, condition: Field, live: BitMap) -> Candidates | None:
        """Answer conditions on the form, None for others."""
        if isinstance(condition, IsEmpty):
            return Candidates(live - self.filled, BitMap())
        if isinstance(condition, IsNull):
            return Candidates(live & self.null, BitMap())
        if isinstance(condition, ValuesCount):
            inside = within(condition)
            sure = self.plain.copy() if inside(1) else BitMap()
            if inside(0):
                sure |= live - self.plain - self.odd
            return Candidates(sure, self.odd.copy())
        return None

    def to_arrays(self) -> Arrays:
        """Return what ``from_arrays`` reads."""
        return {
            each.name: np.frombuffer(getattr(self, each.name).serialize(), dtype=np.uint8)
            for each in fields(self)
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Presence:
        """Return the sets that ``to_arrays`` wrote. Raises ValueError for others."""
        names = (each.name for each in fields(cls))
        found = cls(**{name: BitMap.deserialize(arrays[name].tobytes()) for name in names})
        found._require_sense()
        return found

    @property
    def known(self) -> BitMap:
        """Points at whose path anything is stored: a new set."""
        return self.plain | self.odd

    def _require_sense(self) -> None:
        fits = (
            self.plain.isdisjoint(self.odd),
            (self.filled | self.null | self.typed | self.others).issubset(self.known),
            self.plain.issubset(self.filled),
            self.several.issubset(self.odd & self.typed),
            self.numbers.issubset(self.others),
            (self.plain - self.typed).issubset(self.others),
            self.plain.isdisjoint(self.null),
        )
        require(all(fits), "the forms of what is stored contradict each other")

    def _add_unusual(self, number: int, stored: list[Any], read: Read) -> None:
        values = [value for value in flatten(stored) if value is not None]
        unknown = [value for value in values if read(value) is None]
        known = len(values) - len(unknown)
        one = len(stored) == 1 and stored[0].__class__ is not list and stored[0] is not None
        for held, is_in in (
            (self.plain if one else self.odd, bool(stored)),
            (self.filled, not are_empty(stored)),
            (self.null, are_null(stored)),
            (self.several, known > 1),
            (self.others, bool(unknown)),
            (self.numbers, any(value.__class__ in (int, float) for value in unknown)),
        ):
            if is_in:
                held.add(number)


@dataclass(slots=True)
class Typed:
    """The values of an index's kind: a list of them per point that has any."""

    numbers: list[int]
    values: list[Sequence[Any]]
    plain: list[int]  # points of one value, of the kind
    unusual: list[int]  # places of the other points


def typed_values(numbers: Sequence[int], stored: Sequence[list[Any]], read: Read) -> Typed:
    """Return the values that ``read`` knows."""
    found = Typed([], [], [], [])
    for place, values in enumerate(stored):
        if len(values) == 1 and (value := read(values[0])) is not None:
            known: Sequence[Any] = (value,)
            found.plain.append(numbers[place])
        elif values:
            found.unusual.append(place)
            known = [one for each in flatten(values) if (one := read(each)) is not None]
        else:
            continue
        if known:
            found.numbers.append(numbers[place])
            found.values.append(known)
    return found
