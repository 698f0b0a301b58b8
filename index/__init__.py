"""The engine: vectors in, durable, searched. Nothing of HTTP in here.

A write goes down once: ``Collection.upsert`` checks the whole batch, the writer thread commits it
to SQLite, ``view.apply`` adds its rows to the view, the view is published, the future is done.

A search goes down once: ``Collection.search`` takes the view, ``search.plan.resolve`` settles every
default, each segment and growing part is one native call, ``search.merge`` merges, and payloads are
read for the final k only.
"""

from __future__ import annotations

from index.collection import Collection
from index.config import (
    DEFAULT_DEAD_RATIO,
    DEFAULT_EF_CONSTRUCTION,
    DEFAULT_M,
    DEFAULT_QUIET_ROWS,
    DEFAULT_SEAL_ROWS,
    MAX_EF,
    MAX_EF_CONSTRUCTION,
    MAX_K,
    MAX_M,
    MAX_SEAL_ROWS,
    MAX_SIZE,
    MIN_EF_CONSTRUCTION,
    MIN_M,
    CollectionConfig,
    MaintenanceConfig,
    VectorConfig,
)
from index.database import Database
from index.encoding.text import format_vector, parse_vector, parse_vectors
from index.errors import (
    CollectionExists,
    CollectionNotFound,
    Damaged,
    DimensionMismatch,
    DirectoryLocked,
    InvalidConfig,
    InvalidId,
    InvalidInput,
    InvalidVector,
    NotFound,
    PalimpsestError,
    PointNotFound,
    StorageError,
    StorageFull,
    StoreFailed,
    UnknownFormat,
    UnknownVectorName,
    Unsupported,
)
from index.points import NotYetApplied, at_once
from index.types import (
    CollectionInfo,
    Distance,
    NamedVectors,
    PointBatch,
    PointId,
    Record,
    SearchRequest,
    SearchResult,
    SearchStats,
    Vector,
    VectorInfo,
    Vectors,
)

__all__ = [
    "DEFAULT_DEAD_RATIO",
    "DEFAULT_EF_CONSTRUCTION",
    "DEFAULT_M",
    "DEFAULT_QUIET_ROWS",
    "DEFAULT_SEAL_ROWS",
    "MAX_EF",
    "MAX_EF_CONSTRUCTION",
    "MAX_K",
    "MAX_M",
    "MAX_SEAL_ROWS",
    "MAX_SIZE",
    "MIN_EF_CONSTRUCTION",
    "MIN_M",
    "Collection",
    "CollectionConfig",
    "CollectionExists",
    "CollectionInfo",
    "CollectionNotFound",
    "Damaged",
    "Database",
    "DimensionMismatch",
    "DirectoryLocked",
    "Distance",
    "InvalidConfig",
    "InvalidId",
    "InvalidInput",
    "InvalidVector",
    "MaintenanceConfig",
    "NamedVectors",
    "NotFound",
    "NotYetApplied",
    "PalimpsestError",
    "PointBatch",
    "PointId",
    "PointNotFound",
    "Record",
    "SearchRequest",
    "SearchResult",
    "SearchStats",
    "StorageError",
    "StorageFull",
    "StoreFailed",
    "UnknownFormat",
    "UnknownVectorName",
    "Unsupported",
    "Vector",
    "VectorConfig",
    "VectorInfo",
    "Vectors",
    "at_once",
    "format_vector",
    "parse_vector",
    "parse_vectors",
]
