"""Endpoints of Qdrant's API that this server does not carry out: 501, naming the endpoint."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request

from app.errors import Refusal

router = APIRouter(include_in_schema=False)

COLLECTION = "/collections/{collection_name}"
ENDPOINTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (f"{COLLECTION}/points/query/groups", ("POST",)),
    (f"{COLLECTION}/points/batch", ("POST",)),
    (f"{COLLECTION}/points/payload", ("POST", "PUT")),
    (f"{COLLECTION}/points/payload/delete", ("POST",)),
    (f"{COLLECTION}/points/payload/clear", ("POST",)),
    (f"{COLLECTION}/points/vectors", ("PUT",)),
    (f"{COLLECTION}/points/vectors/delete", ("POST",)),
    (f"{COLLECTION}/points/search", ("POST",)),
    (f"{COLLECTION}/points/search/batch", ("POST",)),
    (f"{COLLECTION}/points/search/groups", ("POST",)),
    (f"{COLLECTION}/points/search/matrix/pairs", ("POST",)),
    (f"{COLLECTION}/points/search/matrix/offsets", ("POST",)),
    (f"{COLLECTION}/points/recommend", ("POST",)),
    (f"{COLLECTION}/points/discover", ("POST",)),
    (f"{COLLECTION}/facet", ("POST",)),
    (f"{COLLECTION}/index", ("PUT",)),
    (f"{COLLECTION}/index/{{field_name}}", ("DELETE",)),
    (f"{COLLECTION}/vectors/{{vector_name}}", ("PUT", "DELETE")),
    (f"{COLLECTION}/aliases", ("GET",)),
    (f"{COLLECTION}/snapshots", ("GET", "POST")),
    (f"{COLLECTION}/cluster", ("GET", "POST")),
    (f"{COLLECTION}/shards", ("GET", "PUT")),
    (f"{COLLECTION}/optimizations", ("GET",)),
    ("/collections/aliases", ("POST",)),
    ("/aliases", ("GET",)),
    ("/snapshots", ("GET", "POST")),
    ("/telemetry", ("GET",)),
    ("/cluster", ("GET",)),
    ("/issues", ("GET", "DELETE")),
    ("/quotas", ("GET", "PUT")),
)


async def refuse(request: Request) -> None:
    """Answer 501, naming the endpoint."""
    template = request.scope["route"].path
    raise Refusal(
        HTTPStatus.NOT_IMPLEMENTED,
        f"Not implemented: `{request.method} {template}` is not supported by this server",
    )


for path, methods in ENDPOINTS:
    router.add_api_route(path, refuse, methods=list(methods))
