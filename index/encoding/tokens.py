"""Codes of tokens, the vectors of a multi-vector, and MaxSim over them or over originals.

MaxSim is the sum over the tokens of a query of the largest similarity to a vector of the set
(Khattab and Zaharia, arXiv 2004.12832, equation 3). ``MaxSim`` estimates it from codes for many
candidates, ``ExactMaxSim`` computes it of originals: the last rescoring, and the plan for few.

A row of codes is the code bytes and one float32 factor (``index/native/tokens.h``): 68 bytes for
128 dimensions of 4 bits, the default. Rows depend on no data, so they may be made one by one, lie
one behind the other in a file, and be mapped. Sets are told apart by ``starts`` (m + 1,)
int64: the i-th has the rows ``starts[i]`` to ``starts[i + 1]``.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.config.multi import DEFAULT_TOKEN_BITS
from palimpsest.index.encoding.rotation import draw_signs
from palimpsest.index.types import Codes, Distance, Distances, MatchedParts, Rows, Vectors

Starts: TypeAlias = NDArray[np.int64]  # (m + 1,)
Sums: TypeAlias = NDArray[np.float64]  # (n,)
Scores: TypeAlias = NDArray[np.float32]  # (n,), larger for what is closer
Originals: TypeAlias = NDArray[np.float32] | NDArray[np.float16]  # (n, d)

_SEED = 0x70CE
_METRICS = {
    Distance.COSINE: "inner_product",
    Distance.DOT: "inner_product",
    Distance.EUCLID: "l2",
    Distance.MANHATTAN: "l1",
}
_LARGEST = float(np.finfo(np.float32).max)


class TokenEncoder:
    """Codes of 8, 4 or 2 bits a dimension, for inner products (cosine and dot).

    The estimate of ``<q, v>`` is the product with the decoded vector v', and the error is
    orthogonal to v: ``|v' - v| = |v| sqrt(1 - rho^2) / rho``, rho the cosine between them. So an
    estimate is never off by more than ``|q| |v' - v|``, and by less than ``encode_with_errors``
    says in about 19 of 20 cases. MaxSim is off by no more than the sum over query tokens of the
    largest error of a row.

    Args:
        size: dimensions, at most 65,536.
        bits: 8, 4 or 2.
        signs: (4, D') of the rotation, as ``signs`` of the encoder that made the codes; drawn by a
            fixed seed when None.

    Raises:
        ValueError: the bits, the size or the signs are not such.
    """

    def __init__(
        self,
        size: int,
        bits: int = DEFAULT_TOKEN_BITS,
        signs: NDArray[np.int8] | None = None,
    ) -> None:
        self.size = size
        self.bits = bits
        self.signs = draw_signs(size, _SEED) if signs is None else signs
        self.native = _native.TokenCoder(size, bits, self.signs)
        self.row_bytes: int = self.native.row_bytes

    def encode(self, values: Vectors) -> Codes:
        """Return (n, row_bytes) rows for (n, d) vectors."""
        rows = np.empty((len(values), self.row_bytes), dtype=np.uint8)
        self.native.encode(np.ascontiguousarray(values, dtype=np.float32), rows, None)
        return rows

    def encode_with_errors(self, values: Vectors) -> tuple[Codes, Distances]:
        """Return rows, and (n,) half-widths of their estimates for a query of length 1.

        A half-width is 1.9 standard deviations over rotations (arXiv 2405.12497, Theorem 3.2).
        """
        rows = np.empty((len(values), self.row_bytes), dtype=np.uint8)
        errors = np.empty(len(values), dtype=np.float32)
        self.native.encode(np.ascontiguousarray(values, dtype=np.float32), rows, errors)
        return rows, errors

    def decode(self, codes: Codes) -> Vectors:
        """Return the (n, d) vectors that rows stand for."""
        values = np.empty((len(codes), self.size), dtype=np.float32)
        self.native.decode(np.ascontiguousarray(codes), values)
        return values


class MaxSim:
    """MaxSim by the codes of an encoder: sums of inner products."""

    def __init__(self, encoder: TokenEncoder) -> None:
        self._encoder = encoder

    def scores(self, query: Vectors, codes: Codes, starts: Starts, rows: Rows) -> Scores:
        """Return the scores (len(rows),) of the sets ``rows``, one native call without GIL.

        A set without vectors scores minus infinity; all others are finite.

        Raises:
            ValueError: shapes do not fit, or ``rows`` or ``starts`` point outside.
        """
        return narrow(_sums(self.prepare(query), codes, starts, rows))

    def parts(self, query: Vectors, codes: Codes, starts: Starts, row: int) -> MatchedParts:
        """Return the vectors of the set ``row`` that match best.

        Raises:
            ValueError: shapes do not fit, or the set is not there or empty.
        """
        prepared = self.prepare(query)
        whole, best, similarities = _parts(prepared, len(query), codes, starts, row)
        return MatchedParts(whole, best, narrow(0.0 - similarities))

    def prepare(self, query: Vectors) -> _native.CodedQuery:
        """Return a query (t, d) as native code compares it with codes."""
        return _native.CodedQuery(self._encoder.native, _tokens(query))


class ExactMaxSim:
    """MaxSim of float32 or float16 vectors under any distance.

    The similarity of two vectors is their inner product under cosine (of normalised ones) and dot,
    minus the squared length of their difference under euclid, minus the Manhattan length otherwise.
    """

    def __init__(self, distance: Distance) -> None:
        self._distance = distance
        self._metric = _METRICS[distance]

    def scores(self, query: Vectors, values: Originals, starts: Starts, rows: Rows) -> Sums:
        """Return sums of similarities (len(rows),) of the sets ``rows``.

        Sums of float64, which hold every sum of squares; minus infinity for an empty set.

        Raises:
            ValueError: shapes do not fit, or ``rows`` or ``starts`` point outside.
        """
        return _sums(self._prepare(query, values), _as_bytes(values), starts, rows)

    def distances(self, query: Vectors, values: Originals, starts: Starts, rows: Rows) -> Distances:
        """Return distances (len(rows),), smaller for what is closer: what users see the score of.

        Minus the sum of similarities, and its root under euclid; infinity for an empty set.

        Raises:
            ValueError: as ``scores``.
        """
        return self._as_distances(self.scores(query, values, starts, rows))

    def parts(self, query: Vectors, values: Originals, starts: Starts, row: int) -> MatchedParts:
        """Return the vectors of the set ``row`` that match best.

        Raises:
            ValueError: shapes do not fit, or the set is not there or empty.
        """
        prepared = self._prepare(query, values)
        whole, best, similarities = _parts(prepared, len(query), _as_bytes(values), starts, row)
        return MatchedParts(whole, best, self._as_distances(similarities))

    def _as_distances(self, sums: Sums) -> Distances:
        distances = 0.0 - sums  # not -sums: there is no distance -0
        return narrow(np.sqrt(distances) if self._distance is Distance.EUCLID else distances)

    def _prepare(self, query: Vectors, values: Originals) -> _native.ExactQuery:
        return _native.ExactQuery(_tokens(query), self._metric, values.dtype == np.float16)


def _tokens(query: Vectors) -> Vectors:
    return np.ascontiguousarray(query, dtype=np.float32)


def _as_bytes(values: Originals) -> Codes:
    if values.dtype not in (np.float32, np.float16):
        raise ValueError(f"expected float32 or float16 vectors, received {values.dtype}")
    row_bytes = values.shape[1] * values.itemsize
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), row_bytes)


def _sums(
    query: _native.CodedQuery | _native.ExactQuery, rows: Codes, starts: Starts, candidates: Rows
) -> Sums:
    out = np.empty(len(candidates), dtype=np.float64)
    wanted = np.ascontiguousarray(candidates, dtype=np.uint32)
    query.scores(np.ascontiguousarray(rows), np.ascontiguousarray(starts), wanted, out)
    return out


def _parts(
    query: _native.CodedQuery | _native.ExactQuery,
    tokens: int,
    rows: Codes,
    starts: Starts,
    row: int,
) -> tuple[int, NDArray[np.int64], Sums]:
    best = np.empty(tokens, dtype=np.int64)
    similarities = np.empty(tokens, dtype=np.float64)
    codes, bounds = np.ascontiguousarray(rows), np.ascontiguousarray(starts)
    whole = query.parts(codes, bounds, row, best, similarities)
    return whole, best, similarities


def narrow(sums: Sums) -> Scores:
    """Return float32, finite where ``sums`` are: thousands of long tokens may sum to more."""
    narrow = np.where(np.isfinite(sums), np.clip(sums, -_LARGEST, _LARGEST), sums)
    return narrow.astype(np.float32)
