"""The closest rows of one segment by itself, searched as any query without parameters is."""

from __future__ import annotations

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.search.dense import search_parts
from palimpsest.index.search.plan import SearchRequest, resolve
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.types import Rows, Vector
from palimpsest.index.view.dense import DenseView
from palimpsest.index.view.view import SealedPart, VectorView


def closest_rows(segment: Sealed, config: VectorConfig, query: Vector, k: int) -> Rows:
    """Return at least the ``k`` closest rows of a segment, closest first; of copies more.

    Args:
        segment: opened, or in memory alone.
        config: of its vector name.
        query: (d,) as ``check_query`` gives it, not zero.
        k: how many, at least 1.
    """
    plan = resolve(SearchRequest(query, k=k), config)
    parts: DenseView = VectorView(config, (SealedPart(segment, Dead()),), ())
    (found,), _ = search_parts(parts, query, plan)
    return found.hits.rows
