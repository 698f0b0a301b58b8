"""What a cluster is asked for, answered as the single node that this server is."""

from __future__ import annotations

from typing import Any, Literal, TypedDict
from uuid import NAMESPACE_URL, uuid5

from fastapi import APIRouter, Request, Response

from palimpsest.app.access.guard import Allowed, GuardedRoute
from palimpsest.app.access.rights import Level
from palimpsest.app.routes.collections import Shared, reply
from palimpsest.app.schemas.documents import Operation
from palimpsest.index import CollectionInfo

router = APIRouter(tags=["cluster"], route_class=GuardedRoute)


class ClusterReply(TypedDict):
    """Clustering is off."""

    status: Literal["disabled"]


class ShardReply(TypedDict):
    """The one shard of a collection."""

    shard_id: int
    points_count: int
    state: Literal["Active"]


class PlacementReply(TypedDict):
    """Where a collection is: all of it is here."""

    peer_id: int
    shard_count: int
    local_shards: list[ShardReply]
    remote_shards: list[str]
    shard_transfers: list[str]


class ShardKeysReply(TypedDict):
    """The shard keys of a collection: there are none."""

    shard_keys: list[str]


class StepReply(TypedDict):
    """What a running optimization does."""

    name: str


class OptimizationReply(TypedDict):
    """One running seal or compaction."""

    uuid: str
    optimizer: str
    status: Literal["optimizing"]
    segments: list[str]
    progress: StepReply


class SummaryReply(TypedDict):
    """What waits for background work, and what does not need any."""

    queued_optimizations: int
    queued_segments: int
    queued_points: int
    idle_segments: int


class OptimizationsReply(TypedDict):
    """Background work of a collection."""

    summary: SummaryReply
    running: list[OptimizationReply]


REPLIES: dict[str, Operation] = {
    "get_cluster": Operation(ClusterReply),
    "get_collection_cluster": Operation(PlacementReply),
    "list_shard_keys": Operation(ShardKeysReply),
    "get_optimizations": Operation(OptimizationsReply),
}


@router.get("/cluster")
async def get_cluster(request: Request) -> Response:
    """Tell that this server is on its own."""
    return reply(request, {"status": "disabled"})


@router.get("/collections/{collection_name}/cluster")
async def get_collection_cluster(
    request: Request, context: Shared, access: Allowed, collection_name: str
) -> Response:
    """Tell that all of a collection is here, in one shard."""
    points = access.collection(context.database, collection_name, Level.READ).count()
    shard = {"shard_id": 0, "points_count": points, "state": "Active"}
    placement = {"peer_id": 0, "shard_count": 1, "local_shards": [shard]}
    return reply(request, {**placement, "remote_shards": [], "shard_transfers": []})


@router.get("/collections/{collection_name}/shards")
async def list_shard_keys(
    request: Request, context: Shared, access: Allowed, collection_name: str
) -> Response:
    """Tell that a collection has no shard keys."""
    access.collection(context.database, collection_name, Level.READ)
    return reply(request, {"shard_keys": []})


@router.get("/collections/{collection_name}/optimizations")
async def get_optimizations(
    request: Request, context: Shared, access: Allowed, collection_name: str
) -> Response:
    """Tell what background work runs and how many points wait for it."""
    info = access.collection(context.database, collection_name, Level.READ).state()
    return reply(request, _describe(collection_name, info))


def _describe(name: str, info: CollectionInfo) -> dict[str, Any]:
    segments = sum(held.segments for held in info.vectors.values())
    summary = {"queued_optimizations": 0, "queued_segments": 0}
    return {
        "summary": {**summary, "queued_points": info.pending, "idle_segments": segments},
        "running": [
            {
                "uuid": str(uuid5(NAMESPACE_URL, f"{name}/{text}")),
                "optimizer": text,
                "status": "optimizing",
                "segments": [],
                "progress": {"name": text},
            }
            for text in info.running
        ],
    }
