"""What each route asks for, by method and template; ``docs/security.md`` shows the same table.

A route that is missing here asks for everything there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

from palimpsest.app.access.rights import Level

Scope: TypeAlias = Literal[
    "open",  # nothing is asked for
    "credential",  # any valid one; what is shown goes by its rights
    "collection",  # a level on the collection that the path names
    "server",  # a level on the whole server
]

C = "/collections/{collection_name}"
COLLECTION = "collection_name"  # of the path
READINESS = "/readyz"
VERBOSE = "verbose"  # its parameter
DENIED = frozenset(("0", "false", "no", "off"))  # values of it
DOCUMENTATION = "/docs"
DOCUMENT = "/openapi.json"


class Right(NamedTuple):
    """What a route asks for."""

    scope: Scope
    level: Level


EVERYTHING = Right("server", Level.MANAGE)

_OPEN = ("GET /", "GET /healthz", "GET /livez", "GET /readyz")
_CREDENTIAL = (
    *("GET /docs", "GET /docs/{file}", "GET /openapi.json"),
    *("GET /collections", "GET /aliases", "POST /collections/aliases"),
)
_READ_SERVER = (
    *("GET /metrics", "GET /telemetry", "GET /issues"),
    *("GET /cluster", "GET /cluster/telemetry"),
)
_MANAGE_SERVER = (
    "DELETE /issues",
    *("GET /snapshots", "POST /snapshots"),
    *("GET /snapshots/{snapshot_name}", "DELETE /snapshots/{snapshot_name}"),
    *("GET /quotas", "PUT /quotas"),
    *("POST /cluster/recover", "DELETE /cluster/peer/{peer_id}"),
)
_READ = (
    *("GET C", "GET C/exists", "GET C/aliases"),
    *("GET C/cluster", "GET C/shards", "GET C/optimizations"),
    *("POST C/points", "GET C/points/{id}", "POST C/points/scroll", "POST C/points/count"),
    *("POST C/points/query", "POST C/points/query/batch", "POST C/points/query/groups"),
    *("POST C/points/search", "POST C/points/search/batch", "POST C/points/search/groups"),
    "POST C/points/recommend",
    *("POST C/points/recommend/batch", "POST C/points/recommend/groups"),
    *("POST C/points/discover", "POST C/points/discover/batch"),
    *("POST C/points/search/matrix/pairs", "POST C/points/search/matrix/offsets"),
    "POST C/facet",
    *("GET C/recall", "POST C/recall"),
    *("GET C/versions", "GET C/adapters", "GET C/backfill", "GET C/backfill/status"),
)
_WRITE = (
    *("PUT C/points", "POST C/points/delete", "POST C/points/batch"),
    *("POST C/points/payload", "PUT C/points/payload"),
    *("POST C/points/payload/delete", "POST C/points/payload/clear"),
    *("PUT C/points/vectors", "POST C/points/vectors/delete"),
    *("PUT C/index", "DELETE C/index/{field_name}"),
    "POST C/compare",  # keeps its outcome
)
_MANAGE = (
    *("PUT C", "PATCH C", "DELETE C"),
    *("PUT C/vectors/{vector_name}", "DELETE C/vectors/{vector_name}"),
    *("PUT C/versions/{version}", "DELETE C/versions/{version}"),
    *("POST C/versions/{version}/activate", "POST C/versions/{version}/retire"),
    "POST C/versions/{version}/consolidate",
    *("POST C/adapters", "DELETE C/adapters/{rows}/{queries}"),
    *("GET C/snapshots", "POST C/snapshots"),
    *("PUT C/snapshots/recover", "POST C/snapshots/upload"),
    *("GET C/snapshots/{snapshot_name}", "DELETE C/snapshots/{snapshot_name}"),
    *("POST C/cluster", "PUT C/shards", "POST C/shards/delete"),
    *("GET C/shards/{shard_id}/snapshots", "POST C/shards/{shard_id}/snapshots"),
    "PUT C/shards/{shard_id}/snapshots/recover",
    "POST C/shards/{shard_id}/snapshots/upload",
    "GET C/shards/{shard_id}/snapshots/{snapshot_name}",
    "DELETE C/shards/{shard_id}/snapshots/{snapshot_name}",
    "GET C/shards/{shard_id}/snapshot",
)


def right_of(method: str, template: str) -> Right:
    """Return what a route asks for; all that lies below the documentation asks as it does."""
    found = RIGHTS.get((method, template))
    if found is None and method == "GET" and template.startswith(f"{DOCUMENTATION}/"):
        return RIGHTS[method, DOCUMENTATION]
    return found or EVERYTHING


def is_open(method: str, path: str, query_string: bytes) -> bool:
    """Tell whether a request is answered without a look at who sends it; HEAD is GET."""
    right = RIGHTS.get((method, path))
    if right is None or right.scope != "open":
        return False
    return not (path == READINESS and wants_verbose(query_string))


def asks_browsers(method: str, path: str) -> bool:
    """Tell whether a browser may ask its user for a key: for the pages of the documentation."""
    below = path.startswith(f"{DOCUMENTATION}/")
    return method == "GET" and (below or path in (DOCUMENTATION, DOCUMENT))


def wants_verbose(query_string: bytes) -> bool:
    """Tell whether a query string asks for the verbose form: ``verbose``, with or without a value.

    Kubernetes sends it without one. Any value asks for it that does not deny it.
    """
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    return any(name == VERBOSE and value.lower() not in DENIED for name, value in pairs)


def _rows() -> Iterator[tuple[tuple[str, str], Right]]:
    for calls, right in (
        (_OPEN, Right("open", Level.NONE)),
        (_CREDENTIAL, Right("credential", Level.NONE)),
        (_READ_SERVER, Right("server", Level.READ)),
        (_MANAGE_SERVER, Right("server", Level.MANAGE)),
        (_READ, Right("collection", Level.READ)),
        (_WRITE, Right("collection", Level.WRITE)),
        (_MANAGE, Right("collection", Level.MANAGE)),
    ):
        for call in calls:
            method, _, path = call.partition(" ")
            yield (method, f"{C}{path[1:]}" if path.startswith("C") else path), right


RIGHTS: dict[tuple[str, str], Right] = dict(_rows())
