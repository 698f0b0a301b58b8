"""Payload indexes of one collection: create, drop."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import msgspec

from app.context import Call
from app.errors import format_error
from app.routes.updates import outcome
from app.schemas.documents import AnyFieldSchema
from app.schemas.parameters import parse_parameters
from app.schemas.records import UpdateReply
from app.schemas.vectors import ABSENT
from index import FieldIndex, parse_path


class IndexBody(msgspec.Struct, forbid_unknown_fields=True):
    """A field of the payload, and how it is indexed."""

    field_name: str
    field_schema: AnyFieldSchema


async def create_index(call: Call) -> UpdateReply:
    """Index a field of the payload; an index the field has is replaced.

    Writes and searches go on while it is built. The reply comes when it is built; without `wait`
    at once, and the index then is built even when the server is restarted meanwhile.
    """
    parameters = parse_parameters(call.query_string)
    body = await call.decoded(lambda: _INDEX.decode(call.body))
    index = FieldIndex.from_declared(_schema(bytes(body.field_schema)))
    parse_path(body.field_name)
    strict = call.strict()
    if strict is not None:
        strict.new_index(body.field_name)
    building = await call.context.in_thread(
        lambda: call.collection.create_index(body.field_name, index)
    )
    if not parameters.wait:
        return _acknowledged(building)
    return await outcome(building, parameters)


async def drop_index(call: Call) -> UpdateReply:
    """Delete the index of a field; a field without one is no error."""
    parameters = parse_parameters(call.query_string)
    parse_path(call.tail)
    return await outcome(call.collection.drop_index(call.tail), parameters)


def _acknowledged(building: Future[int]) -> UpdateReply:
    if building.done():
        return UpdateReply(building.result(), "acknowledged")
    return UpdateReply(None, "acknowledged")


def _schema(text: bytes) -> str | dict[str, Any]:
    if text in ABSENT:
        raise format_error(
            "field_schema: expected a type such as `keyword`, or an object, got null"
        )
    declared = msgspec.json.decode(text)
    if not isinstance(declared, (str, dict)):
        raise format_error(f"field_schema: expected a text or an object, got {declared!r}")
    return declared


_INDEX = msgspec.json.Decoder(IndexBody)
