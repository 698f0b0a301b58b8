"""Measures what searches of one segment find: recall@10 of some effort against exact search.

The queries are rows of the segment, each left out of its own answer, mixtures of near rows, rows
moved by the distance to their nearest neighbours, and what was asked of late
(``recent``). Exact means float64 over the rows that are kept (over those that are sealed, where
none are). Any segment in memory can be probed; nothing here decides anything (``deciding``).

Cost: some hundred comparisons a row, where the builder of a graph makes above a thousand: 2 to 3 %
of a seal. The same rows, config and seed draw the same sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.normalise import as_examples, check_query
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.errors import InvalidVector
from palimpsest.index.segments.originals import Kept, restore
from palimpsest.index.segments.recent import RECENT
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.types import Codes, Distance, Rows, Vector, Vectors

K = 10
QUERIES = 128  # made of rows: some of them rows as they are, the rest mixed and moved
FEWEST_ROWS = 64  # of a segment: fewer are compared one by one anyhow
WORST_SHARE = 0.05  # of the queries, whose mean is ``Recall.worst``
_PLAIN = 0.25  # of the queries: these are found best, and tell least
_MIXED = 1 / 12  # of the queries beside rows; the others are moved
# Times the distance to the nearest neighbour. Users' queries of two text models find .968 and .990
# of their ten nearest by the default search of 48,000 rows; rows moved by this find about as many,
# by less (1: .979 and .994) more, by more (1.5: .957 and .987) fewer.
_MOVED = 1.25
_TIE, _NOTHING = 1e-5, 1e-9  # as far beyond the k-th, relative and absolute, a row is a hit
_BLOCK_ROWS, _PIECE_BYTES = 8_192, 1 << 19  # compared with all queries between looks at the best

Read: TypeAlias = Callable[[Any], Vectors]  # rows of a segment by slice or positions, as float32
# The closest rows to a query, so many or more, closest first.
Find: TypeAlias = Callable[[Vector, int], Rows]
Exact: TypeAlias = NDArray[np.float64]


class Cancelled(Exception):
    """The probe was to end early; it has changed nothing."""


class Recall(NamedTuple):
    """Recall@10 of a sample: the mean, and that of the worst twentieth of the queries."""

    mean: float
    worst: float

    @classmethod
    def of(cls, each: Exact) -> Recall:
        """Return it from the recall of each query (q,), q at least 1."""
        few = max(1, round(WORST_SHARE * len(each)))
        return cls(float(each.mean()), float(np.sort(each)[:few].mean()))


@dataclass(frozen=True, slots=True, eq=False)
class ProbeSource:
    """The ``n`` rows of a segment that exact search compares.

    ``read`` gives any of them, ``score`` their float32 distances (q, m) to queries; ``cancelled``
    is asked now and then.
    """

    read: Read
    score: Callable[[Vectors, Rows], NDArray[np.float32]]
    n: int
    config: VectorConfig
    cancelled: Callable[[], bool]

    def check(self) -> None:
        """Raise Cancelled when the probe is to end."""
        if self.cancelled():
            raise Cancelled


def source_of(
    kept: Kept, config: VectorConfig, cancelled: Callable[[], bool] = lambda: False
) -> ProbeSource:
    """Return what exact search compares of rows as they are kept, or float32 ones (n, d)."""
    searcher = Searcher(config.distance, config.size, kept)
    return ProbeSource(
        lambda places: restore(kept[places]),
        lambda queries, rows: searcher.score(queries, rows, by_codes=False),
        len(kept),
        config,
        cancelled,
    )


@dataclass(frozen=True, slots=True, eq=False)
class ProbeSample:
    """Queries (q, d), the rows they are (q,), -1 for none, and what exact search finds.

    ``nearest`` are the exact distances (q, m) of the closest rows, squared under euclid, ascending;
    the last ``recent`` queries are users', the ``moved`` before them are moved rows.
    """

    source: ProbeSource
    queries: Vectors
    own: NDArray[np.int64]
    closest: NDArray[np.int64]  # (q, m) rows
    nearest: Exact
    moved: int
    recent: int

    @property
    def k(self) -> int:
        """How many results are asked for: ``K``, fewer where there are no more rows."""
        return min(K, self.source.n - 1)

    @property
    def wanted(self) -> float:
        """The mean recall that is to be held."""
        return self.source.config.recall

    def recalls(self, find: Find) -> Exact:
        """Return the recall@k of each query (q,). Raises Cancelled."""
        return np.array([self._recall(place, find) for place in range(len(self.queries))])

    def _recall(self, place: int, find: Find) -> float:
        self.source.check()
        own, query = int(self.own[place]), self.queries[place]
        rows = find(query, self.k if own < 0 else self.k + 1).astype(np.int64)
        rows = np.unique(rows[rows != own][: self.k])
        found = distances(self.source.read(rows), query[None, :], self.source.config.distance)[0]
        return float(np.count_nonzero(found <= self._limit(place))) / self.k

    def _limit(self, place: int) -> float:
        return limit_of(float(self.nearest[place, self.k - 1]), self.source.config.distance)

    def split(self, each: Exact) -> tuple[Exact, Exact, Exact]:
        """Return what is of each query (q,) by kind: rows and mixtures, moved rows, users'."""
        users = len(each) - self.recent
        return each[: users - self.moved], each[users - self.moved : users], each[users:]


