"""How the rows of one vector name are really kept, by its kind: a part of ``palimpsest``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict

from palimpsest.index import (
    FDE_PRESETS,
    NO_GRAPH,
    WANTED,
    WANTED_AMONG_CANDIDATES,
    ColumnConfig,
    Distance,
    MultiConfig,
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
    count segments: by what was decided of their searches, and by the bits of their codes. ``ef`` is
    the largest that default searches of ten results walk with, null where they walk no graph.
    """

    wanted: float
    measured: float | None
    worst: float | None
    decisions: dict[str, int]
    bits: dict[str, int]
    ef: int | None


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


class FdeReply(TypedDict):
    """How a set of vectors becomes the one of ``dimensions`` that finds it.

    ``preset`` is the one that these are, null where some differ.
    """

    preset: str | None
    k_sim: int
    projected: int
    repetitions: int
    final: int
    seed: int
    dimensions: int


class TokensReply(TypedDict):
    """How the vectors of a set are coded: ``bits`` of a dimension, of every ``pool`` alike one."""

    bits: int
    pool: int


class CandidatesReply(TypedDict):
    """By what sets are found that are compared: what probes of segments chose.

    ``most`` is how many the searches of a segment compare; null where nothing was probed.
    ``generators`` counts segments by what finds these: ``lists`` of sets by centroids of their
    vectors, ``wide_lists`` where more of these are looked at, ``fde``, or the ``mean`` of vectors.
    """

    most: int | None
    generators: dict[str, int]


class KeptMultiReply(TypedDict):
    """How the sets of a multi-vector are kept.

    Candidates are found by one vector a set (``fde``), of which ``bits`` of a dimension are
    searched, and compared by ``tokens``; both are null where sets are compared by their originals
    alone. ``recall`` is the share of the ten closest sets among the ``candidates``. ``reads`` says
    what a set is given back from: ``originals``, or ``codes`` of its vectors, which are near what
    was written. The rest is as of a dense vector.
    """

    comparator: str
    encoding: str
    bits: int
    fde: FdeReply | None
    tokens: TokensReply | None
    originals: str
    reads: Literal["originals", "codes"]
    datatype: str
    max_vectors: int
    graph: GraphReply | None
    segments: int
    outdated: int
    candidates: CandidatesReply | None
    recall: RecallReply


AnyKept: TypeAlias = KeptReply | KeptMultiReply | KeptSparseReply


def describe_kept(config: ColumnConfig, held: VectorInfo) -> tuple[str, AnyKept]:
    """Return among which vectors a name is told, and how its rows are kept, as it is sent."""
    place, described = _DESCRIBED[config.kind]
    return place, described(config, held)


def describe_recall(held: RecallInfo | None, wanted: float = WANTED) -> RecallReply:
    """Return what the segments of a vector name find, as it is sent."""
    if held is None:
        held = RecallInfo({}, {}, 0, None, None)
    return {
        "wanted": wanted,
        "measured": rounded(held.recall),
        "worst": rounded(held.worst),
        "decisions": dict(held.segments),
        "bits": {str(bits): count for bits, count in sorted(held.bits.items())},
        "ef": held.ef,
    }


def rounded(recall: float | None) -> float | None:
    """Return a recall with as many digits as it is known to."""
    return None if recall is None else round(recall, 4)


def _dense(space: VectorConfig, held: VectorInfo) -> KeptReply:
    return {
        "encoding": space.encoding,
        "bits": _bits(space.encoding),
        "originals": space.originals,
        "datatype": space.datatype,
        "graph": None if space.distance is Distance.MANHATTAN else _graph(space),
        "order": space.order,
        "segments": held.segments,
        "outdated": held.outdated,
        "recall": describe_recall(held.recall, space.recall),
    }


def _multi(space: MultiConfig, held: VectorInfo) -> KeptMultiReply:
    coded = space.is_coded
    return {
        "comparator": space.comparator,
        "encoding": space.encoding if coded else "float32",
        "bits": _bits(space.encoding if coded else "float32"),
        "fde": _fde(space) if coded else None,
        "tokens": {"bits": space.token_bits, "pool": space.pool} if coded else None,
        "originals": space.originals,
        "reads": "codes" if space.originals == "none" else "originals",
        "datatype": space.datatype,
        "max_vectors": space.max_vectors,
        "graph": _graph(space) if coded else None,
        "segments": held.segments,
        "outdated": held.outdated,
        "candidates": _candidates(held.recall),
        "recall": describe_recall(held.recall, WANTED_AMONG_CANDIDATES),
    }


def _candidates(held: RecallInfo | None) -> CandidatesReply | None:
    if held is None:
        return None
    return {"most": held.candidates, "generators": dict(held.generators)}


def _fde(space: MultiConfig) -> FdeReply:
    of = space.fde
    like = [name for name, one in FDE_PRESETS.items() if one == of]
    return {
        "preset": like[0] if like else None,
        "k_sim": of.k_sim,
        "projected": of.projected,
        "repetitions": of.repetitions,
        "final": of.final,
        "seed": of.seed,
        "dimensions": of.dimensions(space.size),
    }


def _sparse(space: SparseConfig, held: VectorInfo) -> KeptSparseReply:
    return {"encoding": "postings", "modifier": space.modifier, "segments": held.segments}


def _graph(space: VectorConfig | MultiConfig) -> GraphReply | None:
    return {"m": space.M, "ef_construct": space.ef_construction} if space.M != NO_GRAPH else None


def _bits(encoding: str) -> int:
    return FLOAT_BITS if encoding == "float32" else int(encoding)


# By kind: the field of ``palimpsest``, and what describes a name in it.
_DESCRIBED: Mapping[str, tuple[str, Callable[[Any, VectorInfo], AnyKept]]] = {
    VectorConfig.kind: ("vectors", _dense),
    MultiConfig.kind: ("multi_vectors", _multi),
    SparseConfig.kind: ("sparse_vectors", _sparse),
}
