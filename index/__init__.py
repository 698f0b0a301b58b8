"""The engine: vectors in, durable, searched. Nothing of HTTP in here.

A write goes down once: ``Collection.upsert`` checks the whole batch (``write.batch``), the writer
thread commits it to SQLite (``write.writer``), ``write.changes`` adds its rows to the view, the
view is published, the future is done.

A search goes down once: ``Collection.search`` takes the view, ``search.plan`` settles every
default, each segment and growing part is one native call, ``search.merge`` merges, and payloads are
read for the final k only (``read``). Points that hold only other versions of the vector are found
among those by ``search.mapped_query``, which merges both lists.
"""

from __future__ import annotations

# numpy imports these where they are first used: in the middle of a write perhaps, when descriptors
# or memory have run out.
import numpy.ma  # noqa: F401
import numpy.random  # noqa: F401

from palimpsest.index.adapters.fit_request import (
    DEFAULT_HOLDOUT,
    DEFAULT_MAX_PAIRS,
    MAX_HOLDOUT,
    MAX_PAIRS,
    AdapterInfo,
    AskedKind,
    FitRequest,
)
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.priorities import RANDOM_SHARE
from palimpsest.index.aliases import AliasChange, CreateAlias, DeleteAlias, RenameAlias
from palimpsest.index.collection import Collection
from palimpsest.index.config.collection import CollectionConfig, VersionConfig, describe_sizes
from palimpsest.index.config.fde import PRESETS as FDE_PRESETS
from palimpsest.index.config.fde import FdeConfig
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.config.multi import DEFAULT_MAX_VECTORS, MultiConfig
from palimpsest.index.config.names import check_vector_name
from palimpsest.index.config.vectors import (
    DEFAULT_DEAD_RATIO,
    DEFAULT_EF_CONSTRUCTION,
    DEFAULT_M,
    DEFAULT_SEAL_ROWS,
    MAX_EF,
    MAX_EF_CONSTRUCTION,
    MAX_M,
    MAX_SEAL_ROWS,
    MAX_SIZE,
    MIN_EF_CONSTRUCTION,
    MIN_M,
    NO_GRAPH,
    MaintenanceConfig,
    SparseConfig,
    VectorConfig,
)
from palimpsest.index.database import Database
from palimpsest.index.database_snapshots import Snapshots, SnapshotStats
from palimpsest.index.doctor.compacting import compact_directory
from palimpsest.index.doctor.directory import check_directory
from palimpsest.index.doctor.repairing import repair_directory
from palimpsest.index.doctor.report import Report
from palimpsest.index.doctor.snapshot import restore_snapshot, verify_snapshot
from palimpsest.index.embedding.bm25 import Bm25, Bm25Config
from palimpsest.index.embedding.onnx_model import OnnxModel
from palimpsest.index.embedding.probes import PROBE_TEXTS, SAME_MODEL, Probes
from palimpsest.index.encoding.sets import format_set, parse_set, parse_sets
from palimpsest.index.encoding.text import format_vector, parse_vector, parse_vectors
from palimpsest.index.errors import (
    AdapterNotFound,
    AliasNotFound,
    BeingReplaced,
    CollectionExists,
    CollectionNotFound,
    Damaged,
    DamagedPoint,
    DimensionMismatch,
    DirectoryLocked,
    DiskFailed,
    InvalidConfig,
    InvalidId,
    InvalidInput,
    InvalidPairs,
    InvalidSnapshot,
    InvalidVector,
    MissingAdapter,
    NoRangeIndex,
    NotFound,
    NotPermitted,
    OutOfDescriptors,
    OutOfMemory,
    PalimpsestError,
    PointNotFound,
    ReadOnlyDisk,
    SnapshotNotFound,
    StorageError,
    StorageFull,
    StoreFailed,
    UnknownFormat,
    UnknownVectorName,
    Unsupported,
    VersionConflict,
    VersionNotFound,
)
from palimpsest.index.filters.expression import (
    EACH,
    Condition,
    DatetimeRange,
    Filter,
    Geo,
    GeoBox,
    GeoPolygon,
    GeoRadius,
    HasId,
    HasVector,
    IsEmpty,
    IsNull,
    Match,
    MatchExcept,
    MatchText,
    MinShould,
    Nested,
    Path,
    Range,
    Slice,
    ValuesCount,
)
from palimpsest.index.filters.paths import format_path, parse_path
from palimpsest.index.filters.values import parse_datetime
from palimpsest.index.filters.walk import conditions_of
from palimpsest.index.kinds.multi.probe import WANTED as WANTED_AMONG_CANDIDATES
from palimpsest.index.kinds.sparse.rows import NamedSparse, SparseRows, checked_rows
from palimpsest.index.payload.config import FIELD_PARAMETERS, FieldIndex
from palimpsest.index.query import request as queries
from palimpsest.index.query import terms
from palimpsest.index.query.execute import Answer, answer
from palimpsest.index.query.facets import count_values
from palimpsest.index.query.groups import Group, answer_groups
from palimpsest.index.query.matched import matched_parts
from palimpsest.index.query.matrix import MatrixRequest, Neighbours, neighbours
from palimpsest.index.query.request import GroupRequest, OrderBy, Prefetch, QueryRequest, levels_of
from palimpsest.index.query.scored import farthest, is_similarity
from palimpsest.index.read.reading import Reading
from palimpsest.index.recall.drawn import DEFAULT_K as DEFAULT_RECALL_K
from palimpsest.index.recall.drawn import DEFAULT_QUERIES as DEFAULT_RECALL_QUERIES
from palimpsest.index.recall.drawn import MAX_K as MAX_RECALL_K
from palimpsest.index.recall.drawn import MAX_QUERIES as MAX_RECALL_QUERIES
from palimpsest.index.recall.drawn import SECONDS as RECALL_SECONDS
from palimpsest.index.recall.drawn import RecallRequest
from palimpsest.index.recall.measuring import FoundShare, MeasuredRecall
from palimpsest.index.recall.sampling import BOUNDS as RECALL_BOUNDS
from palimpsest.index.recall.sampling import Budget as RecallBudget
from palimpsest.index.recall.sampling import Durations
from palimpsest.index.remedies import (
    Act,
    DropVersion,
    FitAdapter,
    MigratePoints,
    PairPoints,
    Remedy,
)
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.search.query_per_version import MAX_RESCORED
from palimpsest.index.search.ready import HitsText, VectorText
from palimpsest.index.segments.deciding import DECISIONS, WANTED
from palimpsest.index.segments.sealed import GRAPH_ROWS
from palimpsest.index.segments.searcher import simd_level
from palimpsest.index.snapshots.incoming import Incoming
from palimpsest.index.snapshots.schedule import SnapshotPlan
from palimpsest.index.snapshots.shelf import SnapshotInfo, collection_of_folder
from palimpsest.index.stops import Stop, Stopped, check_stop, stopping
from palimpsest.index.storage.causes import of_system
from palimpsest.index.storage.checked import Spared
from palimpsest.index.tally import BUILD_BOUNDS, COMMIT_BOUNDS, Tally
from palimpsest.index.types import (
    BridgeMode,
    CollectionInfo,
    CollectionSizes,
    CollectionWork,
    Distance,
    Distances,
    Drift,
    FieldInfo,
    Integrity,
    JobInfo,
    JobState,
    KindVector,
    MatchedParts,
    MultiVector,
    NamedMultiVectors,
    NamedVectors,
    OutOfReach,
    PointId,
    PointVector,
    RecallInfo,
    Record,
    SampledRecall,
    SearchResult,
    SearchStats,
    SparseVector,
    Vector,
    VectorInfo,
    Vectors,
    VersionedQuery,
    VersionInfo,
    VersionStats,
)
from palimpsest.index.upkeep.backlog import Backlog
from palimpsest.index.upkeep.pacing import Refused
from palimpsest.index.upkeep.unopened import DamagedInfo
from palimpsest.index.versions.backfilling import BackfillPoint, BackfillStatus
from palimpsest.index.versions.chain_request import DEFAULT_SAMPLE, MAX_CHAIN, ChainRequest
from palimpsest.index.versions.compared_lists import CompareRequest
from palimpsest.index.versions.comparing import MAX_K as MAX_COMPARED
from palimpsest.index.versions.comparing import MAX_QUERIES as MAX_COMPARED_QUERIES
from palimpsest.index.waiting import NotYetApplied
from palimpsest.index.write.batch import PointBatch, Selection

