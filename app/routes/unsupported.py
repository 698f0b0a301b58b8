"""Endpoints of Qdrant's API that this server does not carry out: 501, naming the endpoint.

Those of a cluster are refused with 405, as Qdrant's server does on a single node. Methods that a
point route does not have are refused with 405 as well, naming those it has.
"""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request

from palimpsest.app.access.guard import GuardedRoute
from palimpsest.app.errors import Refusal
from palimpsest.app.routes.table import POINT_ROUTES

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

COLLECTION = "/collections/{collection_name}"
SHARD = f"{COLLECTION}/shards/{{shard_id}}"
ENDPOINTS: tuple[tuple[str, tuple[str, ...]], ...] = (("/quotas", ("GET", "PUT")),)
CLUSTER_ENDPOINTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("/cluster/telemetry", ("GET",)),
    ("/cluster/recover", ("POST",)),
    ("/cluster/peer/{peer_id}", ("DELETE",)),
    (f"{COLLECTION}/cluster", ("POST",)),
    (f"{COLLECTION}/shards", ("PUT",)),
    (f"{COLLECTION}/shards/delete", ("POST",)),
    (f"{SHARD}/snapshots", ("GET", "POST")),
    (f"{SHARD}/snapshots/recover", ("PUT",)),
    (f"{SHARD}/snapshots/upload", ("POST",)),
    (f"{SHARD}/snapshots/{{snapshot_name}}", ("GET", "DELETE")),
    (f"{SHARD}/snapshot", ("GET",)),
)


async def refuse(request: Request) -> None:
    """Answer 501, naming the endpoint."""
    raise Refusal(
        HTTPStatus.NOT_IMPLEMENTED,
        f"Not implemented: `{_name(request)}` is not supported by this server",
    )


async def refuse_cluster(request: Request) -> None:
    """Answer 405, naming the endpoint."""
    raise Refusal(
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"Distributed mode is not enabled: `{_name(request)}` needs it, this server is a "
        "single node",
        {"allow": ""},
    )


def _name(request: Request) -> str:
    return f"{request.method} {request.scope['route'].path}"


def _add_routes() -> None:
    for path, methods in ENDPOINTS:
        router.add_api_route(path, refuse, methods=list(methods))
    for path, methods in CLUSTER_ENDPOINTS:
        router.add_api_route(path, refuse_cluster, methods=list(methods))
    methods_of: dict[str, list[str]] = {}
    for method, suffix in POINT_ROUTES:
        methods_of.setdefault(suffix, []).append(method)
    for suffix, known in methods_of.items():  # reached by other methods only
        router.add_api_route(f"{COLLECTION}/{suffix}", refuse, methods=known)


_add_routes()