def draw(source: ProbeSource, recent: Sequence[Vector], seed: int) -> ProbeSample | None:
    """Return a sample of a segment; None where it has too few rows, or none tell of anything.

    Raises:
        Cancelled: the source says so.
    """
    if source.n < FEWEST_ROWS:
        return None
    rng = np.random.default_rng(seed)
    rows = rng.choice(source.n, min(QUERIES, source.n), replace=False)
    half = math.ceil(_PLAIN * len(rows))
    asked = _queries(as_examples(source.read(rows), source.config), source.config)
    rows = rows[asked.places]
    first = _exact(source, asked.vectors, rows)
    plain = slice(0, half)
    near = _beside(source, asked.vectors[half:], rows[half:], first, half, rng)
    made = _queries(near, source.config)
    users = _queries(np.stack(recent[-RECENT:]), source.config) if recent else _NO_QUERIES
    others = [one.vectors for one in (made, users) if len(one.vectors)]
    queries = np.concatenate([asked.vectors[plain], *others])
    if not len(queries):
        return None
    own = np.full(len(queries), -1, dtype=np.int64)
    own[: len(rows[plain])] = rows[plain]
    further = _exact(source, queries[len(rows[plain]) :], own[len(rows[plain]) :])
    return ProbeSample(
        source,
        queries,
        own,
        np.concatenate([first.rows[plain], further.rows]),
        np.concatenate([first.distances[plain], further.distances]),
        int(np.count_nonzero(made.places >= _mixed(len(near)))),
        len(users.vectors),
    )


def limit_of(last: float, distance: Distance) -> float:
    """Return the distance up to which a row is a hit, of that of the last one."""
    if distance is Distance.EUCLID:
        return (math.sqrt(max(last, 0.0)) * (1 + _TIE) + _NOTHING) ** 2
    return last + _TIE * abs(last) + _NOTHING


