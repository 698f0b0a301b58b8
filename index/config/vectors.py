"""How the vectors of a name are kept, when they are sealed and compacted, and the limits of both.

Every default is resolved here, once, when a collection is created. What changes the meaning of
stored bytes is also written into each segment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from palimpsest.index.config.kinds import SPARSE
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.types import Distance

Encoding: TypeAlias = Literal["float32", "8", "4", "2", "1"]
Originals: TypeAlias = Literal["float32", "float16", "int8", "none"]
Datatype: TypeAlias = Literal["float32", "float16", "uint8"]
Modifier: TypeAlias = Literal["none", "idf"]
Order: TypeAlias = Literal["shuffle", "lid_desc"]

ORIGINAL_BYTES: Mapping[str, int] = {"float32": 4, "float16": 2, "int8": 1}  # of a number
MAX_SIZE = 65_536
NO_GRAPH, MIN_M, DEFAULT_M, MAX_M = 0, 4, 16, 64
MIN_EF_CONSTRUCTION, DEFAULT_EF_CONSTRUCTION, MAX_EF_CONSTRUCTION = 16, 200, 2_000
MIN_SEAL_ROWS, DEFAULT_SEAL_ROWS, MAX_SEAL_ROWS = 64, 65_536, 10_000_000
DEFAULT_QUIET_ROWS = 8_192  # growing rows worth a graph once writes have paused
DEFAULT_QUIET_SECONDS = 1.0
DEFAULT_TIER_FACTOR = 4  # segments of one tier before they are compacted into the next
DEFAULT_DEAD_RATIO = 0.2
MAX_POINTS = 2**32  # of a collection; a limit above it means all there are
MAX_EF = 100_000
DEFAULT_ENCODING: Encoding = "4"
DEFAULT_ORIGINALS: Originals = "float32"
MIN_RECALL, DEFAULT_RECALL, MAX_RECALL = 0.5, 0.98, 0.999


def _require(ok: bool, what: str, expected: str, received: object) -> None:
    if not ok:
        raise InvalidConfig(f"{what}: expected {expected}, got {received!r}")


def _require_one_of(choices: tuple[str, ...], what: str, received: str) -> None:
    _require(received in choices, what, f"one of {', '.join(choices)}", received)


@dataclass(frozen=True, slots=True)
class VectorConfig:
    """One vector name: its space, and how its rows are kept. Raises InvalidConfig.

    Values of rows and queries become numbers of the ``datatype`` as they come
    (``index.encoding.normalise``). ``M`` 0 means no graph: codes, or originals where there are
    none, are scanned. A ``fixed_encoding`` was asked for by name; others get more bits where recall
    needs them. ``recall`` is what the searches of a segment are to find of the ten closest when it
    is written.
    """

    kind: ClassVar[str] = "dense"

    size: int
    distance: Distance
    encoding: Encoding = DEFAULT_ENCODING
    originals: Originals = DEFAULT_ORIGINALS
    M: int = DEFAULT_M
    ef_construction: int = DEFAULT_EF_CONSTRUCTION
    order: Order = "shuffle"
    datatype: Datatype = "float32"
    fixed_encoding: bool = False
    recall: float = DEFAULT_RECALL

    def __post_init__(self) -> None:
        in_reach = MIN_RECALL <= self.recall <= MAX_RECALL
        _require(in_reach, "recall", f"{MIN_RECALL} to {MAX_RECALL}", self.recall)
        _require(1 <= self.size <= MAX_SIZE, "size", f"1 to {MAX_SIZE}", self.size)
        _require_one_of(get_args(Encoding), "encoding", self.encoding)
        _require_one_of(get_args(Originals), "originals", self.originals)
        _require_one_of(get_args(Order), "order", self.order)
        _require_one_of(get_args(Datatype), "datatype", self.datatype)
        in_range = self.M == NO_GRAPH or MIN_M <= self.M <= MAX_M
        _require(in_range, "M", f"{MIN_M} to {MAX_M}, or {NO_GRAPH} for no graph", self.M)
        _require(
            MIN_EF_CONSTRUCTION <= self.ef_construction <= MAX_EF_CONSTRUCTION,
            "ef_construction",
            f"{MIN_EF_CONSTRUCTION} to {MAX_EF_CONSTRUCTION}",
            self.ef_construction,
        )
        if self.encoding == "float32" or self.distance is Distance.MANHATTAN:
            _require(
                self.originals != "none",
                "originals",
                "a kept copy, for the float32 encoding and the manhattan distance search it",
                self.originals,
            )

    @property
    def keeps_lengths(self) -> bool:
        """Whether lengths are kept of vectors that are searched normalised, to give them back."""
        return self.datatype == "uint8" and self.distance is Distance.COSINE

    @property
    def numbers(self) -> Datatype:
        """What the values of rows are rounded to: the datatype, or what originals can hold."""
        if self.datatype == "float32" and self.originals == "float16":
            return "float16"
        return self.datatype

    @property
    def fixed(self) -> tuple[int, Distance]:
        """What stays as it was declared."""
        return self.size, self.distance

    @property
    def space(self) -> tuple[int, Distance, Originals]:
        """What makes two declarations different."""
        return self.size, self.distance, self.originals

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return asdict(self)

    @classmethod
    def from_json(
        cls, stored: Mapping[str, Any], name: str, declared: Mapping[str, Any]
    ) -> VectorConfig:
        """Return what ``to_json`` gave, of any release, for a name of a declared collection."""
        fixed = stored.get("fixed_encoding", _was_named(stored["encoding"], name, declared))
        kept = {**stored, "distance": Distance(stored["distance"]), "fixed_encoding": fixed}
        return cls(**kept)


def _was_named(encoding: str, name: str, declared: Mapping[str, Any]) -> bool:
    """Tell whether an encoding was asked for; of settings that do not say, of earlier releases."""
    if encoding != DEFAULT_ENCODING:
        return True
    vectors = declared.get("vectors") or {}
    own = vectors.get(name) or {} if name else vectors
    engine = (declared.get("metadata") or {}).get("palimpsest") or {}
    places = (declared.get("quantization_config"), own.get("quantization_config"))
    return any((engine.get("encoding"), *places, own.get("datatype") == "turbo4"))


@dataclass(frozen=True, slots=True)
class SparseConfig:
    """One sparse vector name, always compared by dot product. Raises InvalidConfig.

    ``modifier`` idf: a query's values are multiplied by how rare their dimensions are.
    """

    kind: ClassVar[str] = SPARSE
    distance: ClassVar[Distance] = Distance.DOT
    fixed: ClassVar[str] = SPARSE

    modifier: Modifier = "none"

    def __post_init__(self) -> None:
        _require_one_of(get_args(Modifier), "modifier", self.modifier)

    @property
    def space(self) -> tuple[str, Modifier]:
        """What makes two declarations different."""
        return SPARSE, self.modifier

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {SPARSE: True, **asdict(self)}


@dataclass(frozen=True, slots=True)
class MaintenanceConfig:
    """When rows are sealed and segments compacted. Raises InvalidConfig."""

    seal_rows: int = DEFAULT_SEAL_ROWS
    quiet_rows: int = DEFAULT_QUIET_ROWS
    quiet_seconds: float = DEFAULT_QUIET_SECONDS
    tier_factor: int = DEFAULT_TIER_FACTOR
    dead_ratio: float = DEFAULT_DEAD_RATIO

    def __post_init__(self) -> None:
        _require(
            MIN_SEAL_ROWS <= self.seal_rows <= MAX_SEAL_ROWS,
            "seal_rows",
            f"{MIN_SEAL_ROWS} to {MAX_SEAL_ROWS}",
            self.seal_rows,
        )
        _require(self.quiet_rows >= 1, "quiet_rows", "at least 1", self.quiet_rows)
        _require(self.quiet_seconds >= 0, "quiet_seconds", "at least 0", self.quiet_seconds)
        _require(2 <= self.tier_factor <= 64, "tier_factor", "2 to 64", self.tier_factor)
        _require(0 < self.dead_ratio <= 1, "dead_ratio", "above 0, at most 1", self.dead_ratio)
