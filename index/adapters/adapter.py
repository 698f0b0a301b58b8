"""What every adapter is: a map of queries of one version to rows of another, scaled by row.

For the engine each one is linear on the query side, plus a factor per row where ``scales_rows``
(algorithms 8.2): a query becomes ``(m, c)``, and a row ``y`` scores ``(m . y + c) * f(y)``. So
rows, their codes and their graph stay as they are. Scores are larger for what is closer; under the
euclidean and the Manhattan distance ``m`` takes the query's place and nothing is scaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Distance, Vector, Vectors

Kind: TypeAlias = Literal[
    "ridge",
    "procrustes",
    "procrustes_centred",
    "low_rank",
    "mlp",
    "identity",
    "prefix",
    "matrix",
    "relative",
]
ESTIMATING: tuple[Kind, ...] = ("ridge", "low_rank", "mlp")  # rows, in the queries' space
Scores: TypeAlias = NDArray[np.float32]  # (n,) larger for what is closer
Factors: TypeAlias = NDArray[np.float32]  # (n,) one per row
Arrays: TypeAlias = Mapping[str, NDArray[Any]]


class MappedQuery(NamedTuple):
    """A query in the space of the rows: ``vector`` (d_v,) float32, C-contiguous, and ``shift``."""

    vector: Vector
    shift: float


class Adapter(Protocol):
    """A fitted map; immutable, used by any thread."""

    @property
    def kind(self) -> str:
        """Which map it is."""

    @property
    def rows_size(self) -> int:
        """Dimensions d_v of the rows."""

    @property
    def queries_size(self) -> int:
        """Dimensions d_q of the queries."""

    @property
    def queries_distance(self) -> Distance:
        """How vectors of the queries' version are compared."""

    @property
    def scales_rows(self) -> bool:
        """Whether ``row_factors`` differ from 1."""

    @property
    def rescores(self) -> bool:
        """Whether ``rescore`` ranks better than the mapped query."""

    def map_query(self, query: Vector) -> MappedQuery:
        """Return what to search the rows with, for a query (d_q,) of unit length under cosine."""

    def row_factors(self, rows: Vectors) -> Factors:
        """Return (n,) factors of (n, d_v) rows, positive and finite."""

    def map_rows(self, rows: Vectors) -> Vectors:
        """Return (n, d_q) estimates of (n, d_v) rows in the space of the queries.

        They are of unit length where the queries' distance is cosine.
        """

    def rescoring_factors(self, rows: Vectors) -> Factors:
        """Return (n,) factors of (n, d_v) rows for ``rescore``, positive; they may be kept."""

    def rescore(self, query: Vector, rows: Vectors, factors: Factors | None = None) -> Scores:
        """Return (n,) scores of a few hundred (n, d_v) rows, on the scale of the mapped query's.

        Their ``rescoring_factors`` (n,) are computed unless given, which takes over half the time.
        """

    def to_json(self) -> dict[str, Any]:
        """Return everything but the arrays."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name; with ``to_json`` they give the same adapter, bit by bit."""


class Linear:
    """What adapters have in common whose mapped query says all: scoring again changes nothing."""

    __slots__ = ()
    rescores = False

    def rescoring_factors(self: Adapter, rows: Vectors) -> Factors:
        """Return the factors of the mapped query's scores."""
        return self.row_factors(rows)

    def rescore(
        self: Adapter, query: Vector, rows: Vectors, factors: Factors | None = None
    ) -> Scores:
        """Return (n,) inner products with the mapped query, scaled by row."""
        mapped = self.map_query(query)
        scores = rows @ mapped.vector + np.float32(mapped.shift)
        scores *= self.row_factors(rows) if factors is None else factors
        return np.asarray(scores, dtype=np.float32)


class MatrixLike(Linear):
    """A linear adapter whose sizes are those of its ``matrix`` (d_q, d_v)."""

    __slots__ = ()
    matrix: Vectors

    @property
    def rows_size(self) -> int:
        """Dimensions of the rows."""
        return int(self.matrix.shape[1])

    @property
    def queries_size(self) -> int:
        """Dimensions of the queries."""
        return int(self.matrix.shape[0])
