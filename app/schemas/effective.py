"""How the vectors of a collection are really kept: ``palimpsest`` in ``GET /collections/{name}``.

Beside the settings as they were given, which are in ``config``; ``app.schemas.unmet`` says in words
where both differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NotRequired, TypedDict

from palimpsest.app.remedies import help_of
from palimpsest.index import (
    NO_GRAPH,
    WANTED,
    CollectionConfig,
    CollectionInfo,
    Distance,
    Integrity,
    RecallInfo,
    SparseConfig,
    VectorConfig,
    VectorInfo,
)

FLOAT_BITS = 32


class GraphReply(TypedDict):
    """Parameters of graphs."""

    m: int
    ef_construct: int


class RecallReply(TypedDict):
    """Recall@10 of the segments, measured on samples when they were written.

    ``measured`` is the mean over the rows that were probed, ``worst`` that of the worst twentieth
    of the queries in the worst segment; null where nothing was probed. ``decisions`` and ``bits``
    count segments: by what was decided of their searches, and by the bits of their codes.
    """

    wanted: float
    measured: float | None
    worst: float | None
    decisions: dict[str, int]
    bits: dict[str, int]


class KeptReply(TypedDict):
    """How the rows of a dense vector are kept.

    ``bits`` of a dimension are searched; ``originals`` are the copy on disk for rescoring and
    reads; without ``graph`` rows are scanned. ``outdated`` segments were written under earlier
    settings and are waiting to be written again. ``recall`` says what they find.
    """

    encoding: str
    bits: int
    originals: str
    datatype: str
    graph: GraphReply | None
    order: str
    segments: int
    outdated: int
    recall: RecallReply


class KeptSparseReply(TypedDict):
    """How the rows of a sparse vector are kept: in postings, searched exactly."""

    encoding: str
    modifier: str
    segments: int


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

    vectors: dict[str, KeptReply]
    sparse_vectors: NotRequired[dict[str, KeptSparseReply]]
    upkeep: UpkeepReply
    backlog: NotRequired[BacklogReply]
    integrity: IntegrityReply


def describe_effective(config: CollectionConfig, info: CollectionInfo) -> PalimpsestReply:
    """Return how a collection is really kept."""
    held = info.vectors
    dense: dict[str, KeptReply] = {}
    sparse: dict[str, KeptSparseReply] = {}
    for name in config.names:
        space, segments = config.vectors[name], held[name].segments
        if isinstance(space, VectorConfig):
            dense[name] = _dense(space, held[name])
        elif isinstance(space, SparseConfig):
            sparse[name] = {
                "encoding": "postings",
                "modifier": space.modifier,
                "segments": segments,
            }
    upkeep = config.maintenance
    described: PalimpsestReply = {
        "vectors": dense,
        "upkeep": {
            "seal_rows": upkeep.seal_rows,
            "quiet_rows": upkeep.quiet_rows,
            "quiet_seconds": upkeep.quiet_seconds,
            "dead_ratio": upkeep.dead_ratio,
        },
        "integrity": _integrity(info.integrity),
    }
    if sparse:
        described["sparse_vectors"] = sparse
    return described


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


def _dense(space: VectorConfig, held: VectorInfo) -> KeptReply:
    graph: GraphReply = {"m": space.M, "ef_construct": space.ef_construction}
    has_graph = space.M != NO_GRAPH and space.distance is not Distance.MANHATTAN
    return {
        "encoding": space.encoding,
        "bits": FLOAT_BITS if space.encoding == "float32" else int(space.encoding),
        "originals": space.originals,
        "datatype": space.datatype,
        "graph": graph if has_graph else None,
        "order": space.order,
        "segments": held.segments,
        "outdated": held.outdated,
        "recall": describe_recall(held.recall),
    }


def describe_recall(held: RecallInfo | None) -> RecallReply:
    """Return what the segments of a vector name find, as it is sent."""
    if held is None:
        return {"wanted": WANTED, "measured": None, "worst": None, "decisions": {}, "bits": {}}
    return {
        "wanted": WANTED,
        "measured": _rounded(held.recall),
        "worst": _rounded(held.worst),
        "decisions": dict(held.segments),
        "bits": {str(bits): count for bits, count in sorted(held.bits.items())},
    }


def _rounded(recall: float | None) -> float | None:
    return None if recall is None else round(recall, 4)


def unheld(config: CollectionConfig, held: Mapping[str, VectorInfo]) -> list[str]:
    """Return a text for each dense vector some of whose segments do not hold the recall wanted."""
    return [
        _unheld(name, space, known)
        for name, space in config.dense.items()
        if name in held and (known := held[name].recall) is not None and known.segments.get("short")
    ]


def _unheld(name: str, space: VectorConfig, known: RecallInfo) -> str:
    of = f" of vector {name!r}" if name else ""
    why = "more effort did not help"
    if space.fixed_encoding and space.encoding != "float32":
        why = f"their encoding of {space.encoding} bits was asked for and is kept"
    elif space.originals == "none":
        why = "without originals nothing can be compared again"
    return (
        f"{known.segments['short']} of {sum(known.segments.values())} segments{of} do not hold a "
        f"recall of {WANTED} (measured {_rounded(known.recall)}): {why}; a larger "
        "`metadata.palimpsest.encoding` or kept `originals` raise it, and `exact` finds everything"
    )
