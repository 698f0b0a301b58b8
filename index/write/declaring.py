"""Changes of what a collection declares, each a job of its writer: stored, then in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from palimpsest.index.config.collection import AT, CollectionConfig
from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.errors import InvalidConfig, InvalidInput, UnknownVectorName
from palimpsest.index.remedies import DropVersion
from palimpsest.index.view.view import VectorView
from palimpsest.index.write.writer import Writer

Declare: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Leftovers(NamedTuple):
    """Names of folders that are of no use any more."""

    segments: list[str]
    adapters: list[str]


def reconfigure(writer: Writer, config: CollectionConfig) -> None:
    """Change everything but vector names, sizes, distances and versions. Raises InvalidConfig."""

    def change() -> None:
        old = writer.config
        versions = old.vectors.keys() - set(old.names)
        vectors = {name: one for name, one in config.vectors.items() if name not in versions}
        before, after = _spaces({name: old.vectors[name] for name in old.names}), _spaces(vectors)
        if before != after:
            raise InvalidConfig(f"vectors: expected the same sizes and distances, got {after}")
        changed = replace(
            old,
            vectors={**old.vectors, **vectors},
            maintenance=config.maintenance,
            declared=config.declared,
        )
        put_config(writer, changed)

    writer.call(change).result()


def add_vector(
    writer: Writer, name: str, vector: VectorConfig | SparseConfig, declared: Declare
) -> None:
    """Declare a further vector name. Raises InvalidConfig when there is one."""

    def add() -> None:
        config = writer.config
        if config.find(name) is not None:
            raise InvalidConfig(f"Vector {name!r} is declared already")
        changed = replace(
            config,
            vectors={**config.vectors, name: vector},
            columns=(*config.columns, name),
            declared=declared(config.declared),
        )
        put_config(writer, changed)

    writer.call(add).result()


def drop_vector(writer: Writer, name: str, declared: Declare) -> Leftovers:
    """Forget a vector name, all versions of it; return what is left of them on disk.

    Raises:
        UnknownVectorName: it is not declared.
        InvalidInput: it is a version of a vector name.
    """

    def drop() -> Leftovers:
        config = writer.config
        if name not in config.names:
            if config.find(name) is not None:
                vector, _, version = name.rpartition(AT)
                raise InvalidInput(
                    f"{name!r} is a version of a vector", DropVersion(vector, version)
                )
            raise UnknownVectorName(name, config.names)
        gone = {name, *(config.column_of(one) for one in config.versions if one.vector == name)}
        changed = replace(
            config,
            vectors={other: one for other, one in config.vectors.items() if other not in gone},
            columns=tuple(None if column in gone else column for column in config.columns),
            versions=tuple(one for one in config.versions if one.vector != name),
            declared=declared(config.declared),
        )
        return put_config(writer, changed)

    return writer.call(drop).result()


def put_config(writer: Writer, config: CollectionConfig) -> Leftovers:
    """Store a config and go on with it; a job.

    A vector is told by its number, so its key may have changed; what of the store belongs to
    numbers that are gone is deleted.

    Returns:
        The folders that nothing refers to any more.
    """
    old, view = writer.config, writer.view
    gone = [
        number
        for number, name in enumerate(old.columns)
        if name is not None and config.columns[number] is None
    ]
    vectors = {}
    for number, name in enumerate(config.columns):
        if name is not None:
            was = old.columns[number] if number < len(old.columns) else None
            one = config.vectors[name]
            vectors[name] = (
                VectorView.empty(one) if was is None else replace(view.vectors[was], config=one)
            )
    segments = [
        part.segment.name
        for number in gone
        for part in view.vectors[old.columns[number] or ""].sealed
    ]
    adapters = [
        entry.folder
        for entry in writer.store.adapters.entries()
        if {entry.rows, entry.queries} & set(gone)
    ]
    with writer.store.transaction(frees=bool(gone)):
        if gone:  # with them go rows that tell when their points were written
            writer.store.seqs.fold(view.seqs, view.live.max() + 1 if view.live else 0)
        for number in gone:
            writer.store.remove_vector(number)
        writer.store.put_config(config.to_json())
    # nothing from the commit on can fail
    kept = {pair: one for pair, one in writer.fitted.items() if not set(pair) & set(gone)}
    writer.declare(config, kept)
    writer.publish(replace(view, vectors=vectors))
    return Leftovers(segments, adapters)


def _spaces(vectors: Mapping[str, VectorConfig | SparseConfig]) -> dict[str, object]:
    return {
        name: (v.size, v.distance) if isinstance(v, VectorConfig) else "sparse"
        for name, v in vectors.items()
    }
