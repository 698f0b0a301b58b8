"""Plain queries that are answered in the event loop, before anything of ASGI is made for them.

Those that came in one turn of the loop are searched for together: what is Python of a search is
as long as the search itself and bound to one core, the walks are shared by all (``index``).
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

from palimpsest.app.access.rights import Level
from palimpsest.app.context import Context
from palimpsest.app.envelope import success
from palimpsest.app.exemplars import sampled_trace
from palimpsest.app.points import PREFIX
from palimpsest.app.routes.in_event_loop import answer_now, answer_of, is_short, read_now
from palimpsest.app.schemas.hits import ScoredPoints
from palimpsest.app.schemas.plain import Query
from palimpsest.app.schemas.query import Early
from palimpsest.app.warnings import Warnings
from palimpsest.app.wire.compression import accepts_gzip
from palimpsest.index import Collection, SearchResult

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
        started = perf_counter()
        warnings = Warnings()
        try:
            read = self._read(name, body, scope)
            if read is None:
                return None
            found = answer_now(self._context, *read, warnings)
            return self._reply(found, Asked(name, body, scope), started, warnings)
        except Exception:
            return None  # the ASGI way meets the same error and words it

    def answer_all(self, asked: Sequence[Asked]) -> list[bytes | None]:
        """Return the reply to each of several, as ``answer`` does."""
        if len(asked) == 1:
            return [self.answer(*asked[0])]
        started = perf_counter()
        replies: list[bytes | None] = [None] * len(asked)
        for members in self._by_collection(asked):
            try:
                requests = [each.query.request for each in members]
                results = members[0].collection.at_once.search_batch(requests)
            except Exception:  # of one of them: the others are answered
                for each in members:
                    replies[each.place] = self.answer(*asked[each.place])
            else:
                for each, result in zip(members, results, strict=True):
                    replies[each.place] = self._reply_to(each, result, asked[each.place], started)
        return replies

    def _by_collection(self, asked: Sequence[Asked]) -> list[list[_Short]]:
        """Return the queries that are short, those of one collection together."""
        groups: dict[int, list[_Short]] = {}
        for place, (name, body, scope) in enumerate(asked):
            try:
                read = self._read(name, body, scope)
                query = None if read is None else is_short(self._context, *read)
            except Exception:
                continue  # as in ``answer``
            if read is not None and query is not None:
                one = _Short(place, *read, query)
                groups.setdefault(id(one.collection), []).append(one)
        return [*groups.values()]

    def _read(self, name: str, body: bytes, scope: Scope) -> tuple[Collection, Early] | None:
        context = self._context
        if self._tracing is not None and self._is_sampled(scope):
            return None
        access = context.gate.who_now(scope["headers"])
        if access is None or len(body) > self._body_limit or context.life.refuses:
            return None
        collection = access.collection(context.database, name, Level.READ)
        early = read_now(context, collection, body)
        if early is None:
            return None
        scope[EARLY] = early
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
            return None  # as in ``answer``

    def _reply(
        self,
        found: ScoredPoints | None,
        asked: Asked,
        started: float,
        warnings: Warnings,
    ) -> bytes | None:
        if found is None:
            return None
        name, body, scope = asked
        reply = success(found, started, warnings)
        if warnings:
            self._context.metrics.warned(warnings.kinds())
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
