"""Payload indexes on the wire."""

from __future__ import annotations

import msgspec

from palimpsest.app.errors import format_error
from palimpsest.app.schemas.documents import AnyFieldSchema
from palimpsest.app.spelling import ABSENT
from palimpsest.index import FieldIndex


class IndexBody(msgspec.Struct, forbid_unknown_fields=True):
    """A field of the payload, and how it is indexed."""

    field_name: str
    field_schema: AnyFieldSchema


def to_index(body: IndexBody) -> FieldIndex:
    """Return how a field is to be indexed.

    Raises:
        Refusal: it is no type and no object.
        InvalidInput: what ``FieldIndex.from_declared`` raises.
    """
    text = bytes(body.field_schema)
    if text in ABSENT:
        raise format_error(
            "field_schema: expected a type such as `keyword`, or an object, got null"
        )
    declared = msgspec.json.decode(text)
    if not isinstance(declared, (str, dict)):
        raise format_error(f"field_schema: expected a text or an object, got {declared!r}")
    return FieldIndex.from_declared(declared)
