"""The point routes in the OpenAPI document, from the same structs that decode them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from app.routes.table import PointRoute

REFERENCE = "#/components/schemas/{name}"
COLLECTION_NAME = {
    "name": "collection_name",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
}
POINT_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "format": "uuid"}]},
}


def describe_point_routes(
    document: dict[str, Any], routes: Mapping[tuple[str, str], PointRoute]
) -> dict[str, Any]:
    """Return ``document`` with an operation and the body schemas of every point route added."""
    bodies = [route.body for route in routes.values() if route.body is not None]
    _, components = msgspec.json.schema_components(bodies, schema_hook=_any, ref_template=REFERENCE)
    document.setdefault("components", {}).setdefault("schemas", {}).update(components)
    for (method, suffix), route in routes.items():
        path = f"/collections/{{collection_name}}/{suffix}"
        document["paths"].setdefault(path, {})[method.lower()] = _operation(path, route)
    return document


def _operation(path: str, route: PointRoute) -> dict[str, Any]:
    text = (route.endpoint.__doc__ or "").strip()
    operation: dict[str, Any] = {
        "tags": ["points"],
        "summary": text.split("\n", 1)[0],
        "description": text,
        "operationId": f"{route.endpoint.__name__}_points",
        "parameters": [COLLECTION_NAME, *([POINT_ID] if "{id}" in path else [])],
        "responses": {"200": {"description": "`result`, `status` and `time`"}},
    }
    if route.body is not None:
        schema = {"$ref": REFERENCE.format(name=route.body.__name__)}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _any(kind: type) -> dict[str, Any]:
    """Describe what is passed on undecoded: any JSON value."""
    return {}
