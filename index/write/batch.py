"""Checks a write as a whole, before anything of it is written, and brings it into stored form.

All its names are resolved here, by one config: from here on columns are told by their numbers, and
what is active by the time the write is carried out does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.errors import InvalidInput, InvalidVector, UnknownVectorName
from palimpsest.index.filters.expression import Filter
from palimpsest.index.filters.walk import with_columns
from palimpsest.index.kinds.kind import Named, Whose
from palimpsest.index.kinds.registry import AnyKind, kind_of
from palimpsest.index.segments.growing_part import Values
from palimpsest.index.storage.ids import Ids, Key, check_ids, keys_of, pack_ids
from palimpsest.index.types import PointId

Selection: TypeAlias = Sequence[PointId] | Filter  # whose points a write is about
UpdateMode: TypeAlias = Literal["upsert", "insert_only", "update_only"]


@dataclass(frozen=True, slots=True)
class PointBatch:
    """Points to write, column by column. A payload is the text of a JSON object, or None."""

    ids: Sequence[PointId]
    vectors: Mapping[str, Named]
    payloads: Sequence[bytes | None]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The vectors of one name; ``positions`` are places in the batch, ascending.

    ``number`` is the name's own in stored points, and another one once it is dropped and added.
    """

    name: str
    number: int
    positions: NDArray[np.int64]
    values: Values
    kind: AnyKind

    def at(self, places: NDArray[np.integer[Any]], positions: NDArray[np.int64]) -> Column:
        """Return the vectors at some places, as those of other positions."""
        return replace(self, positions=positions, values=self.values[places])

    def to_bytes(self) -> bytes | memoryview:
        """Return the vectors as they are staged."""
        return self.kind.to_bytes(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Upsert:
    """A checked batch: each id once, vectors as they are stored.

    Points that exist are left alone by ``insert_only`` and where they fail ``condition``; points
    that do not are by ``update_only``.
    """

    ids: Ids
    keys: Sequence[Key]
    payloads: Sequence[bytes | None]
    columns: Sequence[Column]
    mode: UpdateMode = "upsert"
    condition: Filter | None = None

    def only(self, kept: NDArray[np.int64]) -> Upsert:
        """Return the points at the kept places (ascending) and their vectors."""
        columns = [_only(column, kept) for column in self.columns]
        return replace(
            self,
            ids=self.ids[kept],
            keys=[self.keys[place] for place in kept],
            payloads=[self.payloads[place] for place in kept],
            columns=[column for column in columns if len(column.positions)],
        )


@dataclass(frozen=True, slots=True, eq=False)
class VectorUpdate:
    """Vectors for points that exist; their other vectors and payloads stay."""

    ids: Ids
    keys: Sequence[Key]
    columns: Sequence[Column]
    condition: Filter | None = None


def check_upsert(
    batch: PointBatch,
    config: CollectionConfig,
    mode: UpdateMode = "upsert",
    condition: Filter | None = None,
) -> Upsert:
    """Return the batch as it will be stored.

    Of points with one id the last wins; under ``insert_only`` the first.

    Raises:
        InvalidInput: one of its subclasses; the text names the point.
    """
    if len(batch.ids) == 0:
        raise InvalidVector("Empty batch: expected at least one point")
    if len(batch.payloads) != len(batch.ids):
        raise InvalidInput(
            f"Expected one payload or None per point: {len(batch.ids)}, got {len(batch.payloads)}"
        )
    check_ids(batch.ids)
    ids = batch.ids
    columns, passed = _check_columns(batch, config), _resolved(condition, config)
    write = Upsert(pack_ids(ids), keys_of(ids), batch.payloads, columns, mode, passed)
    places = range(len(ids))
    # Of a dictionary the last of equal keys wins: read backwards that is the first of the batch.
    chosen = dict(zip(reversed(ids), reversed(places), strict=True))
    if mode != "insert_only":
        chosen = dict(zip(ids, places, strict=True))
    if len(chosen) < len(ids):
        write = write.only(np.array(sorted(chosen.values()), dtype=np.int64))
    return write


def check_vector_update(
    batch: PointBatch, config: CollectionConfig, condition: Filter | None = None
) -> VectorUpdate:
    """Return the vectors as they will be stored; of those of one point and name the last wins.

    Raises:
        InvalidInput: one of its subclasses; the text names the point.
    """
    if len(batch.ids) == 0:
        raise InvalidVector("Empty batch: expected at least one point")
    check_ids(batch.ids)
    ids = list(dict.fromkeys(batch.ids))
    columns = _check_columns(batch, config)
    if len(ids) < len(batch.ids):
        place_of = {one: place for place, one in enumerate(ids)}
        targets = np.array([place_of[one] for one in batch.ids], dtype=np.int64)
        columns = [_last_of_each(column, targets) for column in columns]
    return VectorUpdate(pack_ids(ids), keys_of(ids), columns, _resolved(condition, config))


def _resolved(condition: Filter | None, config: CollectionConfig) -> Filter | None:
    return None if condition is None else with_columns(condition, config.numbers)


def check_whose(selection: Selection, config: CollectionConfig) -> Sequence[Key] | Filter:
    """Return what a selection of points is stored by, each id once. Raises InvalidId."""
    if isinstance(selection, Filter):
        return with_columns(selection, config.numbers)
    check_ids(selection)
    return keys_of(dict.fromkeys(selection))


def check_deleted(names: Sequence[str], config: CollectionConfig) -> dict[str, int]:
    """Return the columns that deleted vectors are in: those of all versions of a bare name.

    Under the names of one version the bare name is that version's alone. Raises UnknownVectorName.
    """
    columns = set[int]()
    for name in names:
        versions = {n: one for n, one in config.version_columns.items() if one.vector == name}
        alone = any(one.version == config.shown for one in versions.values())
        columns.update(versions if versions and not alone else [config.number(name)])
    return {config.name_of(column): column for column in columns}


def _check_columns(batch: PointBatch, config: CollectionConfig) -> list[Column]:
    return [
        _check_column(name, vectors, batch.ids, config)
        for name, vectors in batch.vectors.items()
        # A name without any vector in the batch needs no column, nor is it asked whether it is
        # declared.
        if len(vectors.positions)
    ]


def _last_of_each(column: Column, targets: NDArray[np.int64]) -> Column:
    """Return the column for points numbered by ``targets``, which may name one twice."""
    own = targets[column.positions]
    positions, first_from_behind = np.unique(own[::-1], return_index=True)
    return column.at(len(own) - 1 - first_from_behind, positions)


def _check_column(
    name: str,
    vectors: Named,
    ids: Sequence[PointId],
    declared: CollectionConfig,
) -> Column:
    config = declared.find(name)
    if config is None:
        raise UnknownVectorName(name, list(declared.vectors))
    number = declared.number(name)
    if number in declared.mapped_numbers:
        raise InvalidInput(
            f"Vectors of {name!r} are mapped from those of another version and cannot be written: "
            "write vectors of a version that a model made, or consolidate again"
        )
    if vectors.kind != config.kind:
        raise InvalidVector(
            f"Vectors of {name!r}: expected {config.kind} ones, got {vectors.kind} ones"
        )
    kind = kind_of(config)
    values = kind.check(vectors, Whose(name, ids, declared), config)
    # A copy: the batch stays its caller's own, and the write is carried out later, by another
    # thread.
    return Column(name, number, vectors.positions.copy(), values, kind)


def _only(column: Column, kept: NDArray[np.int64]) -> Column:
    """Keep the vectors of the kept points, and number those points anew."""
    chosen = np.isin(column.positions, kept)
    positions = np.searchsorted(kept, column.positions[chosen])
    return column.at(np.flatnonzero(chosen), positions)
