"""Backfill on the wire: which points to embed anew next, and how far that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from pydantic import Field

from palimpsest.app.schemas.documents import AnyPayload
from palimpsest.app.schemas.versions import VectorParameters
from palimpsest.index import RANDOM_SHARE, BackfillPoint, BackfillStatus, PointId

DEFAULT_LIMIT, MAX_LIMIT = 100, 10_000


class StatusParameters(VectorParameters):
    """Query string of ``GET backfill/status``."""

    version: str


class BackfillParameters(StatusParameters):
    """Query string of ``GET backfill``.

    The share ``random_share`` of the points is drawn at random in any order.
    """

    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    order: Literal["demand", "random"] = "demand"
    random_share: float = Field(default=RANDOM_SHARE, ge=0, le=1)
    with_payload: bool = False


class BackfillPointReply(msgspec.Struct, omit_defaults=True):
    """A point to embed: how much answers use it, how badly its adapter serves it, and why now."""

    id: PointId
    demand: float
    residual: float | None
    reason: str
    payload: AnyPayload | msgspec.UnsetType = msgspec.UNSET


class BackfillReply(msgspec.Struct):
    """Points to embed next, the most urgent first; none are left when it is empty."""

    points: list[BackfillPointReply]


class BackfillStatusReply(msgspec.Struct):
    """How far a version is.

    ``rate`` is in points per second, lately; ``eta_seconds`` is null while it is 0 and points
    remain. ``expected_quality`` is what answers are worth now by the adapters' reports, of
    ``expected_quality_done`` once all points hold the version; ``demand_covered`` is the share of
    demand that points with the version had, null without any.
    """

    points: int
    covered: int
    remaining: int
    coverage: float
    rate: float
    eta_seconds: float | None
    expected_quality: float | None
    expected_quality_done: float | None
    demand_covered: float | None


def to_backfill(points: Sequence[BackfillPoint], with_payload: bool) -> BackfillReply:
    """Return points to embed as they are sent."""
    replies = []
    for one in points:
        reply = BackfillPointReply(one.id, one.demand, one.residual, one.reason)
        if with_payload:
            reply.payload = msgspec.Raw(one.payload or b"{}")
        replies.append(reply)
    return BackfillReply(replies)


def to_status(status: BackfillStatus) -> BackfillStatusReply:
    """Return how far a version is, as it is sent."""
    return BackfillStatusReply(
        points=status.points,
        covered=status.covered,
        remaining=status.remaining,
        coverage=status.coverage,
        rate=status.rate,
        eta_seconds=status.eta_seconds,
        expected_quality=status.expected_quality,
        expected_quality_done=status.expected_quality_done,
        demand_covered=status.demand_covered,
    )
