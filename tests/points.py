"""Batches and configs for tests, in fewer words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from palimpsest.index import (
    CollectionConfig,
    Distance,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    PointId,
    VectorConfig,
)
from palimpsest.index.types import Vectors


def batch_of(
    ids: Sequence[PointId], vectors: Vectors, payloads: Sequence[bytes | None] | None = None
) -> PointBatch:
    """Return points that all have the unnamed vector."""
    named = NamedVectors(np.arange(len(ids)), vectors)
    return PointBatch(ids, {"": named}, payloads or [None] * len(ids))


def config_of(
    size: int, distance: Distance = Distance.COSINE, *, seal_rows: int = 65_536, **choices: Any
) -> CollectionConfig:
    """Return a config with the unnamed vector."""
    return CollectionConfig(
        vectors={"": VectorConfig(size, distance, **choices)},
        maintenance=MaintenanceConfig(seal_rows=seal_rows, quiet_rows=1, quiet_seconds=0.0),
    )
