"""Exact matches: strings, integers, booleans, UUIDs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyroaring import BitMap

from palimpsest.index.filters.expression import Field, Match, MatchText
from palimpsest.index.payload.candidates import Open, PartCandidates
from palimpsest.index.payload.postings import Arrays, Postings, Value, grouped
from palimpsest.index.payload.presence import Presence
from palimpsest.index.payload.values import Read, read_bool, read_integer, read_text, read_uuid

_TYPES: Mapping[Read, type[Value]] = {
    read_text: str,
    read_integer: int,
    read_bool: bool,
    read_uuid: bytes,
}


class ExactMatches:
    """Exact matches of the values that ``read`` knows."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.postings = Postings()

    def __len__(self) -> int:
        return len(self.postings)

    @property
    def nbytes(self) -> int:
        """Resident bytes."""
        return self.postings.nbytes

    def add(self, numbers: Sequence[int], values: Sequence[Sequence[Any]]) -> None:
        """Add points to the sets of their values."""
        for value, group in grouped(numbers, values).items():
            self.postings.add(value, group)

    def remove(self, numbers: Sequence[int], values: Sequence[Sequence[Any]]) -> None:
        """Take points out of the sets of their values."""
        remove = self.postings.remove
        for number, each in zip(numbers, values, strict=True):
            for value in each:
                remove(value, number)

    def discard(self, numbers: BitMap) -> None:
        """Take points out of all sets."""
        self.postings.discard(numbers)

    def answer(self, condition: Field) -> PartCandidates | None:
        """Answer matches, and characters of texts by looking at every distinct one."""
        if isinstance(condition, Match):
            known = [value for each in condition.values if (value := self._read(each)) is not None]
            return PartCandidates(self.postings.union(known), BitMap(), self._open(condition))
        if isinstance(condition, MatchText) and self._read is read_text:
            return self._with_characters(condition)
        return None

    def leaves_open(self, condition: Field) -> Open | None:
        """Return which values matches leave open; None for other conditions."""
        return self._open(condition) if isinstance(condition, Match) else None

    def to_arrays(self) -> Arrays:
        """Return the sets by value."""
        return self.postings.to_arrays()

    def load(self, arrays: Arrays, presence: Presence) -> None:
        """Take the sets over."""
        self.postings = Postings.from_arrays(arrays, _TYPES[self._read])
        self.postings.require_points(presence.typed, presence.several)

    def _open(self, condition: Match) -> Open:
        # A value of another kind than the index reads is in no set: payloads have to tell who
        # holds it.
        return "others" if any(self._read(each) is None for each in condition.values) else ""

    def _with_characters(self, condition: MatchText) -> PartCandidates | None:
        if condition.how == "prefix":
            found = self.postings.starting_with(condition.text)
        # Every distinct value is looked at, not every point: of a keyword there are mostly far
        # fewer.
        elif condition.how == "substring":
            found = [each for each in map(str, self.postings.values()) if condition.text in each]
        else:
            return None
        return PartCandidates(self.postings.union(found), BitMap(), "others")
