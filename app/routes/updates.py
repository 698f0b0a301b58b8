"""Writes to the points of one collection: whole points, payloads, vectors, several at once.

Every write is decoded and checked first, then queued; the reply waits until it is on disk and
searchable. Without ``wait`` the same is only called "acknowledged": such a write is never lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from palimpsest.app.context import Call
from palimpsest.app.routes.texts import read_or_embed
from palimpsest.app.schemas.inference import OPERATIONS, POINTS
from palimpsest.app.schemas.parameters import Parameters, parse_parameters
from palimpsest.app.schemas.points import UpsertBody, require_utf8
from palimpsest.app.schemas.records import UpdateReply
from palimpsest.app.schemas.unresolved import Unresolved, resolved
from palimpsest.app.schemas.updates import (
    DeletePayloadBody,
    DeleteVectorsBody,
    OperationsBody,
    SelectionBody,
    SetPayloadBody,
    Update,
    UpdateVectorsBody,
    to_clearing,
    to_deletion,
    to_overwriting,
    to_payload,
    to_payload_deletion,
    to_updates,
    to_upsert,
    to_vector_deletion,
    to_vector_update,
)
from palimpsest.app.work.backlog import ask, refuse_early, rows_of, wait
from palimpsest.app.work.lists import check_updates
from palimpsest.index import CollectionConfig

Body = TypeVar("Body")

_UPSERT = msgspec.json.Decoder(UpsertBody)
_SELECTION = msgspec.json.Decoder(SelectionBody)
_SET_PAYLOAD = msgspec.json.Decoder(SetPayloadBody)
_DELETE_PAYLOAD = msgspec.json.Decoder(DeletePayloadBody)
_UPDATE_VECTORS = msgspec.json.Decoder(UpdateVectorsBody)
_DELETE_VECTORS = msgspec.json.Decoder(DeleteVectorsBody)
_OPERATIONS = msgspec.json.Decoder(OperationsBody)

_BRINGS_ROWS = (to_upsert, to_vector_update)


async def upsert(call: Call) -> UpdateReply:
    """Insert points, or replace those whose id exists.

    `update_mode` leaves out points that exist (`insert_only`) or do not (`update_only`);
    `update_filter` leaves points that exist and do not pass it as they are.
    """
    return await _write(call, _UPSERT, to_upsert)


async def delete(call: Call) -> UpdateReply:
    """Delete points by id or by a filter; missing ones are no error."""
    return await _write(call, _SELECTION, to_deletion)


async def set_payload(call: Call) -> UpdateReply:
    """Set the given fields of payloads and keep the others; `key` names a place inside them."""
    return await _write(call, _SET_PAYLOAD, to_payload)


async def overwrite_payload(call: Call) -> UpdateReply:
    """Replace whole payloads."""
    return await _write(call, _SET_PAYLOAD, to_overwriting)


async def delete_payload(call: Call) -> UpdateReply:
    """Delete the fields of payloads that the given paths name."""
    return await _write(call, _DELETE_PAYLOAD, to_payload_deletion)


async def clear_payload(call: Call) -> UpdateReply:
    """Delete all fields of payloads."""
    return await _write(call, _SELECTION, to_clearing)


async def update_vectors(call: Call) -> UpdateReply:
    """Replace the given vectors of points that exist and keep the others."""
    return await _write(call, _UPDATE_VECTORS, to_vector_update)


async def delete_vectors(call: Call) -> UpdateReply:
    """Delete vectors by name from points."""
    return await _write(call, _DELETE_VECTORS, to_vector_deletion)


async def batch(call: Call) -> list[UpdateReply]:
    """Carry out several writes in order.

    All are checked before the first begins. When one fails later, for instance because a point it
    names is missing, those before it stay and those after it are not carried out.
    """
    parameters = parse_parameters(call.query_string)

    def decode(text: bytes) -> list[Update]:
        return to_updates(_OPERATIONS.decode(text), call.collection.config)

    def read(call: Call) -> list[Update]:
        require_utf8(call.body)
        return call.read_update(OperationsBody, decode)

    def check(updates: list[Update]) -> None:
        refuse_early(call)
        _check(call, updates, parameters, charges=False)

    def begin_reading() -> list[Update] | Unresolved[list[Update]]:
        return read_or_embed(call, read, check, OPERATIONS, "passage", parameters.timeout)

    replies = []
    updates = await resolved(await call.begun(begin_reading, parameters.timeout))
    await call.begun(lambda: _check(call, updates, parameters), None)  # it was begun in time
    if any(update.adds for update in updates):
        await call.context.load.require_room(len(call.body))
    rows = sum(rows_of(update.batch) for update in updates)
    with _leave(call, rows) as seconds:
        if seconds:
            await wait(call, seconds, parameters.timeout)
        for update in updates:

            def begin(update: Update = update) -> Future[int]:
                return update.begin(call.collection)

            written = await call.begun(begin, None)  # of all or of none: the first is under way
            replies.append(await outcome(call, written, parameters))
            _count(call, update)
    return replies


@contextmanager
def _leave(call: Call, rows: int) -> Iterator[float]:
    """Ask leave for the rows of several writes, which are under way inside."""
    if not rows:
        yield 0.0
        return
    seconds = ask(call, rows)
    try:
        yield seconds
    finally:
        call.collection.pacing.came(rows)


async def outcome(call: Call, written: Future[int], parameters: Parameters) -> UpdateReply:
    """Wait until a write is on disk and searchable, and say so."""
    waiting = asyncio.wrap_future(written)
    try:
        seq = await asyncio.wait_for(asyncio.shield(waiting), call.left(parameters.timeout))
    except TimeoutError:
        waiting.add_done_callback(lambda late: late.exception())  # nobody waits for it now
        return UpdateReply(None, "wait_timeout")
    return UpdateReply(seq, "completed" if parameters.wait else "acknowledged")


async def _write(
    call: Call,
    decoder: msgspec.json.Decoder[Body],
    to_update: Callable[[Body, CollectionConfig], Update],
) -> UpdateReply:
    parameters = parse_parameters(call.query_string)

    def decode(text: bytes) -> Update:
        return to_update(decoder.decode(text), call.collection.config)

    def read(call: Call) -> Update:
        require_utf8(call.body)
        return call.read_update(decoder.type, decode)

    def check(update: Update) -> None:
        refuse_early(call)
        _check(call, [update], parameters, charges=False)

    def begin_reading() -> Update | Unresolved[Update]:
        return read_or_embed(call, read, check, POINTS, "passage", parameters.timeout)

    def begin() -> Future[int] | float:
        """Begin the write, or tell in how many seconds its rows may come."""
        _check(call, [update], parameters)
        seconds = ask(call, rows) if rows else 0.0
        return seconds or _begin(call, update, rows)

    if not call.has_small_body and to_update in _BRINGS_ROWS:
        refuse_early(call)
    update = await resolved(await call.begun(begin_reading, parameters.timeout))
    rows = rows_of(update.batch)
    written = await call.begun(begin, None)  # to read the body was to begin
    if not isinstance(written, Future):
        try:
            await wait(call, written, parameters.timeout)
        except BaseException:
            call.collection.pacing.came(rows)
            raise
        written = await call.begun(lambda: _begin(call, update, rows), None)
    reply = await outcome(call, written, parameters)
    _count(call, update)
    return reply


def _begin(call: Call, update: Update, rows: int) -> Future[int]:
    """Queue a write whose rows were given leave; they have come when it is done."""
    try:
        written = update.begin(call.collection)
    except BaseException:
        if rows:
            call.collection.pacing.came(rows)
        raise
    if rows:
        written.add_done_callback(lambda _: call.collection.pacing.came(rows))
    return written


def _check(
    call: Call, updates: Sequence[Update], parameters: Parameters, *, charges: bool = True
) -> None:
    check_updates(updates, call.context.settings.batch_limit)
    strict = call.strict(charges=charges)
    if strict is not None:
        strict.write(updates, parameters.timeout)


def _count(call: Call, update: Update) -> None:
    if update.upserts and update.batch is not None:
        call.context.metrics.points_written += len(update.batch.ids)
    elif update.deletes:
        call.context.metrics.points_deleted += update.selected
