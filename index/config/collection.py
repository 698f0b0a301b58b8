"""What a collection declares: its vector names, their versions, and the columns these are kept in.

A config never changes; ``index.config.versions`` makes the next one from it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar

from palimpsest.index.config.kinds import ColumnConfig, from_json
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import MaintenanceConfig, VectorConfig
from palimpsest.index.errors import UnknownVectorName

State: TypeAlias = Literal["shadow", "active", "serving", "retired"]

FIRST_VERSION = "v1"  # what a vector name's vectors are until a second version is declared
_Key = TypeVar("_Key", str, int)  # a name, or a column
SpaceConfig: TypeAlias = VectorConfig | MultiConfig  # of an embedding model: what has versions
AT = "@"  # between the name of a vector, or a collection, and a version


@dataclass(frozen=True, slots=True)
class VersionConfig:
    """One embedding model of a vector name.

    States: ``shadow``, declared and never active; ``active``, what the bare name means;
    ``serving``, once active, whose rows still belong to the corpus; ``retired``, searched only by
    queries of its own. ``declared`` is the caller's description of its space, given back as it is.
    Rows of a version with ``mapped`` were made from rows of another one (its first) for queries of
    a third (its second).
    """

    vector: str
    version: str
    state: State
    model: str | None = None
    declared: Mapping[str, Any] = field(default_factory=dict)
    mapped: tuple[str, str] | None = None


@dataclass(frozen=True)
class CollectionConfig:
    """A collection's vectors by name ("" is the unnamed one) and its upkeep.

    ``declared`` is the caller's own description of the collection, kept and given back as it is.
    ``columns`` say what each column is called here, by its number, which is its key everywhere
    else; None stands for one that was dropped, whose number is not used again. ``versions`` are
    those of the vector names that have several, in the order they were declared: the one shown (the
    active one, unless ``shown`` says otherwise) is under the bare name, any other under
    ``name@version``. So an activation changes this table, and nothing that is kept by number.
    """

    vectors: Mapping[str, ColumnConfig]
    maintenance: MaintenanceConfig = field(default_factory=MaintenanceConfig)
    declared: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str | None, ...] = ()
    versions: tuple[VersionConfig, ...] = ()
    shown: str | None = None

    def __post_init__(self) -> None:
        if not self.columns:
            object.__setattr__(self, "columns", tuple(self.vectors))

    @cached_property
    def dense(self) -> dict[str, VectorConfig]:
        """The dense vectors by name, versions included."""
        return dense_among(self.vectors)

    @cached_property
    def embedded(self) -> dict[str, SpaceConfig]:
        """What embedding models make, by name: one vector a point or sets, versions included."""
        return embedded_among(self.vectors)

    @cached_property
    def names(self) -> list[str]:
        """The vector names as they were declared, without ``name@version``."""
        versions = {self._called(one) for one in self.versions} - self._versioned
        return [name for name in self.vectors if name not in versions]

    @cached_property
    def every_name(self) -> dict[str, ColumnConfig]:
        """What is declared of each vector name, version and alias."""
        return {**self.vectors, **{alias: self.vectors[n] for alias, n in self.aliases.items()}}

    @cached_property
    def aliases(self) -> dict[str, str]:
        """What else each shown version is called: ``name@version``."""
        known = {f"{name}{AT}{FIRST_VERSION}": name for name in self.names if self._is_plain(name)}
        shown = {f"{one.vector}{AT}{one.version}": one.vector for one in self.versions}
        known |= {alias: name for alias, name in shown.items() if alias not in self.vectors}
        return {alias: name for alias, name in known.items() if alias not in self.vectors}

    @cached_property
    def _versioned(self) -> set[str]:
        return {one.vector for one in self.versions}

    def _is_plain(self, name: str) -> bool:
        return name in self.embedded and name in self.names and name not in self._versioned

    def versions_of(self, vector: str) -> list[VersionConfig]:
        """Return the versions of a vector name, in the order they were declared.

        Raises:
            UnknownVectorName: it is not declared, or sparse vectors are, which have no versions.
        """
        if vector in self._versioned:
            return [one for one in self.versions if one.vector == vector]
        if not self._is_plain(vector):
            raise UnknownVectorName(vector, [name for name in self.names if name in self.embedded])
        return [VersionConfig(vector, FIRST_VERSION, "active")]

    def shown_version(self, vector: str) -> VersionConfig:
        """Return the version that the bare name means. Raises UnknownVectorName."""
        versions = self.versions_of(vector)
        shown = [one for one in versions if one.version == self.shown]
        return shown[0] if shown else next(one for one in versions if one.state == "active")

    def column_of(self, one: VersionConfig) -> int:
        """Return the column of a declared version."""
        return self.number(self._called(one))

    def _called(self, one: VersionConfig) -> str:
        if one == self.shown_version(one.vector):
            return one.vector
        return _full_name(one)

    @cached_property
    def spaces(self) -> dict[int, ColumnConfig]:
        """What is declared of each column, by number."""
        return {
            number: self.vectors[name]
            for number, name in enumerate(self.columns)
            if name is not None
        }

    @cached_property
    def dense_spaces(self) -> dict[int, VectorConfig]:
        """What is declared of each column of dense vectors, by number."""
        return dense_among(self.spaces)

    @cached_property
    def embedded_spaces(self) -> dict[int, SpaceConfig]:
        """What is declared of each column that embedding models make, by number."""
        return embedded_among(self.spaces)

    @cached_property
    def version_columns(self) -> dict[int, VersionConfig]:
        """The versions that are written down, by column."""
        return {self.column_of(one): one for one in self.versions}

    @cached_property
    def other_versions(self) -> dict[int, tuple[int, ...]]:
        """The columns of the other versions of a vector, by the column of each."""
        return {
            number: tuple(
                other
                for other, its in self.version_columns.items()
                if its.vector == one.vector and other != number
            )
            for number, one in self.version_columns.items()
        }

    @cached_property
    def mapped_columns(self) -> dict[int, tuple[int, ...]]:
        """The columns of the versions mapped from a version, by the column of each."""
        found: dict[int, tuple[int, ...]] = {}
        for column, one in self.version_columns.items():
            source = None if one.mapped is None else one.mapped[0]
            for other in self.versions_of(one.vector):
                if other.version == source:
                    number = self.column_of(other)
                    found[number] = (*found.get(number, ()), column)
        return found

    @cached_property
    def mapped_numbers(self) -> frozenset[int]:
        """The columns of the versions whose rows are mapped ones."""
        return frozenset(n for n, one in self.version_columns.items() if one.mapped is not None)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The column that each name means: vector names, ``name@version``, in one table."""
        own = {name: number for number, name in enumerate(self.columns) if name is not None}
        return {alias: own[name] for alias, name in self.aliases.items()} | own

    def find(self, name: str) -> ColumnConfig | None:
        """Return what is declared of a vector name, or of ``name@version``."""
        number = self.numbers.get(name)
        return None if number is None else self.spaces[number]

    def number(self, name: str) -> int:
        """Return the column of a vector name or of ``name@version``. Raises UnknownVectorName."""
        number = self.numbers.get(name)
        if number is None:
            raise UnknownVectorName(name, list(self.vectors))
        return number

    def name_of(self, column: int) -> str:
        """Return what a column is called. Raises UnknownVectorName when it was dropped."""
        name = self.columns[column] if column < len(self.columns) else None
        if name is None:
            raise UnknownVectorName(f"of column {column}", list(self.vectors))
        return name

    def with_column(self, name: str, space: ColumnConfig) -> CollectionConfig:
        """Return the config with a further column, under a name that no other has."""
        vectors = {**self.vectors, name: space}
        return replace(self, vectors=vectors, columns=(*self.columns, name))

    def without_columns(self, gone: Collection[int]) -> CollectionConfig:
        """Return the config without columns, whose numbers are not used again."""
        columns = tuple(None if n in gone else name for n, name in enumerate(self.columns))
        vectors = {name: one for name, one in self.vectors.items() if name in columns}
        return replace(self, vectors=vectors, columns=columns)

    def names_showing(self, one: VersionConfig) -> dict[int, str]:
        """Return what changes in the table of names for a bare name to mean a version."""
        before = self.shown_version(one.vector)
        names = {self.column_of(before): _full_name(before)}
        return names | {self.column_of(one): one.vector}

    def renamed(self, names: Mapping[int, str]) -> CollectionConfig:
        """Return the config with other names for some columns."""
        new = {one: names.get(n, one) for n, one in enumerate(self.columns) if one is not None}
        return replace(
            self,
            vectors={new[name]: one for name, one in self.vectors.items()},
            columns=tuple(None if name is None else new[name] for name in self.columns),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the settings as they are stored."""
        return {
            "vectors": {name: v.to_json() for name, v in self.vectors.items()},
            "columns": list(self.columns),
            "maintenance": asdict(self.maintenance),
            "declared": dict(self.declared),
            "versions": [asdict(one) for one in self.versions],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> CollectionConfig:
        """Return stored settings."""
        return cls(
            vectors={
                name: from_json(v, name, stored["declared"])
                for name, v in stored["vectors"].items()
            },
            maintenance=MaintenanceConfig(**stored["maintenance"]),
            declared=stored["declared"],
            columns=tuple(stored.get("columns", ())),  # absent before names could be dropped
            versions=tuple(_version_from_json(one) for one in stored.get("versions", ())),
        )


def _full_name(one: VersionConfig) -> str:
    return f"{one.vector}{AT}{one.version}"


def dense_among(vectors: Mapping[_Key, ColumnConfig]) -> dict[_Key, VectorConfig]:
    """Return the dense vectors by key."""
    return {key: one for key, one in vectors.items() if isinstance(one, VectorConfig)}


def embedded_among(vectors: Mapping[_Key, ColumnConfig]) -> dict[_Key, SpaceConfig]:
    """Return what can have versions, and adapters between them, by key: all but sparse vectors."""
    return {key: one for key, one in vectors.items() if isinstance(one, SpaceConfig)}


def describe_sizes(name: str, vectors: Mapping[str, ColumnConfig]) -> str:
    """Return the versions of a vector name and their sizes, as a text; empty without versions."""
    base = name.rpartition(AT)[0] if name not in vectors or AT in name else name
    sizes = {
        other: one.size
        for other, one in embedded_among(vectors).items()
        if other.startswith(f"{base}{AT}")
    }
    if len(sizes) < 2:
        return ""
    listed = ", ".join(f"{other!r} has {size}" for other, size in sorted(sizes.items()))
    return f"of the versions {listed} dimensions: name the one it is meant for"


def _version_from_json(stored: Mapping[str, Any]) -> VersionConfig:
    mapped = stored["mapped"]
    return VersionConfig(**{**stored, "mapped": None if mapped is None else tuple(mapped)})
