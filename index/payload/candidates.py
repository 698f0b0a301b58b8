"""What an index says of a condition."""

from __future__ import annotations

from typing import NamedTuple

from pyroaring import BitMap


class Candidates(NamedTuple):
    """Points that match for certain, and points whose payload has to be looked at; disjoint.

    All others do not match. The sets are shared, and not to be changed.
    """

    sure: BitMap
    maybe: BitMap


class Answer(NamedTuple):
    """The same of the values a part of an index has read.

    ``open`` tells that a value of another kind, which the part has not read, may match too.
    """

    sure: BitMap
    maybe: BitMap
    open: bool
