"""The point routes: method and path below a collection, endpoint, parameters, body and reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from palimpsest.app.context import Call
from palimpsest.app.routes import (
    adapters,
    analysis,
    indexes,
    legacy,
    points,
    query,
    recall,
    updates,
)
from palimpsest.app.schemas.adapters import AdapterBody, AdapterReply
from palimpsest.app.schemas.analysis import (
    FacetBody,
    FacetReply,
    MatrixBody,
    OffsetsReply,
    PairsReply,
)
from palimpsest.app.schemas.comparisons import CompareBody
from palimpsest.app.schemas.documents import ParameterKind
from palimpsest.app.schemas.hits import GroupsReply, ScoredPoint, ScoredPoints
from palimpsest.app.schemas.indexes import IndexBody
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
from palimpsest.app.schemas.points import UpsertBody
from palimpsest.app.schemas.recall import RecallBody, RecallReport
from palimpsest.app.schemas.records import (
    CountBody,
    CountReply,
    RecordReply,
    RetrieveBody,
    ScrollBody,
    ScrollReply,
    UpdateReply,
)
from palimpsest.app.schemas.searches import GroupsBody, QueryBatchBody, QueryBody
from palimpsest.app.schemas.updates import (
    DeletePayloadBody,
    DeleteVectorsBody,
    OperationsBody,
    SelectionBody,
    SetPayloadBody,
    UpdateVectorsBody,
)


class PointRoute(NamedTuple):
    """An endpoint: the body it decodes, its result, its parameters, and what it is about."""

    endpoint: Callable[[Call], Awaitable[Any]]
    body: type | None
    reply: Any
    kind: ParameterKind
    tag: str = "points"
    deprecated: bool = False


def _read(endpoint: Callable[[Call], Awaitable[Any]], body: type | None, reply: Any) -> PointRoute:
    return PointRoute(endpoint, body, reply, "read")


def _search(
    endpoint: Callable[[Call], Awaitable[Any]], body: type | None, reply: Any
) -> PointRoute:
    return PointRoute(endpoint, body, reply, "search")


def _legacy(
    endpoint: Callable[[Call], Awaitable[Any]], body: type | None, reply: Any
) -> PointRoute:
    return PointRoute(endpoint, body, reply, "search", deprecated=True)


def _long(endpoint: Callable[[Call], Awaitable[Any]], body: type | None, reply: Any) -> PointRoute:
    return PointRoute(endpoint, body, reply, "timeout", "versions")


def _write(
    endpoint: Callable[[Call], Awaitable[Any]], body: type | None, reply: Any = UpdateReply
) -> PointRoute:
    return PointRoute(endpoint, body, reply, "write")


POINT_ROUTES: dict[tuple[str, str], PointRoute] = {
    ("PUT", "points"): _write(updates.upsert, UpsertBody),
    ("POST", "points"): _read(points.retrieve, RetrieveBody, list[RecordReply]),
    ("GET", "points/{id}"): _read(points.get, None, RecordReply),
    ("POST", "points/delete"): _write(updates.delete, SelectionBody),
    ("POST", "points/scroll"): _read(points.scroll, ScrollBody, ScrollReply),
    ("POST", "points/count"): _read(points.count, CountBody, CountReply),
    ("POST", "points/query"): _search(query.query, QueryBody, ScoredPoints),
    ("POST", "points/query/batch"): _search(query.query_batch, QueryBatchBody, list[ScoredPoints]),
    ("POST", "points/query/groups"): _search(query.query_groups, GroupsBody, GroupsReply),
    ("POST", "points/search"): _legacy(legacy.search, SearchPointsBody, list[ScoredPoint]),
    ("POST", "points/search/batch"): _legacy(
        legacy.search_batch, SearchBatchBody, list[list[ScoredPoint]]
    ),
    ("POST", "points/search/groups"): _legacy(legacy.search_groups, SearchGroupsBody, GroupsReply),
    ("POST", "points/recommend"): _legacy(legacy.recommend, RecommendPointsBody, list[ScoredPoint]),
    ("POST", "points/recommend/batch"): _legacy(
        legacy.recommend_batch, RecommendBatchBody, list[list[ScoredPoint]]
    ),
    ("POST", "points/recommend/groups"): _legacy(
        legacy.recommend_groups, RecommendGroupsBody, GroupsReply
    ),
    ("POST", "points/discover"): _legacy(legacy.discover, DiscoverPointsBody, list[ScoredPoint]),
    ("POST", "points/discover/batch"): _legacy(
        legacy.discover_batch, DiscoverBatchBody, list[list[ScoredPoint]]
    ),
    ("POST", "facet"): _search(analysis.facet, FacetBody, FacetReply),
    ("POST", "points/search/matrix/pairs"): _read(analysis.matrix_pairs, MatrixBody, PairsReply),
    ("POST", "points/search/matrix/offsets"): _read(
        analysis.matrix_offsets, MatrixBody, OffsetsReply
    ),
    ("POST", "points/payload"): _write(updates.set_payload, SetPayloadBody),
    ("PUT", "points/payload"): _write(updates.overwrite_payload, SetPayloadBody),
    ("POST", "points/payload/delete"): _write(updates.delete_payload, DeletePayloadBody),
    ("POST", "points/payload/clear"): _write(updates.clear_payload, SelectionBody),
    ("PUT", "points/vectors"): _write(updates.update_vectors, UpdateVectorsBody),
    ("POST", "points/vectors/delete"): _write(updates.delete_vectors, DeleteVectorsBody),
    ("POST", "points/batch"): _write(updates.batch, OperationsBody, list[UpdateReply]),
    ("PUT", "index"): _write(indexes.create_index, IndexBody),
    ("DELETE", "index/{field_name}"): _write(indexes.drop_index, None),
    ("POST", "adapters"): _long(adapters.fit_adapter, AdapterBody, AdapterReply),
    ("GET", "recall"): PointRoute(recall.recall, None, RecallReport, "recall", "recall"),
    ("POST", "recall"): PointRoute(
        recall.measure_recall, RecallBody, RecallReport, "timeout", "recall"
    ),
    ("POST", "compare"): _long(adapters.compare_versions, CompareBody, dict[str, Any]),
}
