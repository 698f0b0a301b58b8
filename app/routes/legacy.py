"""The calls that searched before there was one query; each is answered as ``query`` is.

Their replies are bare: a list of points, a list of such lists, or groups.
"""

from __future__ import annotations

from palimpsest.app.context import Call
from palimpsest.app.envelope import Explained
from palimpsest.app.routes.in_event_loop import Decode
from palimpsest.app.routes.query import DecodeBatch, ask, ask_batch, ask_groups
from palimpsest.app.schemas.hits import GroupsReply, ScoredPoint, ScoredPoints
from palimpsest.app.schemas.legacy import (
    decode_discover,
    decode_discovers,
    decode_recommend,
    decode_recommend_groups,
    decode_recommends,
    decode_search,
    decode_search_groups,
    decode_searches,
)
from palimpsest.app.schemas.legacy_bodies import (
    DiscoverBatchBody,
    DiscoverPointsBody,
    RecommendBatchBody,
    RecommendGroupsBody,
    RecommendPointsBody,
    SearchBatchBody,
    SearchGroupsBody,
    SearchPointsBody,
)


async def search(call: Call) -> list[ScoredPoint] | Explained:
    """Return the points nearest to a vector. Deprecated: use ``points/query``."""
    return await _bare(call, SearchPointsBody, decode_search)


async def search_batch(call: Call) -> list[list[ScoredPoint]] | Explained:
    """Answer several searches. Deprecated: use ``points/query/batch``."""
    return await _bare_batch(call, SearchBatchBody, decode_searches)


async def search_groups(call: Call) -> GroupsReply | Explained:
    """Return the best points of each group. Deprecated: use ``points/query/groups``."""
    return await ask_groups(call, SearchGroupsBody, decode_search_groups)


async def recommend(call: Call) -> list[ScoredPoint] | Explained:
    """Return points like the positive examples. Deprecated: use ``points/query``."""
    return await _bare(call, RecommendPointsBody, decode_recommend)


async def recommend_batch(call: Call) -> list[list[ScoredPoint]] | Explained:
    """Answer several recommendations. Deprecated: use ``points/query/batch``."""
    return await _bare_batch(call, RecommendBatchBody, decode_recommends)


async def recommend_groups(call: Call) -> GroupsReply | Explained:
    """Return the best points of each group. Deprecated: use ``points/query/groups``."""
    return await ask_groups(call, RecommendGroupsBody, decode_recommend_groups)


async def discover(call: Call) -> list[ScoredPoint] | Explained:
    """Return points by a target, pairs of examples, or both. Deprecated: use ``points/query``."""
    return await _bare(call, DiscoverPointsBody, decode_discover)


async def discover_batch(call: Call) -> list[list[ScoredPoint]] | Explained:
    """Answer several discoveries. Deprecated: use ``points/query/batch``."""
    return await _bare_batch(call, DiscoverBatchBody, decode_discovers)


async def _bare(call: Call, kind: type, decode: Decode) -> list[ScoredPoint] | Explained:
    found = await ask(call, kind, decode)
    if isinstance(found, Explained):
        return Explained(found.result.points, found.explain)
    return found.points


async def _bare_batch(
    call: Call, kind: type, decode: DecodeBatch
) -> list[list[ScoredPoint]] | Explained:
    found = await ask_batch(call, kind, decode)
    if isinstance(found, Explained):
        return Explained(_bare_all(found.result), found.explain)
    return _bare_all(found)


def _bare_all(found: list[ScoredPoints]) -> list[list[ScoredPoint]]:
    return [each.points for each in found]
