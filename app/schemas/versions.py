"""Embedding versions on the wire: bodies, query strings and replies of ``.../versions``.

What the caller says of a version's space is kept beside the engine's settings, in the form of
Qdrant's ``VectorParams``: it is what ``GET /collections/{name}`` shows once the version is active.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, TypedDict, cast

from pydantic import ConfigDict, Field

from palimpsest.app.schemas.spaces import Body
from palimpsest.index import Drift, FitRequest, VersionConfig, VersionInfo

State: TypeAlias = Literal["shadow", "active", "serving", "retired"]


class ActivationBody(Body):
    """Body of ``POST versions/{version}/activate``.

    It is refused when the share of points that hold the version is below ``coverage_floor`` and
    the quality of its answers, as its adapters promise it, below ``quality_floor``, and when no
    adapter leads to some points; not with ``force``.
    """

    vector: str = ""
    force: bool = False
    coverage_floor: float | None = Field(default=None, ge=0, le=1)
    quality_floor: float | None = Field(default=None, ge=0, le=1)


class RetirementBody(Body):
    """Body of ``POST versions/{version}/retire``."""

    vector: str = ""
    force: bool = False


class ConsolidationBody(Body):
    """Body of ``POST versions/{version}/consolidate``: whose rows are mapped into the version."""

    vector: str = ""
    rows: str


class VectorParameters(Body):
    """Query string of ``DELETE adapters/{rows}/{queries}``."""

    model_config = ConfigDict(strict=False)  # everything in a query string is text

    vector: str = ""


class DropParameters(VectorParameters):
    """Query string of ``DELETE versions/{version}``."""

    force: bool = False


class DriftReply(TypedDict):
    """How alike the newest rows and the first ones are, in standard deviations from chance.

    ``foreign`` where they are no more alike than rows of two models; ``known`` is what halves of
    the first ones are, and below 12 nothing is told.
    """

    foreign: bool
    alike: float
    known: float


class VersionReply(TypedDict):
    """One version of a vector name.

    ``points`` hold a vector of it, which is ``coverage`` of those that hold any version;
    ``mapped_from`` is the version whose rows its own were made from by an adapter, null for rows
    that a model made. ``drift`` is null for a version that is not the newest, or holds too few.
    """

    vector: str
    version: str
    model: str | None
    size: int
    distance: str
    encoding: str
    state: State
    points: int
    coverage: float
    bytes_per_vector: float
    mapped_from: str | None
    drift: DriftReply | None


class VersionsReply(TypedDict):
    """All versions of all vector names but sparse ones, in the order they were declared."""

    versions: list[VersionReply]


class ConsolidationReply(TypedDict):
    """How many rows were mapped."""

    points: int


def describe_reverse(back: FitRequest, there: int, needed: int) -> str:
    """Return a text that says why an adapter back is not fitted, and when it will be."""
    return (
        f"queries of version {back.queries!r} will not find points that hold version "
        f"{back.rows!r} alone: an adapter is fitted for them by itself once {needed} points hold "
        f"both versions, {there} do now"
    )


def describe_drift(one: VersionConfig, drift: Drift) -> str:
    """Return a text that says that the newest rows of a version are of another model."""
    of = f" of vector {one.vector!r}" if one.vector else ""
    return (
        f"the newest vectors{of} in version {one.version!r} are not of the embedding model that "
        f"made its first ones (alike by {drift.alike:.1f} standard deviations, those by "
        f"{drift.known:.1f}), and queries of neither find the others: if the model was "
        "changed, declare a version for it (PUT versions/{version}) and write its vectors there"
    )


def to_versions_reply(versions: Sequence[VersionInfo]) -> VersionsReply:
    """Return versions as they are sent."""
    return {"versions": [_reply(one) for one in versions]}


def _reply(one: VersionInfo) -> VersionReply:
    return {
        "vector": one.vector,
        "version": one.version,
        "model": one.model,
        "size": one.size,
        "distance": one.distance.capitalize(),
        "encoding": one.encoding,
        "state": cast(State, one.state),
        "points": one.points,
        "coverage": one.coverage,
        "bytes_per_vector": one.bytes_per_vector,
        "mapped_from": one.mapped_from,
        "drift": None if one.drift is None else _drift(one.drift),
    }


def _drift(found: Drift) -> DriftReply:
    return {"foreign": found.foreign, "alike": found.alike, "known": found.known}
