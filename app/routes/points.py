"""Reading the points of one collection: by id, in order, how many."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import msgspec

from palimpsest.app.context import Call
from palimpsest.app.costs import cost_of_reading
from palimpsest.app.errors import Refusal, wrong_input
from palimpsest.app.routes.readings import consistent
from palimpsest.app.schemas.explanations import warn_of_damage
from palimpsest.app.schemas.filters import decode_filter
from palimpsest.app.schemas.ids import parse_id, parse_ids, parse_path_id
from palimpsest.app.schemas.kinds import to_order
from palimpsest.app.schemas.parameters import parse_parameters
from palimpsest.app.schemas.points import refuse_clauses
from palimpsest.app.schemas.records import (
    CountBody,
    CountReply,
    RecordReply,
    RetrieveBody,
    ScrollBody,
    ScrollReply,
    to_replies,
    to_reply,
)
from palimpsest.app.schemas.searches import MAX_COUNT, between
from palimpsest.app.schemas.selectors import PayloadSelector, select_vectors
from palimpsest.app.spelling import ABSENT
from palimpsest.app.work.replies import Wanted, wanted_of
from palimpsest.index import (
    Collection,
    Filter,
    InvalidId,
    PointId,
    Prefetch,
    QueryRequest,
    Spared,
    answer,
)

INLINE_POINTS = 32  # more records than these are read beside the event loop
DEFAULT_SCROLL = 10

_RETRIEVE = msgspec.json.Decoder(RetrieveBody)
_SCROLL = msgspec.json.Decoder(ScrollBody)
_COUNT = msgspec.json.Decoder(CountBody)
_EVERYTHING = PayloadSelector(None, default=True)


async def retrieve(call: Call) -> list[RecordReply]:
    """Return the points of the given ids; missing ones are left out."""
    timeout = parse_parameters(call.query_string).timeout

    def decode(text: bytes) -> tuple[RetrieveBody, list[PointId]]:
        body = _RETRIEVE.decode(text)
        refuse_clauses(body, "shard_key")
        return body, parse_ids(body.ids)

    body, ids = await call.decoded(lambda: call.read(RetrieveBody, decode), timeout)
    _check(call, timeout, cost=len(ids))
    select = PayloadSelector(body.with_payload, default=True)
    vectors = select_vectors(body.with_vector)

    def read(collection: Collection) -> list[RecordReply]:
        with call.room(Wanted(len(ids), select.wanted, vectors)):
            spared = Spared()
            records = collection.retrieve(
                ids, with_payload=select.wanted, with_vectors=vectors, spared=spared
            )
            warn_of_damage(call.warnings, collection, spared.findings)
            return to_replies(records, select, vectors)

    return await call.run(read, short=len(ids) <= INLINE_POINTS, timeout=timeout)


async def get(call: Call) -> RecordReply:
    """Return one point with payload and vectors."""
    try:
        point_id = parse_path_id(call.tail)
    except InvalidId as error:
        raise wrong_input(f'Can not recognize "{call.tail:.60}" as point id: {error}') from None
    timeout = parse_parameters(call.query_string).timeout
    _check(call, timeout, cost=1)

    def read(collection: Collection) -> RecordReply:
        records = collection.retrieve([point_id], with_payload=True, with_vectors=True)
        if not records:
            raise Refusal(
                HTTPStatus.NOT_FOUND, f"Not found: Point with id {point_id} does not exists!"
            )
        return to_reply(records[0], _EVERYTHING, True)

    return await call.run(read, short=True, timeout=timeout)


async def scroll(call: Call) -> ScrollReply:
    """Return points in the order of their ids, and the id to continue from.

    With `order_by` they come in the order of a payload value that has an integer, float or
    datetime index; a point stands once per value it has, and there is no offset.
    """
    timeout = parse_parameters(call.query_string).timeout

    def decode(text: bytes) -> tuple[ScrollBody, Filter | None]:
        body = _SCROLL.decode(text)
        refuse_clauses(body, "shard_key")
        return body, _filter(body.filter)

    body, condition = await call.decoded(lambda: call.read(ScrollBody, decode), timeout)
    limit = between("limit", body.limit, 1, MAX_COUNT, DEFAULT_SCROLL)
    _check(call, timeout, limit=limit, condition=condition)
    start = None if body.offset is None else parse_id(body.offset)
    read = (
        _by_id(call, body, condition, start, limit)
        if body.order_by is None
        else _by_value(call, body, condition, limit)
    )
    short = limit <= INLINE_POINTS and condition is None and body.order_by is None
    return await call.run(read, short=short, timeout=timeout)


async def count(call: Call) -> CountReply:
    """Return how many points there are, or pass a filter.

    With `exact` false the number of those that pass a filter may be an estimate.
    """
    timeout = parse_parameters(call.query_string).timeout

    def decode(text: bytes) -> tuple[CountBody, Filter | None]:
        body = _COUNT.decode(text)
        refuse_clauses(body, "shard_key")
        return body, _filter(body.filter)

    body, condition = await call.decoded(lambda: call.read(CountBody, decode), timeout)
    exact = body.exact is not False
    _check(call, timeout, condition=condition, exact=exact)

    def read(collection: Collection) -> CountReply:
        return CountReply(collection.count(condition, exact=exact))

    return await call.run(read, short=condition is None, timeout=timeout)


def _by_id(
    call: Call,
    body: ScrollBody,
    condition: Filter | None,
    start: PointId | None,
    limit: int,
) -> Callable[[Collection], ScrollReply]:
    select = PayloadSelector(body.with_payload, default=True)
    vectors = select_vectors(body.with_vector)

    def read(collection: Collection) -> ScrollReply:
        most = min(limit, collection.count())
        with call.room(Wanted(most, select.wanted, vectors)):
            spared = Spared()
            records, following = collection.scroll(
                start,
                limit,
                filter=condition,
                with_payload=select.wanted,
                with_vectors=vectors,
                spared=spared,
            )
            warn_of_damage(call.warnings, collection, spared.findings)
            return ScrollReply(to_replies(records, select, vectors), following)

    return read


def _by_value(
    call: Call, body: ScrollBody, condition: Filter | None, limit: int
) -> Callable[[Collection], ScrollReply]:
    if body.offset is not None:
        raise wrong_input(
            "Cannot use an `offset` when using `order_by`. The alternative for paging is to use "
            "`order_by.start_from` and a filter to exclude the IDs that you've already seen for "
            "the `order_by.start_from` value"
        )
    assert body.order_by is not None
    root = Prefetch(query=to_order(body.order_by), filter=condition, limit=limit)
    select = PayloadSelector(body.with_payload, default=True)
    vectors = select_vectors(body.with_vector)
    request = QueryRequest(root, with_payload=select.wanted, with_vectors=vectors)

    def read(collection: Collection) -> ScrollReply:
        with call.room(wanted_of(request, collection.count())):
            states, found = consistent(
                call.context,
                call.access,
                collection,
                lambda states: answer(states.own, request, states),
                lambda found: found.whole,
            )
            warn_of_damage(call.warnings, collection, states.own.stats.damaged)
            rows = to_replies(found.records, select, vectors)
        for row, value in zip(rows, found.order_values or (), strict=True):
            row.order_value = value
        return ScrollReply(rows, None)

    return read


def _filter(raw: msgspec.Raw) -> Filter | None:
    return None if bytes(raw) in ABSENT else decode_filter(raw)


def _check(
    call: Call,
    timeout: int | None,
    *,
    cost: int | None = None,
    limit: int | None = None,
    condition: Filter | None = None,
    exact: bool = False,
) -> None:
    strict = call.strict()
    if strict is not None:
        strict.exact(exact)
        if cost is None:
            cost = cost_of_reading(condition)
        strict.read(cost=cost, limit=limit, timeout=timeout, filter=condition)
