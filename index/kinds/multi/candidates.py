"""What candidates of MaxSim are found by: a coded row for each set of a segment, or lists.

Lists are those of ``lists``. Rows are those of a dense segment without originals: scanned, or
walked to over a graph, with all that dense searches know of filters, copies and dead rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from pyroaring import BitMap

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import MAX_EF, VectorConfig
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.kinds.multi import lists
from palimpsest.index.kinds.multi.exact import CodedSets
from palimpsest.index.kinds.multi.generators import RowMaker
from palimpsest.index.search.dense import search_parts
from palimpsest.index.search.plan import SearchRequest, resolve
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.graph import Graph
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.segments.segment import OfPoints
from palimpsest.index.storage.files import Array, Folder
from palimpsest.index.types import Codes, Distance, Distances, Rows, SearchStats, Vectors
from palimpsest.index.view.view import SealedPart, VectorView

ROWS = "rows_"
PREFIXES = (ROWS, lists.PREFIX)  # what names of files of candidates begin with
# Rows that a walk keeps, per candidate (``generators.FOLDED``).
_EF = 3.0


class SetCandidates(Protocol):
    """What finds the sets of a segment that are compared with a query."""

    @property
    def depth(self) -> int:
        """How many of the closest are compared by MaxSim."""

    def closest(
        self, query: Vectors, count: int, dead: Dead, allowed: BitMap | None, stats: SearchStats
    ) -> Rows:
        """Return about ``count`` rows that come closest to a query (t, d), or more that tie.

        Args:
            query: checked, and not all zeros.
            count: at least 1.
            dead: which rows are not found.
            allowed: numbers of the points that may be found, None for all.
            stats: what is done is added to.
        """

    def compared(
        self,
        query: Vectors,
        coded: CodedSets,
        count: int,
        dead: Dead,
        allowed: BitMap | None,
        until: int | None,
        stats: SearchStats,
    ) -> tuple[Rows, Distances]:
        """Return the rows of ``closest``, in no order, and their distances by codes.

        Where ``until`` is so many, those are left out that are unlikely to be among the so many
        closest, if that is known before they are compared.
        """

    @property
    def nbytes(self) -> tuple[int, int]:
        """Bytes of codes, and of links or lists, in memory."""

    @property
    def ids_nbytes(self) -> int:
        """Bytes that searches hold by row, now."""


@dataclass(frozen=True, slots=True, eq=False)
class CandidateRows:
    """The rows of a segment; ``depth`` is how many of the closest are compared by MaxSim."""

    maker: RowMaker
    config: VectorConfig  # of the rows
    dense: Sealed
    depth: int
    links: int  # bytes

    @classmethod
    def of(
        cls,
        maker: RowMaker,
        config: MultiConfig,
        points: OfPoints,
        coded: tuple[Encoder, Codes],
        graph: Graph | None,
        depth: int,
    ) -> CandidateRows:
        """Return rows by their codes, in the order of a segment's points."""
        encoder, codes = coded
        rows = maker.generator.rows(config)
        searcher = Searcher(
            Distance.DOT, rows.size, None, encoder=encoder, codes=codes, graph=graph
        )
        dense = Sealed(
            **{**points, "description": {}, "lacking": ()},  # type: ignore[arg-type]
            kept=None,
            lengths=None,
            codes=codes,
            encoder=encoder,
            searcher=searcher,
            bytes_by_component={},
        )
        return cls(maker, rows, dense, depth, 0 if graph is None else graph.nbytes)

    def closest(
        self, query: Vectors, count: int, dead: Dead, allowed: BitMap | None, stats: SearchStats
    ) -> Rows:
        """Return about ``count`` rows that come closest, as ``SetCandidates.closest``."""
        part = SealedPart(self.dense, dead)
        view: VectorView[VectorConfig, Any, Sealed] = VectorView(self.config, (part,), ())
        row = self.maker.query(query)
        plan = resolve(
            SearchRequest(row, k=count, ef=min(int(_EF * count), MAX_EF), rescore=False),
            self.config,
        )
        ((_, hits),), own = search_parts(view, row, plan, allowed)
        stats.visited += own.visited
        stats.scored += own.scored
        return hits.rows

    def compared(
        self,
        query: Vectors,
        coded: CodedSets,
        count: int,
        dead: Dead,
        allowed: BitMap | None,
        until: int | None,
        stats: SearchStats,
    ) -> tuple[Rows, Distances]:
        """Return candidates and their distances by codes: of all, whatever ``until``."""
        started = perf_counter()
        rows = self.closest(query, count, dead, allowed, stats)
        started = stats.took_since("traverse", started)
        stats.scored += len(rows)
        distances = coded.distances(query, rows)
        stats.took_since("maxsim", started)
        return rows, distances

    @property
    def nbytes(self) -> tuple[int, int]:
        """Bytes of codes and of links in memory."""
        assert self.dense.codes is not None
        return self.dense.codes.nbytes, self.links

    @property
    def ids_nbytes(self) -> int:
        """Bytes that searches hold by row, now."""
        return self.dense.searcher.nbytes


def files_of(
    maker: RowMaker, coded: tuple[Encoder, Codes], graph: Graph | None, depth: int
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays of rows under their names in a folder, and what a description says."""
    encoder, codes = coded
    arrays = {f"{ROWS}codes": codes}
    arrays |= {f"{ROWS}encoder_{name}": array for name, array in encoder.arrays().items()}
    if graph is not None:
        arrays |= {f"{ROWS}graph_{name}": array for name, array in graph.arrays().items()}
    return arrays, {
        "maker": maker.to_json(),
        "encoder": encoder.to_json(),
        "graph": None if graph is None else graph.to_json(),
        "depth": depth,
    }


def opened(files: Folder, points: OfPoints, config: MultiConfig) -> SetCandidates | None:
    """Return what a segment has; None where that is nothing, or a file of it is damaged."""
    said: Mapping[str, Any] | None = files.description.get("candidates")
    if said is None or any(name.startswith(PREFIXES) for name in files.lacking):
        return None
    if said.get("lists"):
        return lists.opened(files, said, points["numbers"], config.size)
    codes = files.loaded(f"{ROWS}codes")
    if codes.dtype != np.uint8 or codes.ndim != 2 or len(codes) != points["n"]:
        raise ValueError(f"{ROWS}codes ({codes.dtype} of {codes.shape}) do not fit the sets")
    encoder = Encoder.from_json(said["encoder"], _prefixed(files, f"{ROWS}encoder_"))
    graph = None
    if said["graph"] is not None:
        graph = Graph.from_arrays(said["graph"], _prefixed(files, f"{ROWS}graph_"))
    maker = RowMaker.from_json(said["maker"])
    return CandidateRows.of(maker, config, points, (encoder, codes), graph, said["depth"])


def _prefixed(files: Folder, prefix: str) -> dict[str, Array]:
    names = [name.removesuffix(".npy") for name in files.buffers]
    return {name[len(prefix) :]: files.loaded(name) for name in names if name.startswith(prefix)}
