"""Plain queries that are answered in the event loop, before anything of ASGI is made for them.

Those that came in one turn of the loop are searched for together: what is Python of a search is
as long as the search itself and bound to one core, the walks are shared by all (``index``). Where
vectors alone tell queries from each other, and nothing is unusual about them, the engine reads
vectors and writes hits, and no object stands for either.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

from palimpsest.app.access.rights import Level
from palimpsest.app.context import Context
from palimpsest.app.envelope import success, success_of_points
from palimpsest.app.exemplars import sampled_trace
from palimpsest.app.points import PREFIX
from palimpsest.app.routes.in_event_loop import answer_now, answer_of, is_short, read_now
from palimpsest.app.schemas.hits import ScoredPoints
from palimpsest.app.schemas.plain import Cut, Query
from palimpsest.app.schemas.query import Early, cut_query
from palimpsest.app.warnings import Warnings
from palimpsest.app.wire.compression import accepts_gzip
from palimpsest.index import Collection, CollectionConfig, SearchResult, VectorText

QUERY_ROUTE = f"{PREFIX}{{collection_name}}/points/query"
_WHERE = "POST", QUERY_ROUTE, 200
FINISHED = "palimpsest.reply"  # where a scope carries a reply that is only to be sent
SAMPLED = "palimpsest.sampled"  # where it says whether it was drawn to have spans
EARLY = "palimpsest.early"  # where it carries a body that was read, and not answered

# Of an ASGI scope at least the headers; what was found out is left in it for the ASGI way.
Scope: TypeAlias = MutableMapping[str, Any]


class Asked(NamedTuple):
    """A query as it came: the name of its collection, its body, its scope."""

    name: str
    body: bytes
    scope: Scope


class _Cut(NamedTuple):
    """One whose vector was not read."""

    place: int
    collection: Collection
    config: CollectionConfig
    cut: Cut


class _Short(NamedTuple):
    """One that was read, and is expected to be short."""

    place: int
    collection: Collection
    early: Early
    query: Query


class ShortQueries:
    """Of one server."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._gzip_floor = context.settings.gzip_floor
        self._body_limit = context.settings.body_limit
        self._slow, self._slow_from = context.slow, context.slow.from_seconds
        self._tracing = context.tracing

    def answer(self, name: str, body: bytes, scope: Scope) -> bytes | None:
        """Return the reply to a short, valid query; None for any other, which goes the ASGI way.

        What was read is left in the scope for that way, as is a reply that is to be compressed.
        """
        return self.answer_all([Asked(name, body, scope)])[0]

    def answer_all(self, asked: Sequence[Asked]) -> list[bytes | None]:
        """Return the reply to each of several, as ``answer`` does."""
        started = perf_counter()
        replies: list[bytes | None] = [None] * len(asked)
        left = [*range(len(asked))]
        for members in self._alike(asked):
            for place in self._answer_alike(members, asked, replies, started):
                left.remove(place)
        if len(left) == 1:
            replies[left[0]] = self._answer_one(asked[left[0]], started)
        elif left:
            self._answer_left(left, asked, replies, started)
        return replies

    def _alike(self, asked: Sequence[Asked]) -> list[list[_Cut]]:
        """Return the queries that vectors alone tell from each other, together."""
        groups: dict[tuple[int, int], list[_Cut]] = {}
        for place, one in enumerate(asked):
            try:
                collection = self._collection(one)
                config = None if collection is None else collection.config
                is_long = len(one.body) >= self._context.short_body
                cut = None if config is None or is_long else cut_query(one.body, config)
            except Exception:
                continue  # the ASGI way meets the same error and words it
            if collection is not None and config is not None and cut is not None:
                found = _Cut(place, collection, config, cut)
                groups.setdefault((id(collection), id(cut.query)), []).append(found)
        return [*groups.values()]

    def _answer_alike(
        self,
        members: Sequence[_Cut],
        asked: Sequence[Asked],
        replies: list[bytes | None],
        started: float,
    ) -> list[int]:
        """Answer what is usual of queries alike; return which are done with."""
        _, collection, config, (query, _, _) = members[0]
        request, done = query.request, []
        try:
            if is_short(self._context, collection, Early(config, query)) is None:
                return []
            given = [VectorText(asked[p].body, cut.start, cut.stop) for p, _, _, cut in members]
            found = collection.at_once.hits_as_text(request, given)
            if collection.config is not config:
                return []  # as in ``answer_of``
            for (place, *_), hits in zip(members, found, strict=True):
                if hits is None:
                    continue
                done.append(place)
                seconds = sum(hits.stats.seconds.values())
                count = self._context.metrics.search
                count(collection, request, hits.stats, seconds, hits.found)
                reply = success_of_points(hits.text, started)
                replies[place] = self._sent(reply, asked[place], started)
        except Exception:
            return done  # the ASGI way meets the same error and words it
        return done

    def _answer_one(self, asked: Asked, started: float) -> bytes | None:
        warnings = Warnings()
        try:
            read = self._read(asked)
            if read is None:
                return None
            found = answer_now(self._context, *read, warnings)
            return self._reply(found, asked, started, warnings)
        except Exception:
            return None  # as in ``_alike``

    def _answer_left(
        self,
        places: Sequence[int],
        asked: Sequence[Asked],
        replies: list[bytes | None],
        started: float,
    ) -> None:
        """Answer several queries that are short, those of one collection together."""
        for members in self._by_collection(places, asked):
            try:
                requests = [each.query.request for each in members]
                results = members[0].collection.at_once.search_batch(requests)
            except Exception:  # of one of them: the others are answered
                for each in members:
                    replies[each.place] = self._answer_one(asked[each.place], started)
            else:
                for each, result in zip(members, results, strict=True):
                    replies[each.place] = self._reply_to(each, result, asked[each.place], started)

    def _by_collection(self, places: Sequence[int], asked: Sequence[Asked]) -> list[list[_Short]]:
        groups: dict[int, list[_Short]] = {}
        for place in places:
            try:
                read = self._read(asked[place])
                query = None if read is None else is_short(self._context, *read)
            except Exception:
                continue  # as in ``_alike``
            if read is not None and query is not None:
                one = _Short(place, *read, query)
                groups.setdefault(id(one.collection), []).append(one)
        return [*groups.values()]

    def _collection(self, asked: Asked) -> Collection | None:
        """Return the collection that is asked, None where the short way is not to answer."""
        context, (name, body, scope) = self._context, asked
        if self._tracing is not None and self._is_sampled(scope):
            return None
        access = context.gate.who_now(scope["headers"])
        if access is None or len(body) > self._body_limit or context.life.refuses:
            return None
        return access.collection(context.database, name, Level.READ)

    def _read(self, asked: Asked) -> tuple[Collection, Early] | None:
        collection = self._collection(asked)
        if collection is None:
            return None
        early = read_now(self._context, collection, asked.body)
        if early is None:
            return None
        asked.scope[EARLY] = early
        return collection, early

    def _reply_to(
        self, one: _Short, result: SearchResult, asked: Asked, started: float
    ) -> bytes | None:
        warnings = Warnings()
        try:
            seconds = sum(result.stats.seconds.values())  # its own: others were searched for since
            found = answer_of(
                self._context, one.collection, one.early, one.query, result, seconds, warnings
            )
            return self._reply(found, asked, started, warnings)
        except Exception:
            return None  # as in ``_alike``

    def _reply(
        self,
        found: ScoredPoints | None,
        asked: Asked,
        started: float,
        warnings: Warnings,
    ) -> bytes | None:
        if found is None:
            return None
        reply = success(found, started, warnings)
        if warnings:
            self._context.metrics.warned(warnings.kinds())
        return self._sent(reply, asked, started)

    def _sent(self, reply: bytes, asked: Asked, started: float) -> bytes | None:
        """Count a reply and return it; None leaves one that is to be compressed in the scope."""
        name, body, scope = asked
        if len(reply) >= self._gzip_floor and accepts_gzip(scope):
            scope[FINISHED] = reply
            return None
        seconds, trace = perf_counter() - started, sampled_trace(scope["headers"])
        count = self._context.metrics.request
        count(_WHERE, seconds, len(body), len(reply), trace)
        if seconds >= self._slow_from:
            self._slow.note(None, *_WHERE[:2], name, 200, seconds)
        return reply

    def _is_sampled(self, scope: Scope) -> bool:
        """Draw whether a query is to have spans, once; those go the ASGI way."""
        if SAMPLED not in scope:
            assert self._tracing is not None
            scope[SAMPLED] = self._tracing.samples(None)  # one of a trace is not plain
        sampled: bool = scope[SAMPLED]
        return sampled
