"""Points of one collection: write, delete, read by id, scroll, count."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import msgspec

from app.context import Call
from app.errors import out_of_range, unsupported
from app.schemas.ids import format_id, parse_id, parse_ids, parse_path_id
from app.schemas.parameters import parse_parameters
from app.schemas.points import (
    CountBody,
    DeleteBody,
    RetrieveBody,
    ScrollBody,
    decode_upsert,
    encode_record,
    encode_records,
    refuse_clauses,
)
from app.schemas.selectors import PayloadSelector, select_vectors
from index import PointNotFound

INLINE_BODY = 64 * 1024  # bytes; larger upserts are decoded beside the event loop
INLINE_POINTS = 32  # more records than these are read beside the event loop
DEFAULT_SCROLL = 10
MAX_SCROLL = 2**31 - 1

_DELETE = msgspec.json.Decoder(DeleteBody)
_RETRIEVE = msgspec.json.Decoder(RetrieveBody)
_SCROLL = msgspec.json.Decoder(ScrollBody)
_COUNT = msgspec.json.Decoder(CountBody)
_EVERYTHING = PayloadSelector(None, default=True)


async def upsert(call: Call) -> bytes:
    """Insert points, or replace those whose id exists."""
    parse_parameters(call.query_string)
    config = call.collection.config
    if len(call.body) <= INLINE_BODY:
        batch = decode_upsert(call.body, config)
        written = call.collection.upsert(batch)
    else:
        batch = await call.context.in_thread(lambda: decode_upsert(call.body, config))
        written = await call.context.in_thread(lambda: call.collection.upsert(batch))
    result = await _outcome(call, written)
    call.context.metrics.points_written += len(batch.ids)
    return result


async def delete(call: Call) -> bytes:
    """Delete points by id; missing ones are no error."""
    parse_parameters(call.query_string)
    body = _DELETE.decode(call.body)
    refuse_clauses(body, "filter", "shard_key")
    ids = parse_ids(_required(body.points, "points"))
    result = await _outcome(call, call.collection.delete(ids))
    call.context.metrics.points_deleted += len(ids)
    return result


async def retrieve(call: Call) -> bytes:
    """Return the points of the given ids; missing ones are left out."""
    timeout = parse_parameters(call.query_string).timeout
    body = _RETRIEVE.decode(call.body)
    refuse_clauses(body, "shard_key")
    ids = parse_ids(body.ids)
    select = PayloadSelector(body.with_payload, default=True)
    vectors = select_vectors(body.with_vector)

    def read() -> bytes:
        records = call.collection.retrieve(ids, with_payload=select.wanted, with_vectors=vectors)
        return encode_records(records, select, vectors)

    return read() if len(ids) <= INLINE_POINTS else await call.context.in_thread(read, timeout)


async def get(call: Call) -> bytes:
    """Return one point with payload and vectors."""
    point_id = parse_path_id(call.tail)
    records = call.collection.retrieve([point_id], with_payload=True, with_vectors=True)
    if not records:
        raise PointNotFound(point_id)
    return encode_record(records[0], _EVERYTHING, True)


async def scroll(call: Call) -> bytes:
    """Return points in the order of their ids, and the id to continue from."""
    timeout = parse_parameters(call.query_string).timeout
    body = _SCROLL.decode(call.body)
    refuse_clauses(body, "filter", "order_by", "shard_key")
    limit = DEFAULT_SCROLL if body.limit is None else body.limit
    if not 1 <= limit <= MAX_SCROLL:
        bound = "1 or larger" if limit < 1 else f"{MAX_SCROLL} or smaller"
        raise out_of_range("limit", f"value {limit} invalid, must be {bound}")
    start = None if body.offset is None else parse_id(body.offset)
    select = PayloadSelector(body.with_payload, default=True)
    vectors = select_vectors(body.with_vector)

    def read() -> bytes:
        records, following = call.collection.scroll(
            start, limit, with_payload=select.wanted, with_vectors=vectors
        )
        after = b"null" if following is None else format_id(following)
        points = encode_records(records, select, vectors)
        return b'{"points":%b,"next_page_offset":%b}' % (points, after)

    return read() if limit <= INLINE_POINTS else await call.context.in_thread(read, timeout)


async def count(call: Call) -> bytes:
    """Return how many points there are; always exact."""
    parse_parameters(call.query_string)
    body = _COUNT.decode(call.body)
    refuse_clauses(body, "filter", "shard_key")
    return b'{"count":%d}' % call.collection.count()


async def _outcome(call: Call, written: Future[int]) -> bytes:
    """Wait until a write is on disk and searchable, and say so.

    Without ``wait`` the same is only called "acknowledged": an acknowledged write is never lost.
    """
    parameters = parse_parameters(call.query_string)
    status = b"completed" if parameters.wait else b"acknowledged"
    waiting = asyncio.wrap_future(written)
    try:
        seq = await asyncio.wait_for(asyncio.shield(waiting), parameters.timeout)
    except TimeoutError:
        waiting.add_done_callback(lambda late: late.exception())
        return b'{"operation_id":null,"status":"wait_timeout"}'
    return b'{"operation_id":%d,"status":"%b"}' % (seq, status)


def _required(points: list[int | str] | None, name: str) -> list[int | str]:
    if points is None:
        raise unsupported(f"a body without `{name}`")
    return points
