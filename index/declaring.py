"""Changes of what a collection declares, each a job of its writer: stored, then in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from index.config import CollectionConfig, SparseConfig, VectorConfig
from index.errors import InvalidConfig, UnknownVectorName
from index.view import VectorView
from index.writer import Writer

Declare: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def reconfigure(writer: Writer, config: CollectionConfig) -> None:
    """Change everything but vector names, sizes and distances. Raises InvalidConfig."""

    def change() -> None:
        before, after = _spaces(writer.config), _spaces(config)
        if before != after:
            raise InvalidConfig(f"vectors: expected the same sizes and distances, got {after}")
        _put(writer, replace(config, columns=writer.config.columns))

    writer.call(change).result()


def add_vector(
    writer: Writer, name: str, vector: VectorConfig | SparseConfig, declared: Declare
) -> None:
    """Declare a further vector name. Raises InvalidConfig when there is one."""

    def add() -> None:
        config = writer.config
        if name in config.vectors:
            raise InvalidConfig(f"Vector {name!r} is declared already")
        changed = replace(
            config,
            vectors={**config.vectors, name: vector},
            columns=(*config.columns, name),
            declared=declared(config.declared),
        )
        _put(writer, changed)

    writer.call(add).result()


def drop_vector(writer: Writer, name: str, declared: Declare) -> list[str]:
    """Forget a vector name; return its segments, whose folders are of no use any more.

    Raises:
        UnknownVectorName: it is not declared.
    """

    def drop() -> list[str]:
        config = writer.config
        if name not in config.vectors:
            raise UnknownVectorName(name, list(config.vectors))
        segments = [part.segment.name for part in writer.view.vectors[name].sealed]
        changed = replace(
            config,
            vectors={other: one for other, one in config.vectors.items() if other != name},
            columns=tuple(None if column == name else column for column in config.columns),
            declared=declared(config.declared),
        )
        _put(writer, changed)
        return segments

    return writer.call(drop).result()


def _put(writer: Writer, config: CollectionConfig) -> None:
    """Store a config and go on with it; a job."""
    old = writer.view.vectors
    vectors = {
        name: replace(old[name], config=one) if name in old else VectorView.empty(one)
        for name, one in config.vectors.items()
    }
    gone = [writer.config.number(name) for name in old if name not in config.vectors]
    with writer.store.transaction():
        for number in gone:
            writer.store.remove_vector(number)
        writer.store.put_config(config.to_json())
    writer.declare(config)  # nothing from the commit on can fail
    writer.publish(replace(writer.view, vectors=vectors))


def _spaces(config: CollectionConfig) -> dict[str, object]:
    return {
        name: (v.size, v.distance) if isinstance(v, VectorConfig) else "sparse"
        for name, v in config.vectors.items()
    }
