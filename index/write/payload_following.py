"""Payload indexes follow each write, in the same step as the vectors."""

from __future__ import annotations

from collections.abc import Sequence

from pyroaring import BitMap

from palimpsest.index.payload.indexes import PayloadIndexes
from palimpsest.index.write.writes import PayloadChanges

_FOLLOWED = 256  # points indexed while filters wait


def follow(indexes: PayloadIndexes, changes: Sequence[PayloadChanges]) -> int:
    """Index what writes made of payloads; return how many points that were."""
    touched = 0
    for one in changes:
        touched += len(one.numbers)
        if one.unknown:
            # What was in their payloads is not known: they are taken out of every set there is, and
            # come anew.
            indexes.discard(BitMap(one.unknown))
        for start in range(0, len(one.numbers), _FOLLOWED):
            some = slice(start, start + _FOLLOWED)
            indexes.replace(one.numbers[some], one.before[some], one.after[some])
    return touched
