"""The plain twin of the table of names: each column is kept under a key that every change moves.

Keys are what the columns are called, so an activation finds out what every key has become, and
moves vectors and columns there. Slow and roundabout, and it looks at one name at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from palimpsest.index.config.collection import VersionConfig
from palimpsest.index.config.vectors import SparseConfig, VectorConfig

Space = VectorConfig | SparseConfig


@dataclass(frozen=True)
class KeyedNames:
    """Spaces by key, the key of each column by its number, and the versions there are."""

    vectors: Mapping[str, Space]
    columns: tuple[str | None, ...]
    versions: tuple[VersionConfig, ...] = field(default=())
    shown: str | None = None

    @classmethod
    def of(cls, vectors: Mapping[str, Space]) -> KeyedNames:
        return cls(vectors, tuple(vectors))

    # What names mean.

    def find(self, name: str) -> Space | None:
        return self.vectors.get(name) or self.vectors.get(self.aliases().get(name, name))

    def number(self, name: str) -> int | None:
        own = name if name in self.vectors else self.aliases().get(name)
        return None if own is None else self.columns.index(own)

    def names(self) -> list[str]:
        versions = {self.key_of(one) for one in self.versions} - self._versioned()
        return [name for name in self.vectors if name not in versions]

    def aliases(self) -> dict[str, str]:
        known = {f"{name}@v1": name for name in self.names() if self._is_plain(name)}
        known |= {
            f"{one.vector}@{one.version}": one.vector
            for one in self.versions
            if f"{one.vector}@{one.version}" not in self.vectors
        }
        return {alias: name for alias, name in known.items() if alias not in self.vectors}

    def versions_of(self, vector: str) -> list[VersionConfig]:
        if vector in self._versioned():
            return [one for one in self.versions if one.vector == vector]
        return [VersionConfig(vector, "v1", "active")] if self._is_plain(vector) else []

    def key_of(self, one: VersionConfig) -> str:
        return one.vector if one == self._shown(one.vector) else f"{one.vector}@{one.version}"

    def _shown(self, vector: str) -> VersionConfig:
        versions = self.versions_of(vector)
        shown = [one for one in versions if one.version == self.shown]
        return shown[0] if shown else next(one for one in versions if one.state == "active")

    def _versioned(self) -> set[str]:
        return {one.vector for one in self.versions}

    def _is_plain(self, name: str) -> bool:
        dense = isinstance(self.vectors.get(name), VectorConfig)
        return dense and name in self.names() and name not in self._versioned()

    # What changes make of them.

    def added(self, name: str, space: Space) -> KeyedNames:
        return replace(self, vectors={**self.vectors, name: space}, columns=(*self.columns, name))

    def dropped(self, name: str) -> KeyedNames:
        gone = {name, *(self.key_of(one) for one in self.versions if one.vector == name)}
        kept = tuple(one for one in self.versions if one.vector != name)
        return replace(self._without(gone), versions=kept)

    def declared(self, new: VersionConfig, space: VectorConfig) -> KeyedNames:
        others = tuple(one for one in self.versions if one.vector != new.vector)
        versions = (*others, *self.versions_of(new.vector), new)
        return replace(self.added(f"{new.vector}@{new.version}", space), versions=versions)

    def version_dropped(self, vector: str, version: str) -> KeyedNames:
        gone = next(one for one in self.versions_of(vector) if one.version == version)
        kept = tuple(one for one in self.versions if one != gone)
        return replace(self._without({self.key_of(gone)}), versions=kept)

    def activated(self, vector: str, version: str) -> KeyedNames:
        others = tuple(one for one in self.versions if one.vector != vector)
        changed = [_activated(one, version) for one in self.versions_of(vector)]
        return self._rekeyed(replace(self, versions=(*others, *changed)))

    def showing(self, version: str) -> KeyedNames:
        return self._rekeyed(replace(self, shown=version))

    def _without(self, gone: set[str]) -> KeyedNames:
        vectors = {name: one for name, one in self.vectors.items() if name not in gone}
        columns = tuple(None if name in gone else name for name in self.columns)
        return replace(self, vectors=vectors, columns=columns)

    def _rekeyed(self, changed: KeyedNames) -> KeyedNames:
        known = {(one.vector, one.version): one for one in changed.versions}
        keys = {
            self.key_of(one): changed.key_of(known[one.vector, one.version])
            for one in self.versions
        }
        vectors = {keys.get(name, name): one for name, one in changed.vectors.items()}
        columns = tuple(None if c is None else keys.get(c, c) for c in changed.columns)
        return replace(changed, vectors=vectors, columns=columns)


def _activated(one: VersionConfig, version: str) -> VersionConfig:
    if one.version == version:
        return replace(one, state="active")
    return replace(one, state="serving") if one.state == "active" else one
