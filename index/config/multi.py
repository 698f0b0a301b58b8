"""How the sets of vectors of a name are compared, kept and found: late interaction, by MaxSim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from palimpsest.index.config.fde import PRESETS, FdeConfig
from palimpsest.index.config.vectors import (
    DEFAULT_EF_CONSTRUCTION,
    DEFAULT_M,
    Datatype,
    Encoding,
    VectorConfig,
)
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.types import Distance

MultiOriginals: TypeAlias = Literal["float32", "float16", "none"]

DEFAULT_TOKEN_BITS = 4  # keeps .974 of the exact top 10 before rescoring, 2 bits .917
TOKEN_BITS = (8, 4, 2)
DEFAULT_MAX_VECTORS, MOST_VECTORS = 4_096, 65_536
MAX_POOL = 64
SIMILARITIES = (Distance.COSINE, Distance.DOT)  # which codes of vectors and of sets estimate


@dataclass(frozen=True)
class MultiConfig:
    """One vector name whose points have sets of vectors. Raises InvalidConfig.

    Sets are compared by MaxSim: the sum, over the vectors of a query, of the best similarity to a
    vector of the set. Candidates are found by rows of one vector a set, coded by ``encoding`` and
    linked by ``M`` and ``ef_construction`` as dense ones are; the vectors themselves are coded with
    ``token_bits``, of every ``pool`` that are alike one. A set has ``max_vectors`` at most.
    """

    kind: ClassVar[str] = "multi"
    comparator: ClassVar[str] = "max_sim"

    size: int
    distance: Distance
    datatype: Datatype = "float32"
    originals: MultiOriginals = "float32"
    token_bits: int = DEFAULT_TOKEN_BITS
    pool: int = 1
    fde: FdeConfig = PRESETS["quality"]
    encoding: Encoding = "1"
    M: int = DEFAULT_M
    ef_construction: int = DEFAULT_EF_CONSTRUCTION
    max_vectors: int = DEFAULT_MAX_VECTORS

    def __post_init__(self) -> None:
        _ = self.token  # which checks what it has of this
        VectorConfig(
            self.fde.dimensions(self.size),
            Distance.DOT,
            self.encoding,
            "float32",
            self.M,
            self.ef_construction,
        )
        _require(self.encoding != "float32", "encoding", "8, 4, 2 or 1", self.encoding)
        _require(
            self.originals in get_args(MultiOriginals),
            "originals",
            f"one of {', '.join(get_args(MultiOriginals))}",
            self.originals,
        )
        _require(self.token_bits in TOKEN_BITS, "token_bits", "8, 4 or 2", self.token_bits)
        _require(1 <= self.pool <= MAX_POOL, "pool", f"1 to {MAX_POOL}", self.pool)
        _require(
            1 <= self.max_vectors <= MOST_VECTORS,
            "max_vectors",
            f"1 to {MOST_VECTORS}",
            self.max_vectors,
        )
        if not self.is_coded:
            _require(
                self.originals != "none",
                "originals",
                f"a kept copy, for the {self.distance} distance compares nothing else",
                self.originals,
            )

    @property
    def is_coded(self) -> bool:
        """Whether vectors are coded, and sets found by codes: under a similarity."""
        return self.distance in SIMILARITIES

    @cached_property
    def token(self) -> VectorConfig:
        """What each vector of a set is checked and kept by."""
        originals = self.originals if self.is_coded else _kept(self.originals)
        return VectorConfig(self.size, self.distance, originals=originals, datatype=self.datatype)

    @cached_property
    def asked(self) -> VectorConfig:
        """What each vector of a query is checked by: none is rounded to what originals hold."""
        return VectorConfig(self.size, self.distance, datatype=self.datatype)

    @cached_property
    def mean(self) -> VectorConfig:
        """What the mean of a set is compared by, where other versions have one vector a point."""
        return VectorConfig(self.size, self.distance, "float32")

    @property
    def fixed(self) -> object:
        """What stays as it was declared."""
        return self.kind, self.size, self.distance

    @property
    def space(self) -> object:
        """What makes two declarations different."""
        return self.kind, self.size, self.distance, self.originals

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> MultiConfig:
        """Return what ``to_json`` gave."""
        kept = {name: one for name, one in stored.items() if name != "kind"}
        distance, fde = Distance(stored["distance"]), FdeConfig.from_json(stored["fde"])
        return cls(**{**kept, "distance": distance, "fde": fde})


def _kept(originals: MultiOriginals) -> MultiOriginals:
    return "float32" if originals == "none" else originals  # refused elsewhere, in better words


def _require(ok: bool, what: str, expected: str, received: object) -> None:
    if not ok:
        raise InvalidConfig(f"{what}: expected {expected}, got {received!r}")
