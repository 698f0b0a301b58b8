"""How the vectors of a collection are really kept: ``palimpsest`` in ``GET /collections/{name}``.

Beside the settings as they were given, which are in ``config``; ``app.schemas.unmet`` says in words
where both differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict, cast

from palimpsest.app.remedies import help_of
from palimpsest.app.schemas.kept import (
    KeptMultiReply,
    KeptReply,
    KeptSparseReply,
    describe_kept,
    rounded,
)
from palimpsest.index import (
    CollectionConfig,
    CollectionInfo,
    Integrity,
    MultiConfig,
    RecallInfo,
    VectorConfig,
    VectorInfo,
)


class UpkeepReply(TypedDict):
    """When growing rows become segments, and segments are compacted."""

    seal_rows: int
    quiet_rows: int
    quiet_seconds: float
    dead_ratio: float


class LostFoundReply(TypedDict):
    """What was set aside in the collection's ``lost+found``."""

    count: int
    bytes: int


class IntegrityReply(TypedDict):
    """What reading everything in the background found, now and again.

    ``checked_at`` is when it was last done with, null for never; ``findings`` is what is damaged
    and has not been made anew.
    """

    checked_at: str | None
    bytes_read: int
    damaged_files: int
    damaged_rows: int
    findings: list[str]
    lost_found: LostFoundReply


class BacklogReply(TypedDict):
    """What waits to be sealed; ``rows`` of about ``limit``, of the vector with most.

    ``segments`` are those beyond what compaction leaves. ``slowed`` tells whether writes that bring
    rows wait now; about ``sealed_per_second`` come in then.
    """

    rows: int
    limit: int
    segments: int
    slowed: bool
    sealed_per_second: float


class PalimpsestReply(TypedDict):
    """How a collection is really kept, by the names of its vectors, and whether it still is."""

    store_id: str  # another collection of the same name has another
    vectors: dict[str, KeptReply]
    multi_vectors: NotRequired[dict[str, KeptMultiReply]]
    sparse_vectors: NotRequired[dict[str, KeptSparseReply]]
    upkeep: UpkeepReply
    backlog: NotRequired[BacklogReply]
    disk: NotRequired[dict[str, int]]  # bytes by what they are taken for
    integrity: IntegrityReply


def describe_effective(config: CollectionConfig, info: CollectionInfo) -> PalimpsestReply:
    """Return how a collection is really kept."""
    vectors: dict[str, dict[str, Any]] = {"vectors": {}}
    for name in config.names:
        place, kept = describe_kept(config.vectors[name], info.vectors[name])
        vectors.setdefault(place, {})[name] = kept
    upkeep = config.maintenance
    described = {
        "store_id": info.store_id,
        **vectors,
        "upkeep": {
            "seal_rows": upkeep.seal_rows,
            "quiet_rows": upkeep.quiet_rows,
            "quiet_seconds": upkeep.quiet_seconds,
            "dead_ratio": upkeep.dead_ratio,
        },
        "integrity": _integrity(info.integrity),
    }
    return cast(PalimpsestReply, described)


def _integrity(known: Integrity) -> IntegrityReply:
    checked = known.checked_at
    return {
        "checked_at": None if checked is None else datetime.fromtimestamp(checked, UTC).isoformat(),
        "bytes_read": known.bytes_read,
        "damaged_files": known.damaged_files,
        "damaged_rows": known.damaged_rows,
        "findings": [one.told(help_of) for one in known.findings],
        "lost_found": {"count": known.lost_found, "bytes": known.lost_found_bytes},
    }


def unheld(config: CollectionConfig, held: Mapping[str, VectorInfo]) -> list[str]:
    """Return a text for each vector some of whose segments do not hold the recall wanted."""
    short = [
        (name, space, known)
        for name, space in config.vectors.items()
        if name in held and (known := held[name].recall) is not None and known.segments.get("short")
    ]
    return [
        _unheld_sets(name, space, known)
        if isinstance(space, MultiConfig)
        else _unheld(name, config.dense[name], known)
        for name, space, known in short
    ]


def _unheld_sets(name: str, space: MultiConfig, known: RecallInfo) -> str:
    of = f" of vector {name!r}" if name else ""
    return (
        f"{known.segments['short']} of {sum(known.segments.values())} segments{of} do not have "
        f"the ten closest sets among {known.candidates} candidates as often as is wanted "
        f"(measured {rounded(known.recall)}): a larger `fde`, or an `encoding` of more than "
        f"{space.encoding} bits, under `metadata.palimpsest` raises it, `hnsw_ef` asks for more "
        "candidates, and `exact` finds everything"
    )


def _unheld(name: str, space: VectorConfig, known: RecallInfo) -> str:
    of = f" of vector {name!r}" if name else ""
    why = "more effort did not help"
    # The first of the reasons that an operator can do something about.
    if space.fixed_encoding and space.encoding != "float32":
        why = f"their encoding of {space.encoding} bits was asked for and is kept"
    elif space.originals == "none":
        why = "without originals nothing can be compared again"
    return (
        f"{known.segments['short']} of {sum(known.segments.values())} segments{of} do not hold a "
        f"recall of {space.recall:g} (measured {rounded(known.recall)}): {why}; a larger "
        "`metadata.palimpsest.encoding` or kept `originals` raise it, and `exact` finds everything"
    )
