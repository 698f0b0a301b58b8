"""Whether the point exists that a token depends on."""

from __future__ import annotations

import msgspec

from palimpsest.app.access.claims import ValueExists
from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.filters import decode_filter
from palimpsest.index import Database, PalimpsestError


def holds(database: Database, condition: ValueExists) -> bool:
    """Tell whether a point of the collection has all the values; counts, so not in the event loop.

    Where the collection is missing or cannot be read, it does not hold.
    """
    must = [{"key": one.key, "match": {"value": one.value}} for one in condition.matches]
    try:
        # By way of JSON, as any filter comes: a key of a token is a path, and is refused where it
        # is none.
        wanted = decode_filter(msgspec.Raw(msgspec.json.encode({"must": must})))
        return database.get(condition.collection).count(wanted) > 0
    except (PalimpsestError, Refusal):
        return False
