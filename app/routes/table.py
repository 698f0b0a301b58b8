"""The point routes: method and path below a collection, endpoint, body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from app.context import Call
from app.routes import points, query
from app.schemas.points import UpsertBody
from app.schemas.query import QueryBatchBody, QueryBody
from app.schemas.records import CountBody, DeleteBody, RetrieveBody, ScrollBody


class PointRoute(NamedTuple):
    """An endpoint, and the body it decodes."""

    endpoint: Callable[[Call], Awaitable[Any]]
    body: type | None


POINT_ROUTES: dict[tuple[str, str], PointRoute] = {
    ("PUT", "points"): PointRoute(points.upsert, UpsertBody),
    ("POST", "points"): PointRoute(points.retrieve, RetrieveBody),
    ("GET", "points/{id}"): PointRoute(points.get, None),
    ("POST", "points/delete"): PointRoute(points.delete, DeleteBody),
    ("POST", "points/scroll"): PointRoute(points.scroll, ScrollBody),
    ("POST", "points/count"): PointRoute(points.count, CountBody),
    ("POST", "points/query"): PointRoute(query.query, QueryBody),
    ("POST", "points/query/batch"): PointRoute(query.query_batch, QueryBatchBody),
}
