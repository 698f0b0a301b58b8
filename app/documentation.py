"""The OpenAPI document: point routes, replies in their envelope, and errors.

FastAPI knows neither the point routes nor what stands in replies that are written as bytes. Both
are described here, from the very types that decode and encode them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from palimpsest.app.routes.table import PointRoute
from palimpsest.app.schemas.documents import (
    REFERENCE,
    SCHEMAS,
    Operation,
    Schema,
    array,
    one_of,
    record,
    ref,
)
from palimpsest.app.schemas.examples import add_examples
from palimpsest.app.schemas.explanations import Explanation
from palimpsest.app.schemas.query_documents import QUERY_SCHEMAS
from palimpsest.app.schemas.tolerance import ALIASES, OWN
from palimpsest.index import (
    DEFAULT_RECALL_K,
    DEFAULT_RECALL_QUERIES,
    MAX_RECALL_K,
    MAX_RECALL_QUERIES,
)

ERRORS = {
    "400": "the request cannot be read, or contradicts the collection",
    "403": "the key or token does not give the right that this needs",
    "404": "there is no such collection, point, alias, version or adapter",
    "408": "the request took longer than its `timeout`",
    "409": "the name is taken, or a change of versions would lose points or quality",
    "422": "a value is outside its range",
    "429": "strict mode, the limit by key or what waits to be sealed lets no more through now",
    "500": "the server failed; its log says why",
    "502": "a model that embeds texts failed; nothing was stored",
    "503": "the audit log cannot be written, or the embedder is suspended",
    "504": "a model that embeds texts did not answer in time; nothing was stored",
    "507": "no space is left to write",
}
COLLECTION_NAME: Schema = {
    "name": "collection_name",
    "in": "path",
    "required": True,
    "description": "of a collection, or an alias of one; `name@version` is one version of it",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
LAST_PARTS: dict[str, Schema] = {
    "id": ref("PointId"),
    "field_name": {"type": "string", "minLength": 1},
}
WAIT: Schema = {
    "name": "wait",
    "in": "query",
    "description": "whether the status is `completed` or `acknowledged`; either way it is on disk",
    "schema": {"type": "boolean", "default": False},
}
TIMEOUT: Schema = {
    "name": "timeout",
    "in": "query",
    "description": "whole seconds",
    "schema": {"type": "integer", "minimum": 1, "maximum": 10**9 - 1},
}
ORDERING: Schema = {
    "name": "ordering",
    "in": "query",
    "description": "of no effect on a single node",
    "schema": {"enum": ["weak", "medium", "strong"]},
}
CONSISTENCY: Schema = {
    "name": "consistency",
    "in": "query",
    "description": "of no effect on a single node",
    "schema": one_of(
        {"type": "integer", "minimum": 0, "maximum": 10**9 - 1},
        {"enum": ["majority", "quorum", "all"]},
    ),
}
BRIDGE: Schema = {
    "name": "x-palimpsest-bridge",
    "in": "header",
    "description": "whether points of other versions are found through adapters: where there is "
    "one, not at all, or else the request is refused",
    "schema": {"enum": ["on", "off", "require"], "default": "on"},
}
EXPLAIN: Schema = {
    "name": "x-palimpsest-explain",
    "in": "header",
    "description": "whether the reply also tells what was searched, and how long each stage took",
    "schema": {"type": "boolean", "default": False},
}
_ASKED: tuple[Schema, ...] = (
    {
        "name": "num",
        "in": "query",
        "description": "how many rows are asked for, and recent queries at most",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_RECALL_QUERIES,
            "default": DEFAULT_RECALL_QUERIES,
        },
    },
    {
        "name": "top_k",
        "in": "query",
        "description": "of how many closest points the share that is found is measured",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_RECALL_K,
            "default": DEFAULT_RECALL_K,
        },
    },
    {
        "name": "using",
        "in": "query",
        "description": "the name of the vector",
        "schema": {"type": "string", "default": ""},
    },
)
PARAMETERS: Mapping[str, tuple[Schema, ...]] = {
    "none": (),
    "timeout": (TIMEOUT,),
    "read": (CONSISTENCY, TIMEOUT),
    "search": (CONSISTENCY, TIMEOUT, BRIDGE, EXPLAIN),
    "recall": (*_ASKED, TIMEOUT),
    "write": (WAIT, ORDERING, TIMEOUT),
}


def describe(
    document: dict[str, Any],
    point_routes: Mapping[tuple[str, str], PointRoute],
    operations: Mapping[str, Operation],
) -> dict[str, Any]:
    """Return FastAPI's document with everything added that it does not know.

    Args:
        document: as FastAPI generates it.
        point_routes: by method and path below a collection.
        operations: by operation id, FastAPI's own routes that reply in the envelope.
    """
    bodies = [route.body for route in point_routes.values() if route.body is not None]
    results = [route.reply for route in point_routes.values()]
    results += [operation.reply for operation in operations.values()]
    described, components = msgspec.json.schema_components(
        [*bodies, *results, Explanation], schema_hook=_any, ref_template=REFERENCE
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for some in (components, SCHEMAS, QUERY_SCHEMAS, {"Failure": _FAILURE}):
        _add(schemas, some)
    # By their text: annotated types are not all hashable.
    schema_of = dict(zip(map(repr, [*bodies, *results]), described[:-1], strict=True))
    for operation in _operations(document):
        known = operations.get(operation["operationId"])
        if known is not None:
            operation["responses"]["200"] = _success(schema_of[repr(known.reply)])
            operation.setdefault("parameters", []).extend(PARAMETERS[known.parameters])
        if "422" in operation["responses"] or known is not None:
            operation["responses"].update(_failures())
    for (method, suffix), route in point_routes.items():
        path = f"/collections/{{collection_name}}/{suffix}"
        operation = _operation(path, route, schema_of)
        document["paths"].setdefault(path, {})[method.lower()] = operation
    # FastAPI's own, of replies that this server never sends.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    _loosen(schemas)
    add_examples(document)
    return document


def _loosen(schemas: Mapping[str, Schema]) -> None:
    """Say of bodies what is accepted beyond their fields: unknown ones, and aliases."""
    aliases = {kind.__name__: names for kind, names in ALIASES.items()}
    for name in schemas.keys() - _EXACT - {kind.__name__ for kind in OWN}:
        schema = schemas[name]
        if schema.get("additionalProperties") is False:
            del schema["additionalProperties"]  # left out, with a warning
        for alias, meant in aliases.get(name, {}).items():
            same = schema["properties"][meant]
            schema["properties"][alias] = {"description": f"the same as `{meant}`", **same}
            if meant in schema.get("required", ()):
                schema["required"] = [one for one in schema["required"] if one != meant]


def _add(schemas: dict[str, Schema], more: Mapping[str, Schema]) -> None:
    """Add schemas. Raises ValueError when one of the same name says something else."""
    for name, schema in more.items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two different schemas are called {name!r}: rename one of the types")


def _operations(document: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


def _operation(path: str, route: PointRoute, schema_of: Mapping[str, Schema]) -> dict[str, Any]:
    text = (route.endpoint.__doc__ or "").strip()
    operation: dict[str, Any] = {
        "tags": [route.tag],
        "summary": text.split("\n", 1)[0],
        "description": text,
        "operationId": _name(route),
        "parameters": [COLLECTION_NAME, *_last_part(path), *PARAMETERS[route.kind]],
        "responses": {"200": _answer(route, schema_of), **_failures()},
    }
    if route.deprecated:
        operation["deprecated"] = True
    if route.body is not None:
        content = {"application/json": {"schema": schema_of[repr(route.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _name(route: PointRoute) -> str:
    name = route.endpoint.__name__
    return f"{name}_points" if route.tag == "points" else name


def _answer(route: PointRoute, schema_of: Mapping[str, Schema]) -> dict[str, Any]:
    """Return what a point route replies; a search may also explain itself."""
    reply = _success(schema_of[repr(route.reply)])
    if route.kind == "search":
        envelope = reply["content"]["application/json"]["schema"]
        envelope["properties"]["explain"] = {
            "description": "of a batch one per search, when asked for by x-palimpsest-explain",
            **one_of(ref("Explanation"), array(ref("Explanation"))),
        }
    return reply


def _last_part(path: str) -> list[Schema]:
    """Return the parameter at the end of a path, where there is one."""
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in LAST_PARTS.items()
        if path.endswith(f"{{{name}}}")
    ]


def _success(result: Schema) -> dict[str, Any]:
    envelope = {
        "type": "object",
        "properties": {
            "result": result,
            "status": {"const": "ok"},
            "time": {"type": "number", "description": "seconds"},
            "warnings": {
                "description": "what of the request, or of the points, was left out",
                **array({"type": "string"}, minItems=1),
            },
        },
        "required": ["result", "status", "time"],
    }
    return {"description": "done", "content": {"application/json": {"schema": envelope}}}


def _failures() -> dict[str, Any]:
    content = {"application/json": {"schema": ref("Failure")}}
    return {code: {"description": text, "content": content} for code, text in ERRORS.items()}


_EXACT = SCHEMAS.keys()  # filters refuse what they do not know

_FAILURE: Schema = {
    "type": "object",
    "description": "`error` says what failed, what was expected and what to do",
    "properties": {
        "status": record(("error",), error={"type": "string"}),
        "time": {"type": "number", "description": "seconds"},
    },
    "required": ["status", "time"],
}


def _any(kind: type) -> Schema:
    """Describe what is passed on undecoded: any JSON value."""
    return {}
