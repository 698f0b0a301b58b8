"""Values that travel through the engine: ids, batches, requests, answers.

Shapes: ``n`` rows, ``d`` dimensions, ``k`` results. A distance is smaller for what is closer:
``-<q, x>`` under cosine (of normalised vectors) and dot, the Euclidean and the Manhattan length
otherwise. Scores exist only in the HTTP schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.remedies import Remedy
from palimpsest.index.tally import Tally

PointId: TypeAlias = int | UUID
Vector: TypeAlias = NDArray[np.float32]  # (d,)
Vectors: TypeAlias = NDArray[np.float32]  # (n, d)
Codes: TypeAlias = NDArray[np.uint8]  # (n, row bytes): code bytes, then the row's two factors
Slots: TypeAlias = NDArray[np.uint64]  # (n,) collection-wide numbers of stored rows
Rows: TypeAlias = NDArray[np.uint32]  # (n,) positions inside one segment
Numbers: TypeAlias = NDArray[np.uint32]  # (n,) dense collection-wide numbers of points
Distances: TypeAlias = NDArray[np.float32]  # (k,)
Words: TypeAlias = NDArray[np.uint64]  # bit i of word i // 64 stands for row i

_WEIGHED_AS_ONE = 64  # dimensions of a sparse vector

DamageKind: TypeAlias = Literal["file", "row", "read"]
BridgeMode: TypeAlias = Literal["on", "off", "require"]
JobKind: TypeAlias = Literal[
    "seal", "compact", "merge", "index", "fit", "refit", "consolidate", "upkeep", "snapshot"
]
JobState: TypeAlias = Literal["running", "done", "failed", "cancelled", "resumed", "interrupted"]


class Distance(StrEnum):
    """How two vectors are compared."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLID = "euclid"
    MANHATTAN = "manhattan"


class KindVector:
    """One vector of a kind whose vectors are not plain arrays, as users give and get it."""

    __slots__ = ()
    kind: ClassVar[str]

    @property
    def weight(self) -> int:
        """About as many dense vectors as take as long to compare, at least 1."""
        return 1

    def to_json(self) -> Any:
        """Return it as it is shown: lists and objects by name, of arrays at the innermost."""
        raise NotImplementedError


PointVector: TypeAlias = Vector | KindVector


