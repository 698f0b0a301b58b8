"""The index of one payload path: what is present there, and the parts that its kind is made of.

Not locked: ``indexes.PayloadIndexes`` lets one thread in at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pyroaring import BitMap

from palimpsest.index.filters.expression import (
    DatetimeRange,
    Field,
    GeoBox,
    GeoPolygon,
    GeoRadius,
    Match,
    MatchExcept,
    Range,
)
from palimpsest.index.payload.candidates import Candidates, PartCandidates
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.payload.lookup import ExactMatches
from palimpsest.index.payload.ordered import Ordered
from palimpsest.index.payload.part import Part
from palimpsest.index.payload.places import Places
from palimpsest.index.payload.postings import Arrays
from palimpsest.index.payload.presence import Presence, typed_values
from palimpsest.index.payload.texts import Texts
from palimpsest.index.payload.values import READ

# These look at every value there is. A look-up of a value is as quick as remembering it would be.
_REMEMBERED = (Range, DatetimeRange, GeoBox, GeoRadius)
_MOST_RECENT = 16  # a bitmap each
_MOST_CORNERS = 1_000  # of a polygon that is remembered: it is kept, and hashed each time


class IndexedField:
    """What is indexed at one path."""

    def __init__(self, config: FieldIndex) -> None:
        self.config = config
        self.presence = Presence()
        self.parts = _parts(config)
        self._read = READ[config.kind]
        self._recent: dict[Field, Candidates] = {}

    @property
    def points(self) -> int:
        """Number of points with a value of the index's kind."""
        return len(self.presence.typed)

    @property
    def ordered(self) -> Ordered | None:
        """The part that has an order, if the field was declared to have one."""
        part = self.parts.get("ordered")
        return part if isinstance(part, Ordered) else None

    @property
    def nbytes(self) -> int:
        """Resident bytes."""
        return self.presence.nbytes + sum(part.nbytes for part in self.parts.values())

    def add(self, numbers: Sequence[int], stored: Sequence[list[Any]]) -> None:
        """Add points that are not in here, with what is stored at the path."""
        self._recent.clear()
        found = self.presence.add(numbers, stored, self._read)
        for part in self.parts.values():
            part.add(found.numbers, found.values)

    def remove(self, numbers: Sequence[int], stored: Sequence[list[Any]]) -> None:
        """Forget points, given what they were added with."""
        self._recent.clear()
        self.presence.discard(BitMap(numbers))
        found = typed_values(numbers, stored, self._read)
        for part in self.parts.values():
            part.remove(found.numbers, found.values)

    def discard(self, numbers: BitMap) -> None:
        """Forget points, whatever they were added with."""
        self._recent.clear()
        self.presence.discard(numbers)
        for part in self.parts.values():
            part.discard(numbers)

    def candidates(self, condition: Field, live: BitMap) -> Candidates | None:
        """Return which points match, None when this index says nothing on the condition.

        Conditions that look at every value are answered from memory when they are asked again
        and nothing was written in between; not polygons of many corners.
        """
        if not _is_remembered(condition):
            return self._candidates(condition, live)
        known = self._recent.get(condition)
        if known is None:
            known = self._candidates(condition, live)
            if known is not None:
                if len(self._recent) == _MOST_RECENT:
                    del self._recent[next(iter(self._recent))]
                self._recent[condition] = known
        return known

    def left_open(self, condition: Field) -> int | None:
        """Return how many payloads have to be read at most for a match or bounds; None for all."""
        for part in self.parts.values():
            if (open_ := part.leaves_open(condition)) is not None:
                return len(getattr(self.presence, open_)) if open_ else 0
        return None

    def _candidates(self, condition: Field, live: BitMap) -> Candidates | None:
        if isinstance(condition, MatchExcept):
            return self._except(condition)
        if (candidates := self.presence.candidates(condition, live)) is not None:
            return candidates
        answer = self._answer(condition)
        if answer is None:
            return None
        maybe = answer.maybe
        if answer.open:
            maybe = (maybe | getattr(self.presence, answer.open)) - answer.sure
        return Candidates(answer.sure, maybe)

    def to_arrays(self) -> Arrays:
        """Return the contents, which ``load`` reads."""
        parts = {"presence": self.presence.to_arrays()}
        parts.update({name: part.to_arrays() for name, part in self.parts.items()})
        return {
            f"{part}.{name}": array
            for part, arrays in parts.items()
            for name, array in arrays.items()
        }

    def load(self, arrays: Arrays) -> None:
        """Take the contents over that ``to_arrays`` returned.

        Raises ValueError, LookupError or TypeError for others, and where its parts disagree.
        """
        self.presence = Presence.from_arrays(_of_part("presence", arrays))
        for name, part in self.parts.items():
            part.load(_of_part(name, arrays), self.presence)

    def _answer(self, condition: Field) -> PartCandidates | None:
        for part in self.parts.values():
            if (answer := part.answer(condition)) is not None:
                return answer
        return None

    def _except(self, condition: MatchExcept) -> Candidates | None:
        listed = self._answer(Match(condition.path, condition.values))
        if listed is None:
            return None
        presence = self.presence
        sure = presence.typed - listed.sure
        # one of several values is listed, or a value of another kind may be
        maybe = (presence.several & listed.sure) | presence.others
        return Candidates(sure, maybe - sure)


def _is_remembered(condition: Field) -> bool:
    if isinstance(condition, GeoPolygon):
        corners = len(condition.exterior) + sum(map(len, condition.interiors))
        return corners <= _MOST_CORNERS
    return isinstance(condition, _REMEMBERED)


def _parts(config: FieldIndex) -> dict[str, Part]:
    if config.kind == "integer":
        parts: dict[str, Part] = {"lookup": ExactMatches(READ["integer"])} if config.lookup else {}
        if config.range:
            parts["ordered"] = Ordered(np.int64, Range)
        return parts
    if config.kind == "text":
        return {"texts": Texts(config.tokenizer, config.phrases)}
    if config.kind in ("keyword", "bool", "uuid"):
        return {"lookup": ExactMatches(READ[config.kind])}
    if config.kind == "geo":
        return {"places": Places()}
    if config.kind == "float":
        return {"ordered": Ordered(np.float64, Range)}
    return {"ordered": Ordered(np.int64, DatetimeRange)}


def _of_part(part: str, arrays: Arrays) -> Arrays:
    start = f"{part}."
    return {name.removeprefix(start): arrays[name] for name in arrays if name.startswith(start)}
