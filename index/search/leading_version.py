"""Which version leads a query given in several, and whether its vectors fit theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from palimpsest.index.config.collection import AT, CollectionConfig, VersionConfig, describe_sizes
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.versions import version_of
from palimpsest.index.encoding.normalise import check_query
from palimpsest.index.errors import (
    DimensionMismatch,
    InvalidInput,
    InvalidVector,
    UnknownVectorName,
)
from palimpsest.index.types import MultiVector, PointVector, Vector, Vectors, VersionedQuery


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


def by_column(config: CollectionConfig, vector: str, query: VersionedQuery) -> dict[int, Vector]:
    """Return the checked vectors of a query by column."""
    return {
        column: checked(one, column, config, f"query.versions.{version}")
        for version, column, one in vectors_of_versions(config, vector, query)
    }


def vectors_of_versions(
    config: CollectionConfig, vector: str, query: VersionedQuery
) -> Iterator[tuple[str, int, PointVector]]:
    """Yield the versions of a query with their columns and vectors."""
    for version, one in query.vectors.items():
        yield version, config.column_of(version_of(config, vector, version)), one


def _no_sets(query: PointVector, config: MultiConfig) -> Vectors:
    raise InvalidVector("sets of vectors are searched by what knows them")


def checked(
    query: PointVector,
    column: int,
    config: CollectionConfig,
    where: str,
    check_set: Callable[[PointVector, MultiConfig], Vectors] = _no_sets,
) -> Vector:
    """Return a vector of the query ready for search, or a set (t, d).

    Args:
        query: as it was given.
        column: of the version that it is of.
        config: of the collection.
        where: names it in errors.
        check_set: does the same for a version of sets.
    """
    space = config.embedded_spaces[column]
    try:
        if isinstance(space, MultiConfig):
            return check_set(query, space)
        if not isinstance(query, np.ndarray):
            given = "a set of vectors" if isinstance(query, MultiVector) else f"a {query.kind} one"
            name = config.name_of(column)
            raise InvalidVector(f"expected one vector, for {name!r} has one a point, got {given}")
        return check_query(query, space)
    except DimensionMismatch as error:
        hint = describe_sizes(config.name_of(column), config.every_name)
        place = f"{where}; {hint}" if hint else where
        raise DimensionMismatch(error.expected, error.received, place) from None
    except InvalidVector as error:
        raise InvalidVector(f"{where}: {error}") from None
