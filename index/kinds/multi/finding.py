"""Makes what the candidates of a segment are found by: all generators, of which one is kept.

Sets are read piece by piece, once, and nothing of a generator is kept as floats but what a graph is
built over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import NO_GRAPH
from palimpsest.index.encoding.tokens import TokenEncoder
from palimpsest.index.kinds.multi import lists, made_rows, probe
from palimpsest.index.kinds.multi.exact import CodedSets
from palimpsest.index.kinds.multi.generators import Finished, RowMaker, generators_of
from palimpsest.index.kinds.multi.lists import MadeLists, WideLists
from palimpsest.index.kinds.multi.live import LiveSets
from palimpsest.index.kinds.multi.made_rows import MadeRows
from palimpsest.index.kinds.multi.probe import MultiProbed, MultiSample
from palimpsest.index.kinds.multi.rows import MultiRows
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.sealed import GRAPH_ROWS
from palimpsest.index.types import Distance, Distances, Vectors

_COMPARED_BITS = 8  # of codes by which a probe knows what is closest: several times as quick
_FITTED = 1_024  # sets whose rows an encoder is fitted to


class FoundCandidates(NamedTuple):
    """What finds candidates, and what was measured of it."""

    finished: Finished
    probed: MultiProbed


class Made(Protocol):
    """A generator while sets are read."""

    @property
    def name(self) -> str:
        """What it is called where a probe is told."""

    def fill(self, piece: slice, sets: MultiRows) -> None:
        """Take the next sets, those of ``piece``."""

    def estimates(self, query: Vectors) -> Distances:
        """Return what all sets (n,) are ranked by for a query (t, d), once all are there."""

    def finished(self, to: Build[MultiConfig], depth: int) -> Finished | None:
        """Return what is written for candidates of such a depth, None when cancelled."""


def find_candidates(live: LiveSets, to: Build[MultiConfig]) -> FoundCandidates | None:
    """Return what finds the closest sets by the fewest candidates.

    None where sets are so few that all are compared, where nothing is coded, or when cancelled.
    """
    config, n = to.config, len(live)
    if n < probe.FEWEST_SETS or not config.is_coded:
        return None
    every = _begun(live, to)
    asked = _asked(live, to)
    exact = np.empty((len(asked.queries), n), dtype=np.float32)
    order, compared = np.arange(n), TokenEncoder(config.size, _COMPARED_BITS)
    for piece in live.pieces(order):
        if to.cancelled():
            return None
        sets = live.take(order[piece])
        for one in every:
            one.fill(piece, sets)
        _compare(exact[:, piece], asked, sets, compared)
    probed = probe.decide({one.name: _ranks(one, asked, exact) for one in every}, asked)
    chosen = next(one for one in every if one.name == probed.generator)
    finished = chosen.finished(to, probed.depth)
    return None if finished is None else FoundCandidates(finished, probed)


def bytes_of(config: MultiConfig, n: int, vectors: int) -> int:
    """Return about how many bytes it takes to find candidates of n sets of so many vectors."""
    if not config.is_coded:
        return 0
    rows = [one.rows(config) for one in generators_of(config)]
    pieces = max(one.size for one in rows) * 4 * (_FITTED + 512)
    own = sum(made_rows.bytes_of(one, n) for one in rows) + lists.bytes_of(config.size, vectors)
    return n * 4 * 2 * probe.QUERIES + pieces + own


def _begun(live: LiveSets, to: Build[MultiConfig]) -> list[Made]:
    """Return all generators, the cheapest first."""
    config, n = to.config, len(live)
    linked = config.M != NO_GRAPH and n >= GRAPH_ROWS
    sample = _sample(live, _FITTED)
    makers = [RowMaker(one, config.size) for one in generators_of(config)]
    mean, *others = [MadeRows.begun(maker, sample, n, to, linked=linked) for maker in makers]
    vectors = int(live.counts.sum())
    some = _sample(live, -(-lists.sample_of(vectors) * n // max(vectors, 1)))
    narrow = MadeLists(some, vectors, n, to.seed, unit=config.distance is Distance.COSINE)
    return [mean, narrow, WideLists(narrow), *others]


def _sample(live: LiveSets, count: int) -> MultiRows:
    return live.take(np.linspace(0, len(live) - 1, min(count, len(live))).astype(np.intp))


def _asked(live: LiveSets, to: Build[MultiConfig]) -> MultiSample:
    """Return queries made of some sets, and those of late."""
    rng = np.random.default_rng(to.seed)
    own = np.sort(rng.choice(len(live), min(probe.QUERIES, len(live)), replace=False))
    sets = live.take(own)
    made = probe.queries_of([sets.part(row, row + 1).values for row in range(len(own))], to.seed)
    recent = [one for one in to.recent if one.ndim == 2 and one.shape[1] == to.config.size]
    queries = [(query, place) for query, place in zip(made, own.tolist(), strict=True)]
    queries = [(query, place) for query, place in queries if query.any()]
    queries += [(query, -1) for query in recent]
    places = np.array([place for _, place in queries], dtype=np.int64)
    return MultiSample([query for query, _ in queries], places, len(recent))


def _compare(
    exact: NDArray[np.float32], asked: MultiSample, sets: MultiRows, encoder: TokenEncoder
) -> None:
    """Fill in distances (q, m) of queries to some sets, so near that they tell the closest."""
    coded = CodedSets(sets.starts, encoder.encode(sets.values), encoder)
    rows = np.arange(len(sets))
    for place, query in enumerate(asked.queries):
        exact[place] = coded.distances(query, rows)


def _ranks(
    made: Made, asked: MultiSample, exact: NDArray[np.float32]
) -> Sequence[NDArray[np.int64]]:
    """Return before how many sets each of the closest is put, for each query."""
    found = []
    for place, (query, own) in enumerate(zip(asked.queries, asked.own.tolist(), strict=True)):
        closest = probe.closest_of(exact[place], own)
        found.append(probe.ranks_of(made.estimates(query), closest, own))
    return found
