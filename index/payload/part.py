"""The parts payload indexes are made of: each holds one kind of values in one structure.

- ``lookup``: exact matches. ``ordered``: bounds and order. ``places``: points on the globe.
  ``texts``: tokens.

A part receives values that are of its kind already, at least one per point, and forgets points by
the same values. What it knows nothing of it answers with None.

Not locked: the caller lets one thread in at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pyroaring import BitMap

from palimpsest.index.filters.expression import Field
from palimpsest.index.payload.candidates import Open, PartCandidates
from palimpsest.index.payload.postings import Arrays
from palimpsest.index.payload.presence import Presence


class Part(Protocol):
    """One structure of an index."""

    @property
    def nbytes(self) -> int:
        """Resident bytes."""

    def add(self, numbers: Sequence[int], values: Sequence[Sequence[Any]]) -> None:
        """Set the values of points that have none here."""

    def remove(self, numbers: Sequence[int], values: Sequence[Sequence[Any]]) -> None:
        """Forget the values of points."""

    def discard(self, numbers: BitMap) -> None:
        """Forget points, whatever their values."""

    def answer(self, condition: Field) -> PartCandidates | None:
        """Return which points match, None where this part cannot tell."""

    def leaves_open(self, condition: Field) -> Open | None:
        """Return what ``answer`` leaves open of a match or bounds, without looking at values.

        None for what this part cannot tell, and for any other condition.
        """

    def to_arrays(self) -> Arrays:
        """Return what ``load`` reads."""

    def load(self, arrays: Arrays, presence: Presence) -> None:
        """Take the contents over that ``to_arrays`` returned.

        Raises ValueError, LookupError or TypeError for others, and where they disagree with what
        is present.
        """
