"""What is declared of a vector name, whatever its kind, and which kind a stored one is of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from palimpsest.index.errors import InvalidConfig
from palimpsest.index.types import Distance

SPARSE = "sparse"  # the key that told the second kind before kinds were named


class ColumnConfig(Protocol):
    """How the vectors of one name are compared and kept; a value that never changes."""

    @property
    def kind(self) -> str:
        """The name of its kind (``index.kinds``)."""

    @property
    def distance(self) -> Distance:
        """What its vectors are compared by; of a similarity, how its scores are negated."""

    @property
    def fixed(self) -> object:
        """What of it stays as it was declared, since stored rows depend on it."""

    @property
    def space(self) -> object:
        """What makes two declarations of a name different ones."""

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored; under ``kind`` the kind, but of the first two."""


# From what is stored of a vector, its name, and what the caller declared of the collection.
FromJson: TypeAlias = Callable[[Mapping[str, Any], str, Mapping[str, Any]], ColumnConfig]

_readers: dict[str, FromJson] = {}


def know(kind: str, reader: FromJson) -> None:
    """Have stored configs of a kind read by a function."""
    _readers[kind] = reader


def from_json(stored: Mapping[str, Any], name: str, declared: Mapping[str, Any]) -> ColumnConfig:
    """Return what is stored of a vector name. Raises InvalidConfig for a kind that is not known."""
    kind = SPARSE if stored.get(SPARSE) else stored.get("kind", "dense")
    reader = _readers.get(kind)
    if reader is None:
        known = ", ".join(sorted(_readers))
        raise InvalidConfig(f"kind of vector {name!r}: expected one of {known}, got {kind!r}")
    return reader(stored, name, declared)
