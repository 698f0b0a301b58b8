"""What an index says of a condition."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from pyroaring import BitMap


class Candidates(NamedTuple):
    """Points that match for certain, and points whose payload has to be looked at; disjoint.

    All others do not match. The sets are shared, and not to be changed.
    """

    sure: BitMap
    maybe: BitMap


# Which values that a part has not read may match too: none, numbers it cannot hold, any others.
Open: TypeAlias = Literal["", "numbers", "others"]


class PartCandidates(NamedTuple):
    """The same of the values a part of an index has read, and which others may match too."""

    sure: BitMap
    maybe: BitMap
    open: Open = ""
