"""Queries of one collection: plain searches, trees, batches and groups of them.

Whether one runs in the event loop is decided in ``in_event_loop``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from time import perf_counter
from typing import TypeAlias

from palimpsest.app.access.rights import Access, Level
from palimpsest.app.context import Call, Context
from palimpsest.app.envelope import Explained
from palimpsest.app.routes.in_event_loop import (
    INLINE_SECONDS,
    Decode,
    answer_now,
    bridging,
    seconds_of,
)
from palimpsest.app.routes.readings import consistent
from palimpsest.app.routes.texts import read_or_embed
from palimpsest.app.schemas.explanations import (
    Explanation,
    describe_matched,
    explain,
    warn_of_reach,
)
from palimpsest.app.schemas.hits import GroupsReply, PointGroup, ScoredPoints, to_hits, to_points
from palimpsest.app.schemas.ids import id_of_group
from palimpsest.app.schemas.inference import QUERIES, QUERY
from palimpsest.app.schemas.parameters import parse_parameters
from palimpsest.app.schemas.plain import Query
from palimpsest.app.schemas.query import Asked, Early, decode_queries, decode_query
from palimpsest.app.schemas.records import RecordReply, to_reply
from palimpsest.app.schemas.searches import GroupsBody, QueryBatchBody, QueryBody, WithLookupBody
from palimpsest.app.schemas.selectors import PayloadSelector, select_vectors
from palimpsest.app.schemas.trees import Grouped, decode_groups
from palimpsest.app.schemas.unresolved import Unresolved, resolved
from palimpsest.app.strict_queries import Request, charge_lookup, check_queries
from palimpsest.app.work.replies import wanted_of
from palimpsest.index import (
    BridgeMode,
    Collection,
    CollectionConfig,
    Group,
    GroupRequest,
    PointId,
    SearchRequest,
    SearchStats,
    answer,
    answer_groups,
    is_similarity,
    matched_parts,
)

DecodeBatch: TypeAlias = Callable[[bytes, CollectionConfig], list[Asked]]
DecodeGroups: TypeAlias = Callable[[bytes], Grouped]


async def query(call: Call) -> ScoredPoints | Explained:
    """Return the points that a query ranks best."""
    return await ask(call, QueryBody, decode_query)


async def query_batch(call: Call) -> list[ScoredPoints] | Explained:
    """Answer several queries, plain ones on one state of the collection."""
    return await ask_batch(call, QueryBatchBody, decode_queries)


async def query_groups(call: Call) -> GroupsReply | Explained:
    """Return the best points of each group, grouped by a payload value."""
    return await ask_groups(call, GroupsBody, decode_groups)


async def ask(call: Call, kind: type, decode: Decode) -> ScoredPoints | Explained:
    """Answer one query, whose body is of a kind that ``decode`` reads."""
    timeout = parse_parameters(call.query_string).timeout
    knobs = call.knobs
    config = call.collection.config
    asked: Asked = await resolved(await _read(call, kind, decode, config, timeout))
    if call.early is None and call.has_small_body and not knobs.explain:
        early = Early(config, asked)
        found = answer_now(
            call.context, call.collection, early, call.warnings, knobs.bridge, call.trace
        )
        if found is not None:
            return found

    def search() -> tuple[SearchStats, float, ScoredPoints] | None:
        check_queries(call, [asked.request], timeout)
        started = perf_counter()
        with _room(call, asked.request):
            stats, points = _run(call.context, call.access, call.collection, asked, knobs.bridge)
        if call.collection.config is not config:
            return None  # names may mean vectors of another distance now: it is read again
        return stats, perf_counter() - started, points

    answered = await call.in_thread(search, timeout)
    if answered is None:
        return await ask(call, kind, decode)
    stats, seconds, points = answered
    count = call.context.metrics.search
    count(call.collection, asked.request, stats, seconds, len(points.points))
    call.trace.searched(stats, seconds)
    warn_of_reach(call.warnings, call.collection, stats)
    if not knobs.explain:
        return points
    ids = [one.id for one in points.points]
    return Explained(points, await _explained(call, asked.request, ids, stats, timeout))


async def _read(
    call: Call, kind: type, decode: Decode, config: CollectionConfig, timeout: int | None
) -> Asked | Unresolved[Asked]:
    """Return what a body asks for; one that the short way has read is not read again."""
    early = call.early
    if early is not None and early.config is config:
        call.check_depth()
        return early.asked

    def read(call: Call) -> Asked:
        return call.read(kind, lambda text: decode(text, config))

    def check(asked: Asked) -> None:
        check_queries(call, [asked.request], timeout, charges=False)

    return await call.decoded(
        lambda: read_or_embed(call, read, check, QUERY, "query", timeout), timeout
    )


async def _explained(
    call: Call,
    request: Request,
    ids: Sequence[PointId],
    stats: SearchStats,
    timeout: float | None,
) -> Explanation:
    """Return how an answer came about; which reads the numbers of the hits, and their sets."""

    def tell() -> Explanation:
        _, parts = consistent(
            call.context,
            call.access,
            call.collection,
            lambda readings: matched_parts(readings.own, request, ids, readings),
            lambda _: True,
        )
        matched = describe_matched(parts, _is_similarity(call.collection, request))
        return explain(stats, call.collection, ids, matched)

    return await call.in_thread(tell, timeout)


def _is_similarity(collection: Collection, request: Request) -> bool:
    """Tell whether scores of what ranks the hits of a request are similarities."""
    name = request.vector_name if isinstance(request, SearchRequest) else request.root.using
    declared = collection.config.find(name)
    return declared is not None and is_similarity(declared)


async def ask_batch(call: Call, kind: type, decode: DecodeBatch) -> list[ScoredPoints] | Explained:
    """Answer several queries, whose body is of a kind that ``decode`` reads."""
    timeout = parse_parameters(call.query_string).timeout
    config = call.collection.config

    def read(call: Call) -> list[Asked]:
        return call.read(kind, lambda text: decode(text, config))

    def check(asked: list[Asked], *, charges: bool = False) -> None:
        strict = call.strict()
        if strict is not None:
            strict.search_batch(len(asked))
        check_queries(call, [each.request for each in asked], timeout, charges=charges)

    asked = await resolved(
        await call.decoded(
            lambda: read_or_embed(call, read, check, QUERIES, "query", timeout), timeout
        )
    )
    check(asked, charges=True)

    def search(collection: Collection) -> list[tuple[SearchStats, ScoredPoints]] | None:
        with _room(call, *(each.request for each in asked)):
            found = _run_batch(call.context, call.access, collection, asked, call.knobs.bridge)
        return found if call.collection.config is config else None  # as in ``ask``

    short = seconds_of(call.collection, asked, call.knobs.bridge) <= INLINE_SECONDS
    replies = await call.run(search, short=short, timeout=timeout)
    if replies is None:
        return await ask_batch(call, kind, decode)
    count = call.context.metrics.search
    for one, (stats, points) in zip(asked, replies, strict=True):
        seconds = sum(stats.seconds.values())
        count(call.collection, one.request, stats, seconds, len(points.points))
        call.trace.searched(stats, seconds)
        warn_of_reach(call.warnings, call.collection, stats)
    found = [points for _, points in replies]
    if call.knobs.explain:
        told = [
            await _explained(call, one.request, [hit.id for hit in points.points], stats, timeout)
            for one, (stats, points) in zip(asked, replies, strict=True)
        ]
        return Explained(found, told)
    return found


async def ask_groups(call: Call, kind: type, decode: DecodeGroups) -> GroupsReply | Explained:
    """Answer one query by groups, whose body is of a kind that ``decode`` reads."""
    timeout = parse_parameters(call.query_string).timeout

    def read(call: Call) -> Grouped:
        return call.read(kind, decode)

    def check(grouped: Grouped, *, charges: bool = False) -> None:
        request = grouped[0]
        strict = call.strict()
        if strict is not None:
            strict.group_by(request.path)
        check_queries(call, [request], timeout, charges=charges)

    grouped = await resolved(
        await call.decoded(
            lambda: read_or_embed(call, read, check, QUERY, "query", timeout), timeout
        )
    )
    request, select, lookup = grouped

    def search() -> tuple[SearchStats, float, GroupsReply]:
        check(grouped, charges=True)
        started = perf_counter()
        with _room(call, request):
            stats, groups = _groups(call, request)
            lookups = _lookups(call.context, call.access, lookup, [group.key for group in groups])
            vectors = request.with_vectors
            found = [
                PointGroup(to_hits(hits, select, vectors), key, lookups.get(key))
                for key, hits in groups
            ]
            return stats, perf_counter() - started, GroupsReply(found)

    stats, seconds, found = await call.in_thread(search, timeout)
    groups = len(found.groups)
    call.context.metrics.search(call.collection, request, stats, seconds, groups)
    call.trace.searched(stats, seconds)
    warn_of_reach(call.warnings, call.collection, stats)
    if not call.knobs.explain:
        return found
    ids = [hit.id for group in found.groups for hit in group.hits]
    return Explained(found, await _explained(call, request, ids, stats, timeout))


def _room(call: Call, *requests: Request) -> AbstractContextManager[None]:
    """Hold memory for the answers to queries. Raises Refusal, 507."""
    stored = call.collection.count()
    return call.room(*(wanted_of(each, stored) for each in requests))


def _run(
    context: Context, access: Access, collection: Collection, asked: Asked, bridge: BridgeMode
) -> tuple[SearchStats, ScoredPoints]:
    vectors = asked.request.with_vectors
    if isinstance(asked, Query):
        result = collection.search(bridging(asked.request, bridge))
        return result.stats, to_points(result, asked.select, vectors, asked.similarity)
    request = asked.request
    readings, found = consistent(
        context,
        access,
        collection,
        lambda readings: answer(readings.own, request, readings),
        lambda found: found.whole,
        bridge,
    )
    return readings.own.stats, ScoredPoints(to_hits(found, asked.select, vectors))


def _run_batch(
    context: Context,
    access: Access,
    collection: Collection,
    asked: Sequence[Asked],
    bridge: BridgeMode,
) -> list[tuple[SearchStats, ScoredPoints]]:
    plain = [bridging(each.request, bridge) for each in asked if isinstance(each, Query)]
    results = iter(collection.search_batch(plain))
    replies = []
    for each in asked:
        if isinstance(each, Query):
            result = next(results)
            points = to_points(result, each.select, each.request.with_vectors, each.similarity)
            replies.append((result.stats, points))
        else:
            replies.append(_run(context, access, collection, each, bridge))
    return replies


def _groups(call: Call, request: GroupRequest) -> tuple[SearchStats, list[Group]]:
    readings, groups = consistent(
        call.context,
        call.access,
        call.collection,
        lambda readings: answer_groups(readings.own, request, readings),
        lambda groups: all(group.hits.whole for group in groups),
        call.knobs.bridge,
    )
    return readings.own.stats, groups


def _lookups(
    context: Context, access: Access, body: WithLookupBody | None, keys: Sequence[int | str]
) -> dict[int | str, RecordReply]:
    """Return the points of another collection whose ids are groups, by group."""
    if body is None:
        return {}
    collection = access.collection(context.database, body.collection, Level.READ)
    select = PayloadSelector(body.with_payload, default=True)
    vectors = select_vectors(body.with_vectors)
    ids = {key: one for key in keys if (one := id_of_group(key)) is not None}
    charge_lookup(context, access, body.collection, len(ids))
    records = collection.retrieve(
        list(ids.values()), with_payload=select.wanted, with_vectors=vectors
    )
    found = {record.id: to_reply(record, select, vectors) for record in records}
    return {key: found[one] for key, one in ids.items() if one in found}