__all__ = [
    # the surface: named collections in a data directory
    "AliasChange",
    "Collection",
    "CreateAlias",
    "DamagedInfo",
    "Database",
    "DeleteAlias",
    "RenameAlias",
    # copies of them
    "Incoming",
    "SnapshotInfo",
    "SnapshotPlan",
    "SnapshotStats",
    "Snapshots",
    "restore_snapshot",
    "verify_snapshot",
    # what a collection declares
    "Bm25",
    "Bm25Config",
    "OnnxModel",
    "PROBE_TEXTS",
    "Probes",
    "SAME_MODEL",
    "CollectionConfig",
    "ColumnConfig",
    "DEFAULT_DEAD_RATIO",
    "DEFAULT_EF_CONSTRUCTION",
    "DEFAULT_M",
    "DEFAULT_MAX_VECTORS",
    "DEFAULT_SEAL_ROWS",
    "FDE_PRESETS",
    "FIELD_PARAMETERS",
    "FdeConfig",
    "FieldIndex",
    "MAX_EF",
    "MAX_EF_CONSTRUCTION",
    "MAX_M",
    "MAX_SEAL_ROWS",
    "MAX_SIZE",
    "MIN_EF_CONSTRUCTION",
    "MIN_M",
    "MaintenanceConfig",
    "MultiConfig",
    "NO_GRAPH",
    "SparseConfig",
    "VectorConfig",
    "VersionConfig",
    "check_vector_name",
    "describe_sizes",
    # what is written
    "Backlog",
    "NamedMultiVectors",
    "NamedSparse",
    "PointBatch",
    "Refused",
    "Selection",
    "SparseRows",
    "checked_rows",
    "format_set",
    "format_vector",
    "parse_set",
    "parse_sets",
    "parse_vector",
    "parse_vectors",
    # what is asked: filters
    "Condition",
    "DatetimeRange",
    "EACH",
    "Filter",
    "Geo",
    "GeoBox",
    "GeoPolygon",
    "GeoRadius",
    "HasId",
    "HasVector",
    "IsEmpty",
    "IsNull",
    "Match",
    "MatchExcept",
    "MatchText",
    "MinShould",
    "Nested",
    "Path",
    "Range",
    "Slice",
    "ValuesCount",
    "conditions_of",
    "format_path",
    "parse_datetime",
    "parse_path",
    # what is asked: queries and searches
    "Answer",
    "Group",
    "GroupRequest",
    "MAX_RESCORED",
    "MatrixRequest",
    "Neighbours",
    "NotYetApplied",
    "OrderBy",
    "Prefetch",
    "QueryRequest",
    "Reading",
    "SearchRequest",
    "Stop",
    "Stopped",
    "answer",
    "answer_groups",
    "check_stop",
    "collection_of_folder",
    "count_values",
    "farthest",
    "is_similarity",
    "levels_of",
    "matched_parts",
    "neighbours",
    "queries",
    "stopping",
    "terms",
    # how much searches find
    "DEFAULT_RECALL_K",
    "DEFAULT_RECALL_QUERIES",
    "Durations",
    "FoundShare",
    "MAX_RECALL_K",
    "MAX_RECALL_QUERIES",
    "MeasuredRecall",
    "RECALL_BOUNDS",
    "RECALL_SECONDS",
    "RecallBudget",
    "RecallRequest",
    "Drift",
    "SampledRecall",
    # versions and the adapters between them
    "AdapterInfo",
    "AskedKind",
    "BackfillPoint",
    "BackfillStatus",
    "ChainRequest",
    "CompareRequest",
    "DEFAULT_HOLDOUT",
    "DEFAULT_MAX_PAIRS",
    "DEFAULT_SAMPLE",
    "FitRequest",
    "MAX_CHAIN",
    "MAX_COMPARED",
    "MAX_COMPARED_QUERIES",
    "MAX_HOLDOUT",
    "MAX_PAIRS",
    "Pairs",
    "RANDOM_SHARE",
    # values that all of these take and give
    "PointVector",
    "BridgeMode",
    "CollectionInfo",
    "JobInfo",
    "JobState",
    "CollectionSizes",
    "CollectionWork",
    "COMMIT_BOUNDS",
    "BUILD_BOUNDS",
    "DECISIONS",
    "Distance",
    "Distances",
    "FieldInfo",
    "GRAPH_ROWS",
    "Integrity",
    "KindVector",
    "MatchedParts",
    "MultiVector",
    "NamedVectors",
    "OutOfReach",
    "PointId",
    "RecallInfo",
    "Record",
    "HitsText",
    "SearchResult",
    "SearchStats",
    "Spared",
    "SparseVector",
    "Tally",
    "Vector",
    "VectorText",
    "VectorInfo",
    "Vectors",
    "VersionInfo",
    "VersionStats",
    "VersionedQuery",
    "WANTED",
    "WANTED_AMONG_CANDIDATES",
    "simd_level",
    # what is refused, what failed, and what helps
    "Act",
    "AdapterNotFound",
    "AliasNotFound",
    "BeingReplaced",
    "CollectionExists",
    "CollectionNotFound",
    "Damaged",
    "DamagedPoint",
    "DimensionMismatch",
    "DirectoryLocked",
    "DiskFailed",
    "DropVersion",
    "FitAdapter",
    "InvalidConfig",
    "InvalidId",
    "InvalidInput",
    "InvalidPairs",
    "InvalidSnapshot",
    "InvalidVector",
    "MigratePoints",
    "MissingAdapter",
    "NoRangeIndex",
    "NotFound",
    "NotPermitted",
    "OutOfDescriptors",
    "OutOfMemory",
    "PairPoints",
    "PalimpsestError",
    "PointNotFound",
    "ReadOnlyDisk",
    "Remedy",
    "SnapshotNotFound",
    "StorageError",
    "StorageFull",
    "StoreFailed",
    "UnknownFormat",
    "UnknownVectorName",
    "Unsupported",
    "VersionConflict",
    "VersionNotFound",
    "of_system",
    # data directories at rest
    "Report",
    "check_directory",
    "compact_directory",
    "repair_directory",
]
