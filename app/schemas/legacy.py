"""Bodies of the calls that searched before there was one query: search, recommend, discover.

Qdrant's document no longer names them, its server answers them still, and clients send them. Each
body becomes what ``POST points/query`` would have made of the same question, so that both are
answered alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.legacy_bodies import (
    DiscoverBatchBody,
    DiscoverPointsBody,
    ExamplesBody,
    LegacyBody,
    NamedBody,
    RecommendBatchBody,
    RecommendGroupsBody,
    RecommendPointsBody,
    SearchBatchBody,
    SearchGroupsBody,
    SearchPointsBody,
)
from palimpsest.app.schemas.plain import ANY_VECTOR, MARK, PlainQueries, Query
from palimpsest.app.schemas.points import refuse_clauses
from palimpsest.app.schemas.query import Asked, Tree, is_one_level, to_search
from palimpsest.app.schemas.searches import GroupsBody, LookupBody, QueryBody
from palimpsest.app.schemas.targets import to_target
from palimpsest.app.schemas.trees import Grouped, to_groups, to_tree
from palimpsest.app.schemas.vectors import read_any, read_sparse
from palimpsest.app.spelling import ABSENT
from palimpsest.index import CollectionConfig, queries

_SEARCH = msgspec.json.Decoder(SearchPointsBody)
_SEARCHES = msgspec.json.Decoder(SearchBatchBody)
_SEARCH_GROUPS = msgspec.json.Decoder(SearchGroupsBody)
_RECOMMEND = msgspec.json.Decoder(RecommendPointsBody)
_RECOMMENDS = msgspec.json.Decoder(RecommendBatchBody)
_RECOMMEND_GROUPS = msgspec.json.Decoder(RecommendGroupsBody)
_DISCOVER = msgspec.json.Decoder(DiscoverPointsBody)
_DISCOVERS = msgspec.json.Decoder(DiscoverBatchBody)
_NAMED = msgspec.json.Decoder(NamedBody)


def decode_search(text: bytes, config: CollectionConfig) -> Asked:
    """Return what a ``SearchPointsBody`` asks for.

    Raises:
        Refusal: a clause is unsupported, out of range, or of the wrong shape.
        InvalidInput: a vector or a path cannot be read, or a name is not declared.
    """
    found = _PLAIN.find(text, config)
    return _search(_SEARCH.decode(text), config) if found is None else found


def _read_marked(text: bytes, config: CollectionConfig) -> Query | None:
    rest = _SEARCH.decode(text)
    name = _marked_name(bytes(rest.vector))
    if name is None:
        return None
    asked = _to_search(rest, name, ANY_VECTOR, config)
    return asked if isinstance(asked, Query) else None


_PLAIN = PlainQueries(_read_marked)


def decode_searches(text: bytes, config: CollectionConfig) -> list[Asked]:
    """Return what a ``SearchBatchBody`` asks for; raises as ``decode_search`` does."""
    return [_search(each, config) for each in _SEARCHES.decode(text).searches]


def decode_search_groups(text: bytes) -> Grouped:
    """Return what a ``SearchGroupsBody`` asks for; raises as ``decode_search`` does."""
    body = _SEARCH_GROUPS.decode(text)
    name, target = _read_named(bytes(body.vector))
    return _to_groups(body, queries.Nearest(target), name, None)


def decode_recommend(text: bytes, config: CollectionConfig) -> Asked:
    """Return what a ``RecommendPointsBody`` asks for; raises as ``decode_search`` does."""
    return _recommend(_RECOMMEND.decode(text))


def decode_recommends(text: bytes, config: CollectionConfig) -> list[Asked]:
    """Return what a ``RecommendBatchBody`` asks for; raises as ``decode_search`` does."""
    return [_recommend(each) for each in _RECOMMENDS.decode(text).searches]


def decode_recommend_groups(text: bytes) -> Grouped:
    """Return what a ``RecommendGroupsBody`` asks for; raises as ``decode_search`` does."""
    body = _RECOMMEND_GROUPS.decode(text)
    return _to_groups(body, _to_examples(body), body.using, body.lookup_from)


def decode_discover(text: bytes, config: CollectionConfig) -> Asked:
    """Return what a ``DiscoverPointsBody`` asks for; raises as ``decode_search`` does."""
    return _discover(_DISCOVER.decode(text))


def decode_discovers(text: bytes, config: CollectionConfig) -> list[Asked]:
    """Return what a ``DiscoverBatchBody`` asks for; raises as ``decode_search`` does."""
    return [_discover(each) for each in _DISCOVERS.decode(text).searches]


def _search(body: SearchPointsBody, config: CollectionConfig) -> Asked:
    return _to_search(body, *_read_named(bytes(body.vector)), config)


def _to_search(
    body: SearchPointsBody, name: str, target: queries.Target, config: CollectionConfig
) -> Asked:
    level = _level(body, name, None, body.offset, body.score_threshold)
    if is_one_level(level):
        return to_search(level, config, target)
    return _to_tree(level, queries.Nearest(target))


def _recommend(body: RecommendPointsBody) -> Asked:
    level = _level(body, body.using, body.lookup_from, body.offset, body.score_threshold)
    return _to_tree(level, _to_examples(body))


def _discover(body: DiscoverPointsBody) -> Asked:
    level = _level(body, body.using, body.lookup_from, body.offset, None)
    return _to_tree(level, _to_context(body))


def _to_tree(level: QueryBody, query: queries.Query) -> Asked:
    refuse_clauses(level, "shard_key")
    return Tree(*to_tree(level, query))


def _level(
    body: LegacyBody,
    using: str | None,
    lookup_from: LookupBody | None,
    offset: int | None,
    score_threshold: float | None,
) -> QueryBody:
    """Return the body of a query that asks the same; what it asks by stands beside it."""
    return QueryBody(
        using=using,
        limit=body.limit,
        score_threshold=score_threshold,
        params=body.params,
        filter=body.filter,
        lookup_from=lookup_from,
        offset=offset,
        with_payload=body.with_payload,
        with_vector=body.with_vector,
        shard_key=body.shard_key,
    )


def _to_groups(
    body: SearchGroupsBody | RecommendGroupsBody,
    query: queries.Query,
    using: str | None,
    lookup_from: LookupBody | None,
) -> Grouped:
    level = GroupsBody(
        using=using,
        limit=body.limit,
        score_threshold=body.score_threshold,
        params=body.params,
        filter=body.filter,
        lookup_from=lookup_from,
        group_by=body.group_by,
        group_size=body.group_size,
        with_payload=body.with_payload,
        with_vector=body.with_vector,
        with_lookup=body.with_lookup,
        shard_key=body.shard_key,
    )
    return to_groups(level, query)


def _read_named(text: bytes) -> tuple[str, queries.Target]:
    """Return the name and the vector that a search is by; the unnamed one has the name ""."""
    if text[:1] != b"{":
        return "", read_any(text)
    named = _NAMED.decode(text)
    vector = bytes(named.vector)
    return named.name, read_sparse(vector) if vector[:1] == b"{" else read_any(vector)


def _marked_name(text: bytes) -> str | None:
    """Return the name that the cut vector is compared under, None when another array was cut."""
    if text == MARK:
        return ""
    if text[:1] != b"{" or MARK not in text:
        return None
    named = _NAMED.decode(text)
    return named.name if bytes(named.vector) == MARK else None


def _to_examples(body: ExamplesBody) -> queries.Recommend:
    positive = _targets(body.positive, "positive")
    negative = _targets(body.negative, "negative")
    strategy = body.strategy or "average_vector"
    if not positive and (strategy == "average_vector" or not negative):
        which = "positive" if strategy == "average_vector" else "positive or negative"
        raise _bad_request(f"At least one {which} vector ID required with this strategy")
    return queries.Recommend(positive, negative, strategy)


def _to_context(body: DiscoverPointsBody) -> queries.Discover | queries.Context:
    target, given = bytes(body.target), body.context or []
    pairs = tuple(
        queries.Pair(
            to_target(bytes(each.positive), "context.positive"),
            to_target(bytes(each.negative), "context.negative"),
        )
        for each in given
    )
    if target not in ABSENT:
        return queries.Discover(to_target(target, "target"), pairs)
    if not pairs:
        raise _bad_request("target and/or context_pairs must be specified")
    return queries.Context(pairs)


def _targets(texts: Sequence[msgspec.Raw] | None, where: str) -> tuple[queries.Target, ...]:
    return tuple(to_target(bytes(text), where) for text in texts or ())


def _bad_request(text: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, f"Bad request: {text}")