@dataclass(frozen=True, slots=True, eq=False)
class SparseVector(KindVector):
    """The dimensions (m,) uint32 that are not zero, ascending, and their values (m,) float32."""

    kind: ClassVar[str] = "sparse"

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]

    @property
    def weight(self) -> int:
        """So many dimensions as one dense vector, as Qdrant's server counts."""
        return max(1, -(-len(self.indices) // _WEIGHED_AS_ONE))

    def to_json(self) -> dict[str, Any]:
        """Return it as it is shown."""
        return {"indices": self.indices, "values": self.values}


@dataclass(frozen=True, slots=True, eq=False)
class MultiVector(KindVector):
    """A set of vectors (t, d), compared by MaxSim; C-contiguous where it is searched for."""

    kind: ClassVar[str] = "multi"

    values: Vectors

    @property
    def weight(self) -> int:
        """Each vector is compared."""
        return len(self.values)

    def to_json(self) -> Vectors:
        """Return it as it is shown."""
        return self.values


class Members(NamedTuple):
    """All vectors of a set that were pooled into those that match: places, ascending."""

    whole: NDArray[np.int64]
    best: Sequence[NDArray[np.int64]]  # t of them


@dataclass(frozen=True, slots=True, eq=False)
class MatchedParts:
    """Which vectors of a set match a query of ``t`` vectors; of equally good ones the first.

    Places count from the first vector of the set as it was given. Where a pooled vector stands for
    several of these, it is the first, and ``members`` are all.
    """

    whole: int  # the vector with the greatest similarity summed over all of the query
    best: NDArray[np.int64]  # (t,) of each vector of the query
    distances: NDArray[np.float32]  # (t,) to them
    members: Members | None = None  # None where vectors stand for themselves
    example: int | None = None  # which of several examples it is that they match


@dataclass(frozen=True, slots=True, eq=False)
class VersionedQuery:
    """One query in several versions of a vector name, by version: each row is scored in its own.

    With ``rescore_version``, which is one of them, the best ``rescore_limit`` points are scored
    again by their vectors in that version, where they have one or it is ``supplied``.
    """

    vectors: Mapping[str, PointVector]
    rescore_version: str | None = None
    rescore_limit: int = 200
    supplied: Mapping[PointId, PointVector] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NamedVectors:
    """The vectors of one name in a batch.

    ``positions`` (m,) are the places of their points in the batch, ascending; ``values`` is
    (m, d) float32, C-contiguous.
    """

    kind: ClassVar[str] = "dense"

    positions: NDArray[np.int64]
    values: Vectors


@dataclass(frozen=True, slots=True, eq=False)
class NamedMultiVectors:
    """The sets of vectors of one name in a batch; ``positions`` (m,) as in ``NamedVectors``.

    That of the i-th point is the rows ``starts[i]`` to ``starts[i + 1]`` of ``values`` (n, d),
    float32; ``starts`` (m + 1,) int64 rise from 0 to n.
    """

    kind: ClassVar[str] = "multi"

    positions: NDArray[np.int64]
    starts: NDArray[np.int64]
    values: Vectors


@dataclass(frozen=True, slots=True)
class Record:
    """A stored point as the user sees it; ``vectors`` only when asked for."""

    id: PointId
    seq: int
    payload: bytes | None = None
    vectors: Mapping[str, PointVector] | None = None


class VersionStats(NamedTuple):
    """What one search did with the rows of one version.

    ``adapter`` is the kind of the adapter that led to them and ``merge`` how its scores were made
    comparable, both None for rows of the query's own version; ``searched`` counts the points that
    could be found, ``hits`` those that were.
    """

    version: str
    adapter: str | None
    merge: str | None
    searched: int
    hits: int


class OutOfReach(NamedTuple):
    """Points a search could not find: they hold only version ``rows`` of a vector.

    No adapter leads to those from ``queries``.
    """

    vector: str
    rows: str
    queries: str
    points: int
    damage: str | None = None  # of the adapter there was


@dataclass(slots=True)
class SearchStats:
    """What one search did: counts, and seconds per stage.

    ``versions`` are those searched together, none where only one was; ``bridged`` are the numbers
    of the points found by adapters, best first, more than are hits. ``estimated`` are the numbers
    of points whose scores are estimates, more than are hits, and ``out_of_reach`` is what of the
    points asked for could not be searched. ``damaged`` says which points were found and left out.
    """

    visited: int = 0  # graph nodes expanded
    scored: int = 0  # codes (or raw rows, in exact search) compared with the query
    rescored: int = 0  # candidates recomputed from originals
    extended: int = 0  # parts in which the codes left the answer open, so that more was looked at
    scanned: int = 0  # of these, parts in which all rows were
    segments: int = 0
    lacking: int = 0  # of the segments, those whose damaged graph, codes or lists are made anew
    decisions: dict[str, int] = field(default_factory=dict)  # dense segments, by what was decided
    unheeded: int = 0  # segments in which a caller's ef is less than what was decided
    seconds: dict[str, float] = field(default_factory=dict)  # by stage: plan, traverse, ...
    versions: list[VersionStats] = field(default_factory=list)
    bridged: list[tuple[int, Numbers]] = field(default_factory=list)  # by column of the query
    estimated: list[Numbers | BitMap] = field(default_factory=list)
    out_of_reach: list[OutOfReach] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    ef: int = 0  # the largest of the walks that were made
    automatic: list[str] = field(default_factory=list)  # fields whose indexes nobody declared

    def note(self, decision: str) -> None:
        """Count a dense segment that is searched, by what was decided of it."""
        self.decisions[decision] = self.decisions.get(decision, 0) + 1

    def took(self, stage: str, seconds: float) -> None:
        """Add what a part of a stage took."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def took_since(self, stage: str, started: float) -> float:
        """Add what a part of a stage took since a time of ``perf_counter``; return the time."""
        now = perf_counter()
        self.took(stage, now - started)
        return now

    def add(self, other: SearchStats) -> None:
        """Add what a part of the same search did."""
        self.visited += other.visited
        self.ef = max(self.ef, other.ef)
        self.scored += other.scored
        self.rescored += other.rescored
        self.extended += other.extended
        self.scanned += other.scanned
        self.segments += other.segments
        self.lacking += other.lacking
        self.unheeded += other.unheeded
        for decision, count in other.decisions.items():
            self.decisions[decision] = self.decisions.get(decision, 0) + count
        for stage, seconds in other.seconds.items():
            self.took(stage, seconds)
        self.versions += other.versions
        self.bridged += other.bridged
        self.estimated += other.estimated
        self.out_of_reach += other.out_of_reach
        self.damaged += other.damaged
        self.automatic += [key for key in other.automatic if key not in self.automatic]


class SearchResult(NamedTuple):
    """The k best points, closest first; columns of equal length.

    ``seqs`` are those of the last write to each point. ``whole`` is False when points were written
    or deleted while it was made, which are left out.
    """

    ids: Sequence[PointId]
    seqs: Sequence[int]
    distances: Distances
    payloads: Sequence[bytes | None] | None
    vectors: Sequence[Mapping[str, PointVector]] | None
    stats: SearchStats
    whole: bool = True


@dataclass(frozen=True, slots=True)
class RecallInfo:
    """What the segments of a vector name were found to need, and what they find with it.

    ``segments`` counts them by decision, ``bits`` those with codes by the bits of a dimension.
    ``recall`` and ``worst`` are recall@10, the mean over the rows of probed segments and the least
    of their worst queries', None where nothing was probed; ``rows`` is how many that are. Of sets
    of vectors it is the share of the ten closest among the candidates, of which ``candidates`` is
    the most that a segment needs, and ``generators`` counts segments by what finds these. ``ef`` is
    the largest that walks take for ten results, None where no graph is walked.
    """

    segments: Mapping[str, int]
    bits: Mapping[int, int]
    rows: int
    recall: float | None
    worst: float | None
    generators: Mapping[str, int] = field(default_factory=dict)
    candidates: int | None = None
    ef: int | None = None


class Drift(NamedTuple):
    """How alike the newest rows of a version and its first ones are, in standard deviations.

    ``foreign`` where they are no more alike than rows of two models; ``known`` is what halves of
    the first ones are. See ``index.adapters.drift``.
    """

    foreign: bool
    alike: float
    known: float


class SampledRecall(NamedTuple):
    """What samples of answered searches found of their recall, with a filter or without one.

    ``recall`` is the mean of those of late, between ``low`` and ``high`` by a 95 % interval, None
    where there are none; ``total`` is how many there were since the opening.
    """

    filtered: bool
    total: int
    recall: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class VectorInfo:
    """Counts and resident bytes of one vector name.

    Rows of segments are ``indexed``, or ``scanned`` where no graph is wanted. Segments that were
    written under other settings than those in force are ``outdated``.
    """

    points: int
    indexed: int
    scanned: int
    growing: int
    dead: int
    segments: int
    outdated: int
    bytes_by_component: Mapping[str, int]  # codes, links, ids, growing, factors, originals_mapped
    recall: RecallInfo | None = None  # of a dense one
    sampled: Sequence[SampledRecall] = ()
    unreached: int | None = 0  # rows that no walk over their graph meets, None until counted


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One payload index: as declared, and how many points have a value in it."""

    declared: Mapping[str, Any]
    points: int


class Told(Protocol):
    """What is told as a text, which may hold remedies."""

    def told(self, word: Callable[[Remedy], str] = str) -> str:
        """Return the text, remedies in the words of ``word``."""


@dataclass(frozen=True, slots=True)
class Integrity:
    """What the scrub knows of a collection's files and rows, and what was set aside.

    ``checked_at``, in seconds since the epoch, is when everything was last read, None for never.
    ``lost``: some of what is damaged cannot be made anew. ``met`` counts what was found damaged
    since the opening, made anew or not: a file or a row by the scrub, and what a read met.
    """

    checked_at: float | None
    bytes_read: int
    damaged_files: int
    damaged_rows: int
    lost: bool
    findings: Sequence[Told]
    lost_found: int  # entries of ``lost+found``
    lost_found_bytes: int
    met: Mapping[DamageKind, int]


class JobInfo(NamedTuple):
    """Long work on a collection. Times are in seconds since the epoch.

    ``progress`` is the share done, 0 to 1, as far as it is known. A job that never ended, because
    the program did, is ``resumed`` where such work goes on by itself, else ``interrupted``; it
    ended when that was found.
    """

    id: int
    kind: JobKind
    what: str
    state: JobState
    progress: float
    started: float
    ended: float | None = None
    error: str | None = None
    cancel_requested: bool = False


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """State of a collection as of one view."""

    store_id: str  # drawn when the collection was made: another of the same name has another
    points: int
    seq: int
    pending: int  # rows waiting for, or inside, a running seal or compaction
    running: Sequence[str]  # texts of the running background work
    last_error: str | None  # failed background work, until it succeeds, or damage a read met
    put_off: str | None  # background work that waits for memory; all else goes on
    refuses_writes: str | None  # why the last one failed, until one succeeds
    vectors: Mapping[str, VectorInfo]
    fields: Mapping[str, FieldInfo]
    store_bytes: int  # on disk: payloads, ids and the log
    rebuilds: Mapping[str, int]  # payload indexes built again since the opening, by the reason
    integrity: Integrity


@dataclass(frozen=True, slots=True)
class CollectionSizes:
    """What takes a look at files and indexes to tell, in bytes."""

    disk: Mapping[str, int]  # by component
    fields: Mapping[str, int]  # resident, by payload index


@dataclass(frozen=True, slots=True)
class CollectionWork:
    """What a collection did since it was opened, and what waits; the tallies go on counting."""

    commits: Tally  # seconds of whole transactions
    syncs: Tally  # and of the part of each that syncs the log
    builds: Tally  # seconds of seals, compactions and merges that ended well
    jobs: Mapping[tuple[JobKind, JobState], int]  # that ended
    job_seconds: Mapping[JobKind, float]
    queued: int  # requests and jobs that wait for the writer
    waiting_seconds: float  # for which enough rows for a seal have waited, and none was
    log_bytes: int  # of what SQLite has not moved into the database yet
    running: Mapping[JobKind, tuple[int, float]]  # jobs now, and the share that is done of one


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One version of a vector name, and how many of its points hold it.

    ``coverage`` is their share of the points that hold any version of the vector; ``drift`` is
    None while it is not watched, or holds too few.
    """

    vector: str
    version: str
    model: str | None
    size: int
    distance: Distance
    encoding: str
    state: str
    points: int
    coverage: float
    bytes_per_vector: float
    mapped_from: str | None
    gained: int  # points that got it since the collection was opened
    drift: Drift | None = None
