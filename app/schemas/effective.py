"""How the vectors of a collection are really kept: ``palimpsest`` in ``GET /collections/{name}``.

Beside the settings as they were given, which are in ``config``; ``app.schemas.unmet`` says in words
where both differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from index import NO_GRAPH, CollectionConfig, Distance, VectorConfig, VectorInfo

FLOAT_BITS = 32


class GraphReply(TypedDict):
    """Parameters of graphs."""

    m: int
    ef_construct: int


class KeptReply(TypedDict):
    """How the rows of a dense vector are kept.

    ``bits`` of a dimension are searched; ``originals`` are the copy on disk for rescoring and
    reads; without ``graph`` rows are scanned. ``outdated`` segments were written under earlier
    settings and are waiting to be written again.
    """

    encoding: str
    bits: int
    originals: str
    datatype: str
    graph: GraphReply | None
    order: str
    segments: int
    outdated: int


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


class PalimpsestReply(TypedDict):
    """How a collection is really kept, by the names of its vectors."""

    vectors: dict[str, KeptReply]
    sparse_vectors: NotRequired[dict[str, KeptSparseReply]]
    upkeep: UpkeepReply


def describe_effective(config: CollectionConfig, held: Mapping[str, VectorInfo]) -> PalimpsestReply:
    """Return how a collection is really kept; ``held`` are the vectors of its view by name."""
    dense: dict[str, KeptReply] = {}
    sparse: dict[str, KeptSparseReply] = {}
    for name in config.names:
        space, segments = config.vectors[name], held[name].segments
        if isinstance(space, VectorConfig):
            dense[name] = _dense(space, segments, held[name].outdated)
        else:
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
    }
    if sparse:
        described["sparse_vectors"] = sparse
    return described


def _dense(space: VectorConfig, segments: int, outdated: int) -> KeptReply:
    graph: GraphReply = {"m": space.M, "ef_construct": space.ef_construction}
    has_graph = space.M != NO_GRAPH and space.distance is not Distance.MANHATTAN
    return {
        "encoding": space.encoding,
        "bits": FLOAT_BITS if space.encoding == "float32" else int(space.encoding),
        "originals": space.originals,
        "datatype": space.datatype,
        "graph": graph if has_graph else None,
        "order": space.order,
        "segments": segments,
        "outdated": outdated,
    }
