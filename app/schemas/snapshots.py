"""Snapshots in bodies and replies, as Qdrant's API has them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias, TypedDict

from pydantic import AfterValidator, Field

from palimpsest.app.schemas.spaces import Body
from palimpsest.index import SnapshotInfo

# All three mean the same on a single node: there are no replicas to ask.
Priority: TypeAlias = Literal["no_sync", "snapshot", "replica"]
_SHA256 = re.compile("[0-9a-fA-F]{64}")


def _sha256(text: str) -> str:
    if _SHA256.fullmatch(text) is None:
        raise ValueError("expected 64 hexadecimal digits of a SHA-256")
    return text.lower()


Checksum: TypeAlias = Annotated[str, AfterValidator(_sha256)]


class SnapshotRecover(Body):
    """Body of ``PUT /collections/{name}/snapshots/recover``."""

    location: str = Field(min_length=1, max_length=4_096)
    priority: Priority | None = None
    checksum: Checksum | None = None
    api_key: str | None = Field(default=None, max_length=4_096)


class SnapshotDescription(TypedDict):
    """A snapshot; the time is UTC, the checksum a SHA-256."""

    name: str
    creation_time: str
    size: int
    checksum: str | None


def described(info: SnapshotInfo) -> SnapshotDescription:
    """Return a snapshot as replies tell of it."""
    created = datetime.fromtimestamp(int(info.created), UTC)
    return {
        "name": info.name,
        "creation_time": created.strftime("%Y-%m-%dT%H:%M:%S"),
        "size": info.nbytes,
        "checksum": info.checksum,
    }
