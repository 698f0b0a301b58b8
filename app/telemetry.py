"""``GET /telemetry``: the server in numbers, as Qdrant's clients read them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypedDict
from uuid import uuid4

from palimpsest.app.context import Context
from palimpsest.app.health.conditions import told_of
from palimpsest.app.release import RELEASE
from palimpsest.app.schemas.information import (
    OptimizerError,
    describe_config,
    optimizer_status,
    shown_vectors,
)
from palimpsest.index import Collection, CollectionConfig, DamagedInfo

MICROSECONDS = 1_000_000

# Of the process: another one after each start.
_ID = str(uuid4())
_STARTED = datetime.now(UTC).isoformat()


class AppReply(TypedDict):
    """What runs, and since when."""

    name: str
    version: str
    startup: str


class AggregateReply(TypedDict):
    """One collection."""

    vectors: int
    optimizers_status: str | OptimizerError
    params: dict[str, Any]


class CollectionsReply(TypedDict):
    """All collections."""

    number_of_collections: int
    collections: list[AggregateReply]


class ClusterModeReply(TypedDict):
    """Whether this server is one of several: it is not."""

    enabled: bool


class DurationsReply(TypedDict):
    """Replies of one route with one status."""

    count: int
    avg_duration_micros: float
    total_duration_micros: int


class ResponsesReply(TypedDict):
    """Durations by method and route, then by status."""

    responses: dict[str, dict[str, DurationsReply]]


class RequestsReply(TypedDict):
    """Replies by protocol."""

    rest: ResponsesReply
    grpc: ResponsesReply


class TelemetryReply(TypedDict):
    """The whole server."""

    id: str
    app: AppReply
    collections: CollectionsReply
    cluster: ClusterModeReply
    requests: RequestsReply


def describe_server(context: Context) -> TelemetryReply:
    """Return the result of ``GET /telemetry``; reads no rows."""
    settings = context.settings
    return {
        "id": _ID,
        "app": {"name": settings.title, "version": RELEASE, "startup": _STARTED},
        "collections": {
            "number_of_collections": len(context.database.names()),
            "collections": [
                *(_describe(each) for each in context.collections()),
                *(_describe_damaged(each) for each in _damaged(context)),
            ],
        },
        "cluster": {"enabled": False},
        "requests": {"rest": {"responses": _durations(context)}, "grpc": {"responses": {}}},
    }


def _damaged(context: Context) -> Iterator[DamagedInfo]:
    for name in context.database.damaged():
        found = context.database.damaged_one(name)
        if found is not None:  # else it was dropped meanwhile
            yield found


def _describe(collection: Collection) -> AggregateReply:
    info = collection.state()
    return {
        "vectors": sum(held.points for held in shown_vectors(collection, info)),
        "optimizers_status": optimizer_status(told_of(info)),
        "params": describe_config(collection.config)["params"],
    }


def _describe_damaged(damaged: DamagedInfo) -> AggregateReply:
    return {
        "vectors": 0,
        "optimizers_status": optimizer_status(damaged.why),
        "params": describe_config(damaged.config or CollectionConfig({}))["params"],
    }


def _durations(context: Context) -> dict[str, dict[str, DurationsReply]]:
    found: dict[str, dict[str, DurationsReply]] = {}
    for method, route, status, count, seconds in context.metrics.requests.replies():
        micros = seconds * MICROSECONDS
        found.setdefault(f"{method} {route}", {})[str(status)] = {
            "count": count,
            "avg_duration_micros": micros / count,
            "total_duration_micros": round(micros),
        }
    return found
