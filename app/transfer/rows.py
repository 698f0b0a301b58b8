"""One point of a source, already as the JSON text that the server reads, or what is wrong with it.

Texts that come as JSON go on as they are: ids, integers and floats of payloads and vectors are
never decoded to a type that holds less than they do.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from palimpsest.app.schemas.ids import parse_id
from palimpsest.index import InvalidId


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


def point_row(place: int, point_id: int | str, vector: bytes, payload: bytes) -> Item:
    """Return a point.

    Args:
        place: of the row in its source.
        point_id: an integer, or text of a UUID in any spelling or of an integer.
        vector: JSON of its vectors, as an upsert takes them.
        payload: JSON of an object or null, empty for none.
    """
    try:
        # Rows at once are hundreds of thousands: text is put together, not encoded.
        number = point_id if type(point_id) is int else canonical_id(point_id)
        if type(number) is int:
            if not 0 <= number < 1 << 64:
                raise InvalidId(number)
            shown = b"%d" % number
        else:
            shown = b'"%s"' % str(number).encode()
    except InvalidId as error:
        return Fault(place, f"{error}", msgspec.json.encode({"id": str(point_id)}))
    if payload:
        return Row(place, number, b'{"id":%s,"vector":%s,"payload":%s}' % (shown, vector, payload))
    return Row(place, number, b'{"id":%s,"vector":%s}' % (shown, vector))


def canonical_id(raw: int | str) -> int | str:
    """Return an id in its one spelling: columns of text hold integers too. Raises InvalidId."""
    if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) <= 20:
        raw = int(raw)
    parsed = parse_id(raw)
    return parsed if isinstance(parsed, int) else str(parsed)


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
