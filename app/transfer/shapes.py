"""What kinds of vectors a source holds and a collection takes, and whether they fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from palimpsest.app.transfer.errors import TransferError, WrongUse

# As people call them, and as libraries do whose files are read here.
DISTANCES = {
    "cosine": "Cosine",
    "dot": "Dot",
    "ip": "Dot",
    "euclid": "Euclid",
    "l2": "Euclid",
    "manhattan": "Manhattan",
}


@dataclass(frozen=True, slots=True)
class Dense:
    """Vectors of one size."""

    size: int

    def __str__(self) -> str:
        return f"vectors of {self.size} dimensions"


@dataclass(frozen=True, slots=True)
class Sets:
    """Sets of vectors of one size."""

    size: int

    def __str__(self) -> str:
        return f"sets of vectors of {self.size} dimensions"


@dataclass(frozen=True, slots=True)
class Sparse:
    """Sparse vectors."""

    def __str__(self) -> str:
        return "sparse vectors"


Shape: TypeAlias = Mapping[str, Dense | Sets | Sparse]  # by vector name


def shape_of(config: Mapping[str, Any]) -> Shape:
    """Return what a collection takes, by the ``config`` that ``GET`` tells of it."""
    params = config["params"]
    dense = params.get("vectors") or {}
    if "size" in dense and not isinstance(dense["size"], dict):
        dense = {"": dense}
    shape: dict[str, Dense | Sets | Sparse] = {
        name: (Sets if one.get("multivector_config") else Dense)(one["size"])
        for name, one in dense.items()
    }
    shape.update(dict.fromkeys(params.get("sparse_vectors") or {}, Sparse()))
    return shape


def require_fit(shape: Shape, taken: Shape, collection: str) -> None:
    """Check that a collection takes what a source holds. Raises TransferError."""
    for name, held in shape.items():
        if taken.get(name) != held:
            expected = " and ".join(f"{_called(each)}: {one}" for each, one in taken.items())
            raise TransferError(
                f"the source does not fit collection {collection!r}: it has {_called(name)}: "
                f"{held}; expected {expected or 'no vectors'}; --vector COLUMN=NAME says which "
                "vector a column is"
            )


def read_distance(text: str) -> str:
    """Return the server's word for a distance. Raises WrongUse."""
    try:
        return DISTANCES[text.lower()]
    except KeyError:
        raise WrongUse(f"--distance: expected {', '.join(DISTANCES)}, got {text}") from None


def declaration(shape: Shape, distance: str | None) -> dict[str, Any]:
    """Return the body that creates a collection for what a source holds. Raises WrongUse."""
    dense: dict[str, Any] = {}
    for name, one in shape.items():
        if isinstance(one, Sparse):
            continue
        if distance is None:
            raise WrongUse(
                f"--create: the distance of {_called(name)} is needed: --distance "
                f"{' or '.join(sorted({*DISTANCES.values()}))}"
            )
        dense[name] = {"size": one.size, "distance": distance}
        if isinstance(one, Sets):
            dense[name]["multivector_config"] = {"comparator": "max_sim"}
    sparse: dict[str, Any] = {name: {} for name, one in shape.items() if isinstance(one, Sparse)}
    body: dict[str, Any] = {"vectors": dense[""] if [*dense] == [""] else dense}
    return {**body, "sparse_vectors": sparse} if sparse else body


def _called(name: str) -> str:
    return f"vector {name!r}" if name else "the unnamed vector"
