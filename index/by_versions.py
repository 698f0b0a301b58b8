"""Searches by one query given in several versions: each row is scored in its own.

The list is in the space of one of the versions, the leading one: that of ``rescore_version``, else
the one named by the vector name or the virtual collection, else the one declared last. Rows of
another version are scored by their own query and, where an adapter leads to them, by the leading
one too: the two together find more than either (algorithms 8.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from index.bridging import (
    BRIDGED,
    Across,
    across,
    alike,
    by_bridge,
    factors_of,
    native_list,
    note,
    plan_of,
    searched,
    together,
)
from index.collection_config import AT, CollectionConfig, VersionConfig, describe_sizes
from index.config import VectorConfig
from index.errors import (
    DimensionMismatch,
    InvalidConfig,
    InvalidInput,
    InvalidVector,
    UnknownVectorName,
)
from index.intake import check_query
from index.search.alike import is_alike
from index.search.dense import search_parts
from index.search.every import Scalings, distances_to, exact_distances
from index.search.merge import Merged
from index.search.plan import SearchRequest, resolve
from index.search.ranked import Ranked, joined, ranked
from index.types import Numbers, PointId, SearchStats, Vector, Vectors, VersionedQuery
from index.versions.fusing import WEIGHT, fuse
from index.versions.merging import placed
from index.versions.registry import version_of
from index.view import View

MAX_RESCORED = 10_000


@dataclass(frozen=True, slots=True)
class Scene:
    """The state that is searched; ``numbers_of`` gives the numbers of ids that exist."""

    view: View
    numbers_of: Callable[[Sequence[PointId]], Sequence[int | None]]


def closest_by_versions(
    scene: Scene,
    request: SearchRequest,
    query: VersionedQuery,
    allowed: BitMap | None,
    stats: SearchStats,
) -> Merged:
    """Return the points closest to a query given in several versions.

    Raises:
        InvalidInput: one of its subclasses: a version, a vector or a parameter is wrong.
        MissingAdapter: points hold only versions the query is not given in, and no adapter leads
            to them.
        VersionNotFound: a version of the query is not declared.
    """
    leading = leading_version(scene.view.config, request.vector_name, query)
    versions = _by_column(scene.view.config, leading.vector, query)
    column = scene.view.config.column_of(leading)
    vectors = scene.view.vectors[column]
    assert isinstance(vectors.config, VectorConfig)
    started = perf_counter()
    plan = resolve(request, vectors.config)  # as it was asked
    count = _count(request, query)
    bridges = across(scene.view, column, request.bridge, allowed, own=versions.keys())
    if all(is_alike(one, scene.view.config.dense[name]) for name, one in versions.items()):
        merged = alike(vectors, allowed, bridges, request.offset + request.k)
        return merged.upto(request.max_distance).cut(request.offset, request.offset + request.k)
    depth = max(count, plan.depth, BRIDGED) if bridges else count
    stats.seconds["plan"] = perf_counter() - started
    native = native_list(vectors, versions[column], request, depth, stats, allowed)
    lists = [found_across(one, versions, column, request, depth, stats) for one in bridges]
    merging = perf_counter()
    rows = native
    if bridges:
        rows = together(native, searched(vectors, allowed), lists, bridges, count)
        note(stats, scene.view, column, native, lists, bridges)
    if query.rescore_version is not None:
        by_rank = any(one.merge.method == "rank" for one in bridges)
        rows = rows.taken(slice(0, count))
        rows = _rescored(scene, rows, column, versions[column], query, by_rank=by_rank)
    stop = request.offset + request.k
    merged = rows.taken(slice(0, stop)).merged()
    merged = merged.clamped(vectors.config.distance, bridged=bool(bridges))
    merged = merged.upto(request.max_distance)
    stats.seconds["merge"] = perf_counter() - merging
    return merged.cut(request.offset, stop)


def leading_version(config: CollectionConfig, name: str, query: VersionedQuery) -> VersionConfig:
    """Return the version in whose space the list, and so its scores, are.

    Raises:
        UnknownVectorName: the name is not declared.
        VersionNotFound: a version of the query is not.
        InvalidInput: the query's parts do not fit together.
    """
    if not query.vectors:
        raise InvalidInput("query.versions: expected a vector for at least one version, got none")
    if config.find(name) is None:
        raise UnknownVectorName(name, list(config.vectors))
    vector, named = _split(config, name)
    for version in query.vectors:
        version_of(config, vector, version)
    if query.supplied and query.rescore_version is None:
        raise InvalidInput("query.vectors are used by query.rescore_version only: give both")
    if query.rescore_version is not None:
        if query.rescore_version not in query.vectors:
            raise InvalidInput(
                f"query.rescore_version: version {query.rescore_version!r} needs its vector in "
                f"query.versions, which has {', '.join(map(repr, query.vectors))}"
            )
        return version_of(config, vector, query.rescore_version)
    if named is not None and named in query.vectors:
        return version_of(config, vector, named)
    given = [one for one in config.versions_of(vector) if one.version in query.vectors]
    return given[-1]


def _split(config: CollectionConfig, name: str) -> tuple[str, str | None]:
    """Return the vector and the version that a name means; None for the version of a bare name."""
    if name in config.names:
        shown = config.shown_version(name).version if config.shown is not None else None
        return name, shown
    vector, _, version = name.rpartition(AT)
    return vector, version


def _by_column(config: CollectionConfig, vector: str, query: VersionedQuery) -> dict[str, Vector]:
    """Return the checked vectors of a query by column."""
    columns = {
        config.column_of(version_of(config, vector, version)): one
        for version, one in query.vectors.items()
    }
    return {
        name: _checked(one, name, config, f"query.versions.{version}")
        for version, (name, one) in zip(query.vectors, columns.items(), strict=True)
    }


def _checked(query: Vector, column: str, config: CollectionConfig, where: str) -> Vector:
    """Return a vector of the query ready for search; ``where`` names it in errors."""
    try:
        return check_query(query, config.dense[column])
    except DimensionMismatch as error:
        hint = describe_sizes(column, config.every_name)
        place = f"{where}; {hint}" if hint else where
        raise DimensionMismatch(error.expected, error.received, place) from None
    except InvalidVector as error:
        raise InvalidVector(f"{where}: {error}") from None


def _count(request: SearchRequest, query: VersionedQuery) -> int:
    wanted = request.k + request.offset
    if query.rescore_version is None:
        return wanted
    if not 1 <= query.rescore_limit <= MAX_RESCORED:
        raise InvalidConfig(
            f"query.rescore_limit: expected 1 to {MAX_RESCORED}, got {query.rescore_limit}"
        )
    return max(wanted, query.rescore_limit)


def found_across(
    one: Across,
    versions: Mapping[str, Vector],
    leading: str,
    request: SearchRequest,
    count: int,
    stats: SearchStats,
) -> Ranked:
    """Return the closest rows of another version, best first: by both queries where it has one.

    Args:
        one: leads to them.
        versions: the query's vectors by column.
        leading: the column of the version whose scores are wanted.
        request: gives the parameters of the search.
        count: how many rows.
        stats: is added to.
    """
    own = versions.get(one.bridge.column)
    if own is None:
        return by_bridge(one, versions[leading], request, count, stats)
    natively = _natively(one, own, request, count, stats)
    if one.bridge.fitted is None:
        return natively
    bridged = by_bridge(one, versions[leading], request, count, stats)
    new = np.flatnonzero(~np.isin(bridged.numbers, natively.numbers))
    both = joined([natively, bridged.taken(new)])
    return _fused(one, versions[leading], own, both)


def _natively(
    one: Across, query: Vector, request: SearchRequest, count: int, stats: SearchStats
) -> Ranked:
    plan = plan_of(request, one, count)
    own = SearchStats()
    found = ranked(search_parts(one.vectors, query, plan, own, one.rest), count)
    stats.add(own)
    return found


def _fused(one: Across, leading: Vector, own: Vector, both: Ranked) -> Ranked:
    """Order rows by their scores under both queries, each recomputed from their vectors."""
    assert one.bridge.fitted is not None
    fitted = one.bridge.fitted
    mapped, shift = fitted.adapter.map_query(leading)
    scales = fitted.adapter.scales_rows
    scalings = Scalings(
        np.array([shift], dtype=np.float32),
        lambda part: factors_of(fitted.factors, part) if scales else None,
    )
    bridged = -exact_distances(one.vectors, mapped[None, :], both.numbers, scalings)[0]
    natively = -exact_distances(one.vectors, own[None, :], both.numbers)[0]
    return both.by(-fuse(bridged, natively, WEIGHT))


def _rescored(
    scene: Scene,
    rows: Ranked,
    column: str,
    query: Vector,
    asked: VersionedQuery,
    *,
    by_rank: bool,
) -> Ranked:
    """Score points again by their vectors in the query's version, stored or supplied."""
    distances = rows.distances.copy()
    stored = exact_distances(scene.view.vectors[column], query[None, :], rows.numbers)[0]
    has = np.isfinite(stored)
    distances[has] = stored[has]
    places, vectors = _supplied(scene, rows.numbers, column, asked.supplied)
    if len(places):
        distances[places] = distances_to(query, vectors, scene.view.config.dense[column].distance)
        has[places] = True
    if by_rank:
        distances = -placed(-rows.distances, has, -distances)
    return rows.by(distances)


def _supplied(
    scene: Scene, numbers: Numbers, column: str, supplied: Mapping[PointId, Vector]
) -> tuple[NDArray[np.intp], Vectors]:
    """Return the places of points whose vectors were supplied, and those, checked."""
    checked = [
        _checked(vector, column, scene.view.config, f"query.vectors.{one}")
        for one, vector in supplied.items()
    ]
    place_of = {number: place for place, number in enumerate(numbers.tolist())}
    found = scene.numbers_of(list(supplied)) if supplied else []
    pairs = [
        (place_of[number], vector)
        for number, vector in zip(found, checked, strict=True)
        if number in place_of
    ]
    places = np.array([place for place, _ in pairs], dtype=np.intp)
    vectors = [vector for _, vector in pairs] or [np.empty(0, dtype=np.float32)]
    return places, np.stack(vectors)
