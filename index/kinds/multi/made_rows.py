"""Rows of one generator while a segment is made: coded, and linked where there are enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.kinds.multi.candidates import files_of
from palimpsest.index.kinds.multi.generators import (
    FOLDED,
    Finished,
    RowMaker,
    folded,
    scale_of,
    scaled,
    unit_rows,
)
from palimpsest.index.kinds.multi.rows import MultiRows
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.graph import Graph, build
from palimpsest.index.types import Codes, Distance, Distances, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class MadeRows:
    """Codes of the rows of sets, in the order that these are read in."""

    maker: RowMaker
    encoder: Encoder
    codes: Codes
    linked: Vectors | None  # what a graph is built over
    unit: bool  # whether that is brought to length 1
    scale: np.float32  # of vectors, whose sums of squares are floats then

    @classmethod
    def begun(
        cls,
        maker: RowMaker,
        sample: MultiRows,
        n: int,
        to: Build[MultiConfig],
        *,
        linked: bool,
    ) -> MadeRows:
        """Return room for the rows of n sets, whose codes are fitted to some of them."""
        rows = maker.generator.rows(to.config)
        unit = to.config.distance is Distance.COSINE
        scale = np.float32(1) if unit else scale_of(sample.values)
        some = maker.documents(_scaled(sample, scale))
        encoder = Encoder.fit(some, Distance.DOT, int(rows.encoding), to.seed)
        codes = np.empty((n, encoder.row_bytes), dtype=np.uint8)
        room = np.empty((n, min(maker.size, FOLDED)), dtype=np.float32) if linked else None
        return cls(maker, encoder, codes, room, unit, scale)

    @property
    def name(self) -> str:
        """What it is called where a probe is told."""
        return self.maker.generator.name

    def fill(self, piece: slice, sets: MultiRows) -> None:
        """Take the next sets, those of ``piece``."""
        rows = self.maker.documents(_scaled(sets, self.scale))
        self.codes[piece] = self.encoder.encode(rows)
        if self.linked is not None:
            self.linked[piece] = unit_rows(folded(rows)) if self.unit else folded(rows)

    def estimates(self, query: Vectors) -> Distances:
        """Return what all sets (n,) are ranked by for a query (t, d)."""
        return self.encoder.estimate(self.maker.query(query), self.codes)

    def finished(self, to: Build[MultiConfig], depth: int) -> Finished | None:
        """Return what is written, in the order of the graph; None when cancelled."""
        codes, order, graph = self.codes, None, None
        if self.linked is not None:
            graph = self._graph(to, self.linked)
            if graph is None:
                return None
            order = graph.order
            codes = codes[order]
        return Finished(*files_of(self.maker, (self.encoder, codes), graph, depth), order)

    def _graph(self, to: Build[MultiConfig], linked: Vectors) -> Graph | None:
        return build(
            linked,
            to.config.distance,  # under cosine rows are about equally long: links by angle
            self.maker.generator.rows(to.config),
            seed=to.seed,
            threads=to.threads,
            cancelled=to.cancelled,
            firm=to.firm,
        )


def _scaled(sets: MultiRows, scale: np.float32) -> MultiRows:
    return MultiRows(sets.starts, scaled(sets.values, scale))


def bytes_of(rows: VectorConfig, n: int) -> int:
    """Return about how many bytes it takes to make n rows."""
    codes = rows.size * int(rows.encoding) // 8 + 8
    return n * (codes + min(rows.size, FOLDED) * 4 + FOLDED // 2 + 4 * 2 * rows.M)
