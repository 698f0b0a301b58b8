"""Payload indexes of one collection: create, drop."""

from __future__ import annotations

from concurrent.futures import Future

import msgspec

from palimpsest.app.context import Call
from palimpsest.app.routes.updates import outcome
from palimpsest.app.schemas.indexes import IndexBody, to_index
from palimpsest.app.schemas.parameters import parse_parameters
from palimpsest.app.schemas.records import UpdateReply
from palimpsest.app.work.jobs import write_in
from palimpsest.index import FieldIndex, parse_path


async def create_index(call: Call) -> UpdateReply:
    """Index a field of the payload; an index the field has is replaced.

    Writes and searches go on while it is built. The reply comes when it is built; without `wait`
    at once, and the index then is built even when the server is restarted meanwhile.
    """
    parameters = parse_parameters(call.query_string)

    def decode(text: bytes) -> tuple[IndexBody, FieldIndex]:
        body = _INDEX.decode(text)
        return body, to_index(body)

    body, index = await call.begun(lambda: call.read(IndexBody, decode), parameters.timeout)
    parse_path(body.field_name)
    strict = call.strict()
    if strict is not None:
        strict.new_index(body.field_name)
    building = await write_in(
        call.share,
        lambda: call.collection.create_index(body.field_name, index),
        call.left(parameters.timeout),
    )
    if not parameters.wait:
        return _acknowledged(building)
    return await outcome(call, building, parameters)


async def drop_index(call: Call) -> UpdateReply:
    """Delete the index of a field; a field without one is no error."""
    parameters = parse_parameters(call.query_string)
    parse_path(call.tail)
    return await outcome(call, call.collection.drop_index(call.tail), parameters)


def _acknowledged(building: Future[int]) -> UpdateReply:
    if building.done():
        return UpdateReply(building.result(), "acknowledged")
    return UpdateReply(None, "acknowledged")


_INDEX = msgspec.json.Decoder(IndexBody)
