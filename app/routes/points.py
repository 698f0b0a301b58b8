"""Points of one collection: write, delete, read by id, scroll, count."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import msgspec

from app.context import Call
from app.errors import out_of_range, unsupported
from app.schemas.ids import parse_id, parse_ids, parse_path_id
from app.schemas.parameters import parse_parameters
from app.schemas.points import decode_upsert, refuse_clauses
from app.schemas.records import (
    CountBody,
    CountReply,
    DeleteBody,
    RecordReply,
    RetrieveBody,
    ScrollBody,
    ScrollReply,
    UpdateReply,
    to_replies,
    to_reply,
)
from app.schemas.selectors import PayloadSelector, select_vectors
from index import PointId, PointNotFound

INLINE_POINTS = 32  # more records than these are read beside the event loop
DEFAULT_SCROLL = 10
MAX_SCROLL = 2**31 - 1

_DELETE = msgspec.json.Decoder(DeleteBody)
_RETRIEVE = msgspec.json.Decoder(RetrieveBody)
_SCROLL = msgspec.json.Decoder(ScrollBody)
_COUNT = msgspec.json.Decoder(CountBody)
_EVERYTHING = PayloadSelector(None, default=True)


async def upsert(call: Call) -> UpdateReply:
    """Insert points, or replace those whose id exists."""
    parse_parameters(call.query_string)

    def begin() -> tuple[int, Future[int]]:
        batch = decode_upsert(call.body, call.collection.config)
        return len(batch.ids), call.collection.upsert(batch)

    points, written = await call.decoded(begin)
    result = await _outcome(call, written)
    call.context.metrics.points_written += points
    return result


async def delete(call: Call) -> UpdateReply:
    """Delete points by id; missing ones are no error."""
    parse_parameters(call.query_string)

    def begin() -> tuple[int, Future[int]]:
        body = _DELETE.decode(call.body)
        refuse_clauses(body, "filter", "shard_key")
        ids = parse_ids(_required(body.points, "points"))
        return len(ids), call.collection.delete(ids)

    points, written = await call.decoded(begin)
    result = await _outcome(call, written)
    call.context.metrics.points_deleted += points
    return result


async def retrieve(call: Call) -> list[RecordReply]:
    """Return the points of the given ids; missing ones are left out."""
    timeout = parse_parameters(call.query_string).timeout

    def decode() -> tuple[RetrieveBody, list[PointId]]:
        body = _RETRIEVE.decode(call.body)
        refuse_clauses(body, "shard_key")
        return body, parse_ids(body.ids)

    body, ids = await call.decoded(decode)
    select = PayloadSelector(body.with_payload, default=True)
    vectors = select_vectors(body.with_vector)

    def read() -> list[RecordReply]:
        records = call.collection.retrieve(ids, with_payload=select.wanted, with_vectors=vectors)
        return to_replies(records, select, vectors)

    return await call.context.run(read, short=len(ids) <= INLINE_POINTS, timeout=timeout)


async def get(call: Call) -> RecordReply:
    """Return one point with payload and vectors."""
    point_id = parse_path_id(call.tail)

    def read() -> RecordReply:
        records = call.collection.retrieve([point_id], with_payload=True, with_vectors=True)
        if not records:
            raise PointNotFound(point_id)
        return to_reply(records[0], _EVERYTHING, True)

    return await call.context.run(read, short=True)


async def scroll(call: Call) -> ScrollReply:
    """Return points in the order of their ids, and the id to continue from."""
    timeout = parse_parameters(call.query_string).timeout
    body = await call.decoded(lambda: _SCROLL.decode(call.body))
    refuse_clauses(body, "filter", "order_by", "shard_key")
    limit = DEFAULT_SCROLL if body.limit is None else body.limit
    if not 1 <= limit <= MAX_SCROLL:
        bound = "1 or larger" if limit < 1 else f"{MAX_SCROLL} or smaller"
        raise out_of_range("limit", f"value {limit} invalid, must be {bound}")
    start = None if body.offset is None else parse_id(body.offset)
    select = PayloadSelector(body.with_payload, default=True)
    vectors = select_vectors(body.with_vector)

    def read() -> ScrollReply:
        records, following = call.collection.scroll(
            start, limit, with_payload=select.wanted, with_vectors=vectors
        )
        return ScrollReply(to_replies(records, select, vectors), following)

    return await call.context.run(read, short=limit <= INLINE_POINTS, timeout=timeout)


async def count(call: Call) -> CountReply:
    """Return how many points there are; always exact."""
    parse_parameters(call.query_string)
    body = await call.decoded(lambda: _COUNT.decode(call.body))
    refuse_clauses(body, "filter", "shard_key")
    return CountReply(call.collection.count())


async def _outcome(call: Call, written: Future[int]) -> UpdateReply:
    """Wait until a write is on disk and searchable, and say so.

    Without ``wait`` the same is only called "acknowledged": an acknowledged write is never lost.
    """
    parameters = parse_parameters(call.query_string)
    waiting = asyncio.wrap_future(written)
    try:
        seq = await asyncio.wait_for(asyncio.shield(waiting), parameters.timeout)
    except TimeoutError:
        waiting.add_done_callback(lambda late: late.exception())  # nobody waits for it now
        return UpdateReply(None, "wait_timeout")
    return UpdateReply(seq, "completed" if parameters.wait else "acknowledged")


def _required(points: list[int | str] | None, name: str) -> list[int | str]:
    if points is None:
        raise unsupported(f"a body without `{name}`")
    return points
