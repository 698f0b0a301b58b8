"""One point of a source, already as the JSON text that the server reads, or what is wrong with it.

Texts that come as JSON go on as they are: ids, integers and floats of payloads and vectors are
never decoded to a type that holds less than they do.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from palimpsest.app.spelling import MAX_ID, read_uuid


class Row(NamedTuple):
    """A point: its id in its one spelling, and its JSON text."""

    place: int
    id: int | str
    text: bytes


class Fault(NamedTuple):
    """A row that is no point: why, and what of it can be shown."""

    place: int
    why: str
    text: bytes


Item: TypeAlias = Row | Fault

NO_VECTORS = b"{}"
_INTEGER = re.compile(r"0|[1-9][0-9]{0,19}")


def point_row(place: int, point_id: int | str, vector: bytes, payload: bytes) -> Item:
    """Return a point.

    Args:
        place: of the row in its source.
        point_id: an integer, or text of a UUID in any spelling or of an integer.
        vector: JSON of its vectors, as an upsert takes them.
        payload: JSON of an object or null, empty for none.
    """
    # Rows at once are hundreds of thousands: text is put together, not encoded.
    if type(point_id) is int and 0 <= point_id <= MAX_ID:  # as most
        number: int | str = point_id
        shown = b"%d" % point_id
    else:
        try:
            number = canonical_id(point_id)
        except ValueError as error:
            return Fault(place, f"{error}", msgspec.json.encode({"id": str(point_id)}))
        shown = msgspec.json.encode(number)
    if payload:
        return Row(place, number, b'{"id":%s,"vector":%s,"payload":%s}' % (shown, vector, payload))
    return Row(place, number, b'{"id":%s,"vector":%s}' % (shown, vector))


def canonical_id(raw: int | str) -> int | str:
    """Return an id in its one spelling: columns of text hold integers too.

    Raises:
        ValueError: it is none, or is text that another id may be, too: "007" and "7" are two rows.
    """
    if isinstance(raw, str):
        found = read_uuid(raw)
        if found is not None:
            return str(found)
        number = int(raw) if _INTEGER.fullmatch(raw) else -1
    else:
        number = raw
    if 0 <= number <= MAX_ID:
        return number
    raise ValueError(
        f"Invalid point id {raw!r}: expected an unsigned 64-bit integer without leading zeros, or "
        "a UUID"
    )


def dense_text(values: bytes | memoryview) -> bytes:
    """Return the JSON of a dense vector given by the bytes of its float32 values.

    In base64, which the server reads several times as fast as decimal numbers.
    """
    return b'"' + binascii.b2a_base64(values, newline=False) + b'"'


def named_text(vectors: Mapping[str, bytes]) -> bytes:
    """Return the JSON of a point's vectors by name; one without a name stands bare."""
    if len(vectors) == 1 and "" in vectors:
        return vectors[""]
    return object_text(vectors)


def object_text(fields: Mapping[str, bytes]) -> bytes:
    """Return a JSON object of fields whose values are JSON texts."""
    shown = (msgspec.json.encode(name) + b":" + text for name, text in fields.items())
    return b"{" + b",".join(shown) + b"}"
