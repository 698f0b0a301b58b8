"""Turning live rows into a segment: encode, build the graph, reorder, write.

Before it is written a segment is probed (``probe``), and what its searches need is decided
(``deciding``). Runs in the background beside searches, so its time goes into native calls and
numpy calls on pieces, which let other threads run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.normalise import Lengths, rounded
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.build import PIECE, Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.deciding import WIDER, Decided, Means, decide, widened
from palimpsest.index.segments.effort import PLANNED, Effort
from palimpsest.index.segments.graph import Graph, build
from palimpsest.index.segments.growing import Growing
from palimpsest.index.segments.originals import Kept, keep
from palimpsest.index.segments.points import PointColumns, points_at
from palimpsest.index.segments.probe import (
    Cancelled,
    Find,
    ProbeSample,
    Recall,
    draw,
    resolution,
    source_of,
)
from palimpsest.index.segments.sealed import GRAPH_ROWS, Coded, Sealed, describe, is_walked
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.segments.trust import FEWEST_ROWS, Walks, finds_less, usual_distance
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import write_folder
from palimpsest.index.types import Distance, Rows, Vector, Vectors

# At least so many of the closest rows of a segment, as searches without parameters find them.
ClosestRows: TypeAlias = Callable[[Sealed, VectorConfig, Vector, int], Rows]


@dataclass(frozen=True, slots=True, eq=False)
class LiveRows(PointColumns):
    """Rows to write, in any order."""

    vectors: Vectors
    lengths: Lengths | None  # that they were given with, None where none are kept
    coded: Coded | None = None  # where vectors were decoded: what they were decoded from
    encoding: str | None = None  # that was asked for when they were coded

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.slots)


def live_rows(parts: Sequence[tuple[Growing | Sealed, Dead]]) -> LiveRows:
    """Return the rows of the parts that are not dead; a whole growing part is not copied."""
    first, dead = parts[0]
    whole = first.in_memory if len(parts) == 1 and dead.count == 0 else None
    chosen = [(part, dead.live_rows(part.n)) for part, dead in parts]
    return LiveRows(
        **points_at([(part.columns, rows) for part, rows in chosen]),
        vectors=_gathered(chosen) if whole is None else whole,
        lengths=_lengths(chosen),
        coded=first.only_codes(chosen[0][1]) if len(parts) == 1 else None,
        encoding=first.encoding,
    )


def _gathered(chosen: Sequence[tuple[Growing | Sealed, NDArray[np.intp]]]) -> Vectors:
    n, start = sum(len(rows) for _, rows in chosen), 0
    vectors: Vectors | None = None
    for part, rows in chosen:
        for first in range(0, len(rows), PIECE):
            some = part.vectors_of(rows[first : first + PIECE])
            if vectors is None:
                vectors = np.empty((n, some.shape[1]), dtype=np.float32)
            vectors[start : start + len(some)] = some
            start += len(some)
    return np.empty((0, 0), dtype=np.float32) if vectors is None else vectors


def _lengths(chosen: Sequence[tuple[Growing | Sealed, NDArray[np.intp]]]) -> Lengths | None:
    """Return the lengths of rows, 0 where a part has none; None where no part has."""
    known = [part.lengths_of(rows) for part, rows in chosen]
    if all(one is None for one in known):
        return None
    return np.concatenate(
        [
            np.zeros(len(rows), dtype=np.float32) if one is None else one
            for one, (_, rows) in zip(known, chosen, strict=True)
        ]
    )


def write_segment(
    folder: Directory,
    rows: LiveRows,
    to: Build[VectorConfig],
    closest_rows: ClosestRows | None = None,
) -> int | None:
    """Write the rows as a segment; return the checksum to open it by, None when cancelled.

    ``closest_rows`` is what is probed, None for nothing.
    """
    config = to.config
    rows = replace(rows, vectors=rounded(rows.vectors, config))  # others were before they came
    graph: Graph | None = None
    order = np.arange(rows.n, dtype=np.uint32)
    if is_walked(config) and rows.n >= GRAPH_ROWS:
        graph = build(
            rows.vectors,
            config.distance,
            config,
            seed=to.seed,
            threads=to.threads,
            cancelled=to.cancelled,
            firm=to.firm,
        )
        if graph is None:
            return None
        order = graph.order
    ordered = _reordered(rows, order)
    arrays = ordered.files()
    if ordered.lengths is not None and config.keeps_lengths:
        arrays["lengths"] = ordered.lengths
    description = {**to.said, **describe(config, to.seed)}
    kept = _kept(ordered.vectors, config)
    if kept is not None:
        arrays["kept"] = kept
    try:
        coded, decided = _probed(_Parts(ordered, kept, graph), to, closest_rows)
    except Cancelled:
        return None
    if decided is not None:
        description["probe"] = decided.probed.to_json()
        description["effort"] = decided.effort.to_json()
    description["encoder"] = None
    if coded is not None:
        description["encoder"] = coded.encoder.to_json()
        arrays["codes"] = coded.codes
        arrays |= {f"encoder_{name}": array for name, array in coded.encoder.arrays().items()}
    description["graph"] = None
    if graph is not None:
        description["graph"] = graph.to_json()
        arrays |= {f"graph_{name}": array for name, array in graph.arrays().items()}
    if to.cancelled():
        return None
    return write_folder(folder, arrays, description, to.admitted)


def _reordered(rows: LiveRows, order: NDArray[np.uint32]) -> LiveRows:
    vectors = np.empty_like(rows.vectors)
    for first in range(0, rows.n, PIECE):
        piece = order[first : first + PIECE]
        np.take(rows.vectors, piece, axis=0, out=vectors[first : first + PIECE], mode="clip")
    return LiveRows(
        **points_at([(rows, order.astype(np.intp))]),
        vectors=vectors,
        lengths=None if rows.lengths is None else rows.lengths[order],
        coded=None if rows.coded is None else Coded(rows.coded.encoder, rows.coded.codes[order]),
        encoding=rows.encoding,
    )


class _Parts(NamedTuple):
    """What a segment is made of beside its codes."""

    rows: LiveRows
    kept: Kept | None
    graph: Graph | None

    def segment(self, coded: Coded | None, config: VectorConfig, effort: Effort) -> Sealed:
        """Return it in memory alone, searched at an effort."""
        encoder, codes = (None, None) if coded is None else coded
        rows = self.rows
        searcher = Searcher(
            config.distance,
            config.size,
            self.kept,
            encoder=encoder,
            codes=codes,
            graph=self.graph,
        )
        return Sealed(
            name="",
            n=rows.n,
            slots=rows.slots,
            by_slot=np.empty(0, dtype=np.uint32),
            seqs=rows.seqs,
            numbers=rows.numbers,
            ids=rows.ids,
            kept=self.kept,
            lengths=rows.lengths,
            codes=codes,
            encoder=encoder,
            searcher=searcher,
            description={},
            bytes_by_component={},
            disk={},
            lacking=(),
            effort=effort,
        )


def _probed(
    parts: _Parts, to: Build[VectorConfig], closest_rows: ClosestRows | None
) -> tuple[Coded | None, Decided | None]:
    """Return the codes of rows, and what was decided of them; None for what there is not."""
    config, vectors = to.config, parts.rows.vectors
    coded = parts.rows.coded if _stay(parts.rows, config) else None
    renewed = coded is not None
    coded = coded or _coded(vectors, to, _bits(config))
    bits = _bits(config) if coded is None else coded.encoder.bits
    if closest_rows is None or (coded is None and parts.graph is None) or to.cancelled():
        return coded, None
    kept = parts.rows.vectors if parts.kept is None else parts.kept
    source = source_of(kept, config, to.cancelled)
    sample = draw(source, to.recent, to.seed)
    if sample is None:
        return coded, None
    made = {bits: coded}

    def with_bits(bits: int) -> Callable[[Effort], Find]:
        if bits not in made:
            made[bits] = _coded(vectors, to, bits)
        return lambda effort: _find(parts.segment(made[bits], config, effort), config, closest_rows)

    def walks(bits: int, effort: Effort) -> Walks:
        segment = parts.segment(made[bits], config, effort)
        plain = segment.trusting(math.inf)
        return Walks(_find(plain, config, closest_rows), _find(segment, config, closest_rows))

    clear = None if coded is None else resolution(sample, coded.encoder, coded.codes)
    decided = decide(
        sample,
        Means(
            bits=bits,
            walked=parts.graph is not None,
            keeps_originals=parts.kept is not None,
            fixed=config.fixed_encoding,
            resolution=clear,
            with_bits=with_bits,
            renewed=renewed,
        ),
    )
    if parts.graph is not None and parts.rows.n > FEWEST_ROWS and not decided.effort.scan:
        decided = _trusting(decided, sample, lambda effort: walks(decided.bits, effort))
    return made[decided.bits], decided


def _trusting(decided: Decided, sample: ProbeSample, walks: Callable[[Effort], Walks]) -> Decided:
    """Return what was decided with the distance up to which plain walks are trusted.

    Where plain walks find less than wanted, and twice as wide ones are trusted, those are taken:
    they cost less than looking into every search, and find more.
    """
    planned = walks(decided.effort)
    recalls = sample.recalls(planned.plain)
    usual = usual_distance(sample, planned, recalls)
    if usual is None and decided.effort == PLANNED and finds_less(sample, recalls):
        wider = walks(WIDER)
        recalls = sample.recalls(wider.plain)
        usual = usual_distance(sample, wider, recalls)
        if usual is not None:
            decided = widened(decided, Recall.of(recalls))
    return decided._replace(probed=decided.probed._replace(usual=usual))


def _stay(rows: LiveRows, config: VectorConfig) -> bool:
    """Tell whether codes are what is wanted; a size that was asked for by name is that one."""
    if rows.coded is None or rows.encoding != config.encoding:
        return False
    return not config.fixed_encoding or rows.coded.encoder.bits == _bits(config)


def _find(segment: Sealed, config: VectorConfig, closest_rows: ClosestRows) -> Find:
    return lambda query, k: closest_rows(segment, config, query, k)


def _bits(config: VectorConfig) -> int:
    """Return the bits of a dimension that are asked for, 0 without codes."""
    if config.encoding == "float32" or config.distance is Distance.MANHATTAN:
        return 0
    return int(config.encoding)


def _coded(vectors: Vectors, to: Build[VectorConfig], bits: int) -> Coded | None:
    if not bits:
        return None
    encoder = Encoder.fit(vectors, to.config.distance, bits, seed=to.seed)
    return Coded(encoder, encoder.encode(vectors))


def _kept(vectors: Vectors, config: VectorConfig) -> Kept | None:
    if config.originals == "float32":
        return vectors
    first = keep(vectors[:PIECE], config.originals)
    if first is None:
        return None
    kept = np.empty((len(vectors), first.shape[1]), dtype=first.dtype)
    for start in range(0, len(vectors), PIECE):
        kept[start : start + PIECE] = keep(vectors[start : start + PIECE], config.originals)
    return kept
