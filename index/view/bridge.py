"""How queries of one version find the points that only another version holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.config.collection import CollectionConfig, VersionConfig
from palimpsest.index.config.versions import version_of


@dataclass(frozen=True, slots=True, eq=False)
class Bridge:
    """From queries of one version to the rows of another one of the same vector name.

    ``column`` is that of the rows. Without ``fitted`` there is no way across:
    points that would have to be found so are an error where they are ``needed``, which those of a
    version that was never active are not.
    """

    column: int
    vector: str
    rows: str
    queries: str
    needed: bool
    fitted: Fitted | None
    damage: str | None = None  # of the adapter there was


FittedByColumns = Mapping[tuple[int, int], Fitted]  # (rows, queries) column numbers
DamagedByColumns = Mapping[tuple[int, int], str]  # and what is wrong with each


def bridges_of(
    config: CollectionConfig, fitted: FittedByColumns, damaged: DamagedByColumns
) -> dict[int, tuple[Bridge, ...]]:
    """Return, by column of the queries, the bridges to the other versions of the same vector.

    Rows mapped for just these queries come first, then the best adapters by their reports; those
    without one come last, where points must be found before where they need not.
    """
    bridges: dict[int, tuple[Bridge, ...]] = {}
    for queries in config.versions:
        column = config.column_of(queries)
        others = [
            _bridge(config, one, queries, fitted, damaged)
            # The newest first: `sorted` keeps that order among those whose adapters are equally
            # good.
            for one in reversed(config.versions_of(queries.vector))
            if one != queries and _is_searched(one, queries)
        ]
        if others:
            bridges[column] = tuple(sorted(others, key=lambda each: _rank(config, each)))
    return bridges


def _is_searched(rows: VersionConfig, queries: VersionConfig) -> bool:
    if rows.state == "retired":
        return False
    return rows.mapped is None or rows.mapped[1] == queries.version


def _bridge(
    config: CollectionConfig,
    rows: VersionConfig,
    queries: VersionConfig,
    fitted: FittedByColumns,
    damaged: DamagedByColumns,
) -> Bridge:
    column = config.column_of(rows)
    ends = column, config.column_of(queries)
    needed = rows.state != "shadow"
    return Bridge(
        column,
        rows.vector,
        rows.version,
        queries.version,
        needed,
        fitted.get(ends),
        damaged.get(ends),
    )


def _rank(config: CollectionConfig, bridge: Bridge) -> tuple[bool, bool, float]:
    rows = version_of(config, bridge.vector, bridge.rows)
    if bridge.fitted is None:
        return True, not bridge.needed, 0.0
    return False, rows.mapped is None, -bridge.fitted.quality
