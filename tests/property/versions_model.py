"""What a collection with versions must hold and find, as dicts and sets: no slots, no bitmaps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from palimpsest.index.types import Vector

SIZES = {"v1": 6, "v2": 8, "v3": 5}


@dataclass
class Point:
    """A payload, and vectors by version, mapped ones too."""

    payload: bytes | None
    vectors: dict[str, Vector] = field(default_factory=dict)


@dataclass
class Model:
    """Versions by name with their states; ``mapped`` are those of mapped rows: (rows, queries)."""

    points: dict[int, Point] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=lambda: {"v1": "active"})
    adapters: set[tuple[str, str]] = field(default_factory=set)
    mapped: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def active(self) -> str:
        return next(version for version, state in self.states.items() if state == "active")

    @property
    def embedded(self) -> list[str]:
        """The declared versions of embedding models."""
        return [version for version in self.states if version not in self.mapped]

    def size(self, version: str) -> int:
        return SIZES[self.mapped[version][1] if version in self.mapped else version]

    def holding(self, version: str) -> list[int]:
        return [one for one, point in self.points.items() if version in point.vectors]

    # Writes.

    def upsert(self, one: int, payload: bytes | None, version: str, vector: Vector) -> None:
        """A point that keeps its payload, not one without, keeps its vectors of other versions."""
        old = self.points.get(one)
        same = old is not None and payload is not None and old.payload == payload
        self.points[one] = Point(payload, dict(old.vectors) if old is not None and same else {})
        self.put(one, version, vector)

    def put(self, one: int, version: str, vector: Vector) -> None:
        """What was mapped from an older vector goes with it."""
        self.take(one, version)
        self.points[one].vectors[version] = vector

    def take(self, one: int, version: str) -> None:
        vectors = self.points[one].vectors
        vectors.pop(version, None)
        for name, (rows, _) in self.mapped.items():
            if rows == version:
                vectors.pop(name, None)

    def only_in(self, rows: str, queries: str) -> list[int]:
        """Return the points that a consolidation has to map."""
        known = {queries, mapped_name(rows, queries)}
        return [one for one in self.holding(rows) if not known & self.points[one].vectors.keys()]

    def consolidate(self, rows: str, queries: str, vectors: Mapping[int, Vector]) -> None:
        name = mapped_name(rows, queries)
        self.mapped[name] = rows, queries
        self.states[name] = "serving"
        self.adapters.add((name, queries))
        for one, vector in vectors.items():
            self.points[one].vectors[name] = vector

    # Versions.

    def activate(self, version: str) -> None:
        if version != self.active:
            self.states[self.active] = "serving"
            self.states[version] = "active"

    def drop(self, version: str) -> None:
        gone = self._going(version)
        self.adapters = {ends for ends in self.adapters if not gone & {*ends}}
        for name in gone:
            del self.states[name]
            self.mapped.pop(name, None)
            for point in self.points.values():
                point.vectors.pop(name, None)

    def is_refused(self, version: str, force: bool) -> bool:
        """Tell whether retiring or dropping a version would leave points that nothing finds."""
        if version == self.active:
            return True
        going = self._going(version)
        staying = {
            name
            for name, state in self.states.items()
            if name not in going and "retired" not in (state, self._queries_state(name))
        }
        held = (self.points[one].vectors.keys() for name in going for one in self.holding(name))
        return not force and any(not staying & vectors for vectors in held)

    def _queries_state(self, version: str) -> str:
        queries = self.mapped[version][1] if version in self.mapped else version
        return self.states[queries]

    def _going(self, version: str) -> set[str]:
        return {version} | {name for name, (_, q) in self.mapped.items() if q == version}

    # Searches of all versions.

    def reachable(self, version: str) -> set[int]:
        """Return the points that queries of a version find."""
        return self.found_in([version, *self.open_to(version)])

    def open_to(self, version: str) -> list[str]:
        """Return the versions that an adapter leads queries of a version to."""
        return [
            rows
            for rows, queries in self.adapters
            if queries == version and self.states[rows] != "retired"
        ]

    def out_of_reach(self, version: str) -> set[int]:
        """Return the points that belong to the corpus and cannot be found."""
        return self._corpus(version, without=("retired",)) - self.reachable(version)

    def lost_by(self, version: str) -> set[int]:
        """Return what an activation is refused for: points that queries of others have found."""
        return self._corpus(version, without=("retired", "shadow")) - self.reachable(version)

    def _corpus(self, version: str, without: Collection[str]) -> set[int]:
        return self.found_in(
            name
            for name, state in self.states.items()
            if state not in without and self.mapped.get(name, ("", version))[1] == version
        )

    def found_in(self, versions: Iterable[str]) -> set[int]:
        return {one for name in versions for one in self.holding(name)}


def mapped_name(rows: str, queries: str) -> str:
    return f"{rows}-in-{queries}"