def row_queries(source: ProbeSource, most: int, seed: int) -> Vectors:
    """Return rows (q, d) as queries, at most so many, any of the segment."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(source.n, min(most, source.n), replace=False)
    return _queries(as_examples(source.read(rows), source.config), source.config).vectors


def resolution(sample: ProbeSample, encoder: Encoder, codes: Codes) -> float:
    """Return how far rows at places k and 2k lie apart, by the error of their codes.

    The median over the queries; well above 1 codes alone tell neighbours in the right order,
    below they do not.
    """
    k = sample.k
    last = min(2 * k, sample.nearest.shape[1]) - 1
    gaps, errors = [], []
    for query, rows, exact in zip(sample.queries, sample.closest, sample.nearest, strict=True):
        estimated = encoder.estimate(query, np.ascontiguousarray(codes[rows[:last]]))
        errors.append(np.std(estimated.astype(np.float64) - exact[:last]))
        gaps.append(exact[last] - exact[k - 1])
    error = float(np.median(errors))
    return float(np.median(gaps)) / error if error > 0 else float("inf")


class _Queries(NamedTuple):
    vectors: Vectors  # (q, d), ready for search
    places: NDArray[np.intp]  # (q,) of those given that are left


_NO_QUERIES = _Queries(np.empty((0, 0), dtype=np.float32), np.empty(0, dtype=np.intp))


def _queries(vectors: Vectors, config: VectorConfig) -> _Queries:
    """Return vectors as queries; those that are zero, or too long, tell of nothing."""
    ready, places = [], []
    for place, vector in enumerate(vectors):
        try:
            query = check_query(np.ascontiguousarray(vector), config)
        except InvalidVector:
            continue
        if query.any():
            ready.append(query)
            places.append(place)
    found = np.stack(ready) if ready else np.empty((0, config.size), dtype=np.float32)
    return _Queries(found, np.array(places, dtype=np.intp))


class _Closest(NamedTuple):
    rows: NDArray[np.int64]
    distances: Exact


def _beside(
    source: ProbeSource,
    vectors: Vectors,
    rows: NDArray[np.int64],
    known: _Closest,
    start: int,
    rng: np.random.Generator,
) -> Vectors:
    """Return a query beside each row: the row moved a little, or mixed with a neighbour of it."""
    if not len(rows):
        return np.empty((0, source.config.size), dtype=np.float32)
    neighbours = known.rows[start : start + len(rows)]
    nearest = as_examples(source.read(neighbours[:, 0]), source.config) - vectors
    noise = rng.standard_normal(vectors.shape)
    noise *= _MOVED / np.maximum(np.linalg.norm(noise, axis=1, keepdims=True), 1e-30)
    moved = vectors + noise * np.linalg.norm(nearest.astype(np.float64), axis=1, keepdims=True)
    picked = neighbours[np.arange(len(rows)), rng.integers(neighbours.shape[1], size=len(rows))]
    share = rng.uniform(0.25, 0.75, size=(len(rows), 1))
    mixed = share * vectors + (1 - share) * as_examples(source.read(picked), source.config)
    is_mixed = np.arange(len(rows)) < _mixed(len(rows))
    return np.where(is_mixed[:, None], mixed, moved).astype(np.float32)


def _mixed(beside: int) -> int:
    """Return how many of the queries beside rows, the first of them, are mixtures."""
    return round(_MIXED * beside)


def _exact(source: ProbeSource, queries: Vectors, own: NDArray[np.int64]) -> _Closest:
    """Return the closest rows (q, m) of each query but its own, and their distances, ascending.

    Kernels find twice as many in float32, of which float64 tells the closest.
    """
    q, m = len(queries), min(2 * K, source.n - 1)
    few = min(2 * m, source.n - 1)
    closest = np.empty((q, m), dtype=np.int64)
    exact = np.empty((q, m))
    kept = [np.empty(0, dtype=np.int64)] * q
    known = [np.empty(0, dtype=np.float32)] * q
    block = np.empty((q, min(_BLOCK_ROWS, source.n)), dtype=np.float32)
    for start in range(0, source.n, block.shape[1]):
        stop = min(start + block.shape[1], source.n)
        source.check()
        _score(source, queries, start, block[:, : stop - start])
        for place in range(q):
            scores = block[place, : stop - start]
            if start <= own[place] < stop:
                scores[own[place] - start] = np.inf
            kept[place], known[place] = _best(kept[place], known[place], scores, start, few)
    for place in range(q):
        rows = kept[place]
        true = distances(source.read(rows), queries[place : place + 1], source.config.distance)[0]
        order = np.argsort(true, kind="stable")[:m]
        closest[place], exact[place] = rows[order], true[order]
    return _Closest(closest, exact)


def _score(source: ProbeSource, queries: Vectors, start: int, block: NDArray[np.float32]) -> None:
    """Fill the distances (q, n) of rows from ``start`` on, in pieces that fit the cache."""
    n = block.shape[1]
    step = max(1, _PIECE_BYTES // (4 * source.config.size))
    for first in range(0, n, step):
        rows = np.arange(first, min(first + step, n), dtype=np.uint32)
        block[:, first : first + len(rows)] = source.score(queries, rows + np.uint32(start))


def _best(
    kept: NDArray[np.int64],
    known: NDArray[np.float32],
    scores: NDArray[np.float32],
    start: int,
    m: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the ``m`` closest rows so far, in any order, and their distances."""
    limit = known.max() if len(known) == m else np.inf
    new = np.flatnonzero(scores < limit)
    rows, all_known = np.concatenate([kept, new + start]), np.concatenate([known, scores[new]])
    if len(rows) <= m:
        return rows, all_known
    places = np.argpartition(all_known, m - 1)[:m]
    return rows[places], all_known[places]


def distances(rows: Vectors, queries: Vectors, distance: Distance) -> Exact:
    """Return the float64 distances (q, n) of rows (n, d), squared under euclid."""
    wide, asked = rows.astype(np.float64), queries.astype(np.float64)
    if distance is not Distance.EUCLID:
        return np.asarray(-(asked @ wide.T))
    centre = asked.mean(axis=0) if len(asked) else 0.0  # near it squares differ by more than ulps
    wide -= centre
    asked -= centre
    squares = np.einsum("ij,ij->i", wide, wide)
    found = np.einsum("ij,ij->i", asked, asked)[:, None] + squares - 2 * (asked @ wide.T)
    return np.asarray(np.maximum(found, 0.0))
