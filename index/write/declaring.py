"""Changes of what a collection declares, each a job of its writer: stored, then in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from palimpsest.index.config.collection import AT, CollectionConfig
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.errors import InvalidConfig, InvalidInput, UnknownVectorName
from palimpsest.index.remedies import DropVersion
from palimpsest.index.write.changes import Changes, apply
from palimpsest.index.write.writer import Writer

Declare: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Leftovers(NamedTuple):
    """Columns that are gone, and the names of folders that are of no use any more."""

    columns: list[int]
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


def add_vector(writer: Writer, name: str, vector: ColumnConfig, declared: Declare) -> None:
    """Declare a further vector name. Raises InvalidConfig when there is one."""

    def add() -> None:
        config = writer.config
        if config.find(name) is not None:
            raise InvalidConfig(f"Vector {name!r} is declared already")
        changed = config.with_column(name, vector)
        put_config(writer, replace(changed, declared=declared(config.declared)))

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
        versions = [n for n, one in config.version_columns.items() if one.vector == name]
        changed = replace(
            config.without_columns([config.number(name), *versions]),
            versions=tuple(one for one in config.versions if one.vector != name),
            declared=declared(config.declared),
        )
        return put_config(writer, changed)

    return writer.call(drop).result()


def put_config(writer: Writer, config: CollectionConfig) -> Leftovers:
    """Store a config and go on with it; a job.

    What of the store belongs to columns that are gone is deleted.

    Returns:
        The folders that nothing refers to any more.
    """
    view = writer.view
    gone = [column for column in view.vectors if column not in config.spaces]
    segments = [part.segment.name for column in gone for part in view.vectors[column].sealed]
    adapters = [
        entry.folder
        for entry in writer.store.adapters.entries()
        if {entry.rows, entry.queries} & set(gone)
    ]
    declared = apply(view, Changes(view.seq, config=config))  # before: it may find no memory
    with writer.store.transaction(frees=bool(gone)):
        if gone:  # with them go rows that tell when their points were written
            writer.store.seqs.fold(view.seqs, view.live.max() + 1 if view.live else 0)
        for column in gone:
            writer.store.remove_vector(column)
        writer.store.put_config(config.to_json())
    # nothing from the commit on can fail
    kept = {pair: one for pair, one in writer.fitted.items() if not set(pair) & set(gone)}
    writer.declare(config, kept)
    writer.publish(declared)
    return Leftovers(gone, segments, adapters)


def _spaces(vectors: Mapping[str, ColumnConfig]) -> dict[str, object]:
    return {name: one.fixed for name, one in vectors.items()}
