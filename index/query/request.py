"""What a query may ask, as immutable values: one tree of ``Prefetch`` under a request.

A target is a vector, or the id of a stored point whose vector is taken and which then is no result
itself. ``Lookup`` takes such vectors from another collection, whose points exclude nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from palimpsest.index.filters.expression import Filter, Path
from palimpsest.index.query.terms import Term
from palimpsest.index.types import PointId, PointVector, VersionedQuery

DEFAULT_LIMIT = 10
DEFAULT_RRF_K = 2
DEFAULT_DIVERSITY = 0.5
DEFAULT_GROUP_SIZE = 3
MAX_MMR_CANDIDATES = 16_384

Target: TypeAlias = PointVector | PointId
Strategy: TypeAlias = Literal["average_vector", "best_score", "sum_scores"]


@dataclass(frozen=True, slots=True, eq=False)
class Mmr:
    """Maximal marginal relevance: ``diversity`` 0 keeps relevance alone, 1 distance alone.

    ``candidates`` nearest points are chosen from; None means as many as the limit.
    """

    diversity: float = DEFAULT_DIVERSITY
    candidates: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Points closest to a target."""

    target: Target | VersionedQuery
    mmr: Mmr | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Recommend:
    """Points like the positive examples and unlike the negative ones."""

    positive: tuple[Target, ...] = ()
    negative: tuple[Target, ...] = ()
    strategy: Strategy = "average_vector"


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Closer to ``positive`` than to ``negative``."""

    positive: Target
    negative: Target


@dataclass(frozen=True, slots=True, eq=False)
class Discover:
    """Points on the right side of most pairs, those close to the target first."""

    target: Target
    context: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """Points on the right side of the pairs."""

    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Feedback:
    """Points close to the target, moved by scored examples with the coefficients a, b, c."""

    target: Target
    examples: tuple[tuple[Target, float], ...]
    a: float
    b: float
    c: float


@dataclass(frozen=True, slots=True, eq=False)
class OrderBy:
    """Points in the order of a payload value, from ``start_from`` on.

    A datetime is its microseconds since 1970 in UTC.
    """

    path: Path
    descending: bool = False
    start_from: int | float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fusion:
    """One ranking of several: reciprocal ranks, or scores scaled by their distribution.

    ``weights`` are one per prefetch; ``k`` and ``weights`` belong to ``rrf`` alone.
    """

    method: Literal["rrf", "dbsf"] = "rrf"
    k: int = DEFAULT_RRF_K
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """A score computed from the prefetches' scores and the payload.

    ``defaults`` stand for payload values that are missing (by path) and for scores of points that
    a prefetch did not find (by its place).
    """

    term: Term
    defaults: Mapping[Path | int, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Random points."""


Query: TypeAlias = (
    Nearest | Recommend | Discover | Context | Feedback | OrderBy | Fusion | Formula | Sample
)


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Where targets given by id are read; ``vector`` None means the name that is searched."""

    collection: str
    vector: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SearchParams:
    """Knobs of the searches of one level; None means the default.

    ``idf`` asks for sparse vectors' values by rarity, as they are declared to be compared;
    ``idf_corpus`` narrows the points whose sparse vectors are counted for idf.
    """

    ef: int | None = None
    exact: bool = False
    rescore: bool | None = None
    oversampling: float | None = None
    ignore_codes: bool = False
    idf: bool = False
    idf_corpus: Filter | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prefetch:
    """One level of a tree; ``query`` None asks for points in the order of their ids.

    With prefetches, the query fuses or scores anew what they found, and the filter holds for all
    levels below.
    """

    query: Query | None = None
    using: str = ""
    filter: Filter | None = None
    params: SearchParams = SearchParams()
    threshold: float | None = None
    limit: int = DEFAULT_LIMIT
    lookup: Lookup | None = None
    prefetches: tuple[Prefetch, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class QueryRequest:
    """A tree, and what its answer holds."""

    root: Prefetch
    offset: int = 0
    with_payload: bool = False
    with_vectors: bool | tuple[str, ...] = False


@dataclass(frozen=True, slots=True, eq=False)
class GroupRequest:
    """A tree whose answer is grouped by a payload value; its limit counts groups."""

    root: Prefetch
    path: Path
    size: int = DEFAULT_GROUP_SIZE
    with_payload: bool = False
    with_vectors: bool | tuple[str, ...] = False


def levels_of(root: Prefetch) -> Iterator[Prefetch]:
    """Yield a level and all below it."""
    yield root
    for each in root.prefetches:
        yield from levels_of(each)
