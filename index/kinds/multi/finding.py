"""Makes the rows that candidates of a segment are found by: all generators, of which one is kept.

Sets are read piece by piece, once, and nothing of a generator is kept as floats but what a graph is
built over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import NO_GRAPH
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.encoding.tokens import TokenEncoder
from palimpsest.index.kinds.multi import probe
from palimpsest.index.kinds.multi.exact import CodedSets
from palimpsest.index.kinds.multi.generators import (
    FOLDED,
    RowMaker,
    folded,
    generators_of,
    unit_rows,
)
from palimpsest.index.kinds.multi.live import LiveSets
from palimpsest.index.kinds.multi.probe import MultiProbed, MultiSample
from palimpsest.index.kinds.multi.rows import MultiRows
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.graph import Graph, build
from palimpsest.index.segments.sealed import GRAPH_ROWS
from palimpsest.index.types import Codes, Distance, Vectors

_COMPARED_BITS = 8  # of codes by which a probe knows what is closest: several times as quick
_FITTED = 1_024  # sets whose rows an encoder is fitted to


class FoundRows(NamedTuple):
    """The rows that were chosen, in the order of the sets they were made of."""

    maker: RowMaker
    encoder: Encoder
    codes: Codes
    probed: MultiProbed
    graph: Graph | None


@dataclass(slots=True, eq=False)
class _Made:
    """What is known of the rows of one generator."""

    maker: RowMaker
    encoder: Encoder
    codes: Codes
    linked: Vectors | None  # what a graph is built over
    ranks: list[NDArray[np.int64]] = field(default_factory=list)


def find_rows(live: LiveSets, to: Build[MultiConfig]) -> FoundRows | None:
    """Return the rows of sets that find the closest ones by the fewest candidates.

    None where sets are so few that all are compared, where nothing is coded, or when cancelled.
    """
    config, n = to.config, len(live)
    generators = generators_of(config)
    if n < probe.FEWEST_SETS or not generators:
        return None
    linked = config.M != NO_GRAPH and n >= GRAPH_ROWS
    sample = _fitting_sample(live)
    every = [_begun(RowMaker(one, config.size), sample, n, linked, to) for one in generators]
    asked = _asked(live, to)
    exact = np.empty((len(asked.queries), n), dtype=np.float32)
    order, compared = np.arange(n), TokenEncoder(config.size, _COMPARED_BITS)
    for piece in live.pieces(order):
        if to.cancelled():
            return None
        sets = live.take(order[piece])
        for one in every:
            _fill(one, piece, sets, unit=config.distance is Distance.COSINE)
        _compare(exact[:, piece], asked, sets, compared)
    _rank(every, asked, exact)
    probed = probe.decide({one.maker.generator.name: one.ranks for one in every}, asked)
    chosen = next(one for one in every if one.maker.generator.name == probed.generator)
    graph = None
    if chosen.linked is not None:
        graph = _graph(chosen, to)
        if graph is None:
            return None
    return FoundRows(chosen.maker, chosen.encoder, chosen.codes, probed, graph)


def bytes_of(config: MultiConfig, n: int) -> int:
    """Return about how many bytes it takes to make the rows of n sets."""
    sizes = [one.rows(config) for one in generators_of(config)]
    codes = sum(one.size * int(one.encoding) // 8 + 8 for one in sizes)
    linked = sum(min(one.size, FOLDED) for one in sizes) * 4 + FOLDED + 4 * 4 * config.M
    pieces = max((one.size for one in sizes), default=0) * 4 * (_FITTED + 512)
    return n * (codes + linked + 4 * 2 * probe.QUERIES) + pieces


def _fitting_sample(live: LiveSets) -> MultiRows:
    return live.take(np.linspace(0, len(live) - 1, min(_FITTED, len(live))).astype(np.intp))


def _begun(
    maker: RowMaker, sample: MultiRows, n: int, linked: bool, to: Build[MultiConfig]
) -> _Made:
    rows = maker.generator.rows(to.config)
    encoder = Encoder.fit(maker.documents(sample), Distance.DOT, int(rows.encoding), to.seed)
    codes = np.empty((n, encoder.row_bytes), dtype=np.uint8)
    room = np.empty((n, min(maker.size, FOLDED)), dtype=np.float32) if linked else None
    return _Made(maker, encoder, codes, room)


def _fill(made: _Made, piece: slice, sets: MultiRows, *, unit: bool) -> None:
    rows = made.maker.documents(sets)
    made.codes[piece] = made.encoder.encode(rows)
    if made.linked is not None:
        made.linked[piece] = unit_rows(folded(rows)) if unit else folded(rows)


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


def _rank(every: Sequence[_Made], asked: MultiSample, exact: NDArray[np.float32]) -> None:
    for place, (query, own) in enumerate(zip(asked.queries, asked.own.tolist(), strict=True)):
        closest = probe.closest_of(exact[place], own)
        for one in every:
            estimates = one.encoder.estimate(one.maker.query(query), one.codes)
            one.ranks.append(probe.ranks_of(estimates, closest, own))


def _graph(made: _Made, to: Build[MultiConfig]) -> Graph | None:
    assert made.linked is not None
    rows = made.maker.generator.rows(to.config)
    return build(
        made.linked,
        to.config.distance,  # under cosine rows are about equally long, and links by angle better
        rows,
        seed=to.seed,
        threads=to.threads,
        cancelled=to.cancelled,
        firm=to.firm,
    )
