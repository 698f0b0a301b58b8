"""A segment of dense rows on disk that never change.

Files beside those of every ``segment`` (``numbers`` is not in format 1): ``kept`` (see
``originals``; absent where originals are not kept), ``lengths`` (n,) f32 where they are kept,
``codes`` (n, row bytes) u8 with ``encoder_*`` arrays, and ``graph_*`` arrays. Codes, graph, ids and
numbers are read into memory; the rest stays mapped.
The description states the ``effort`` of searches and, under ``probe``, what it was decided by
(``deciding``); segments of earlier releases state neither. Codes may be of more bits than
``encoding``, which is what was wanted, says: ``encoder`` has theirs.
Segments of fewer than ``GRAPH_ROWS`` rows, and all under manhattan distance or without an M, have
no graph.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.vectors import NO_GRAPH, VectorConfig
from palimpsest.index.encoding.normalise import Lengths
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.columns import require_dense
from palimpsest.index.segments.deciding import UNPROBED, Probed
from palimpsest.index.segments.effort import PLANNED, Effort
from palimpsest.index.segments.graph import Graph
from palimpsest.index.segments.originals import Kept, restore
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.segments.segment import NumbersOf, Segment, of_points, open_segment
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import Array, Folder
from palimpsest.index.storage.ids import Ids
from palimpsest.index.types import Codes, Distance, Vectors

# Fewer are scanned as quickly as walked, and a graph of so few is not worth its room.
GRAPH_ROWS = 1_024
_CHOICES = ("encoding", "originals", "M", "ef_construction", "order")
_NUMBERS_BEFORE = {"float16": "float16"}  # by originals, of a segment that does not say


class Coded(NamedTuple):
    """Codes of rows, and what made them."""

    encoder: Encoder
    codes: Codes


@dataclass(frozen=True, slots=True, eq=False)
class Sealed(Segment):
    """An opened segment."""

    kept: Kept | None
    lengths: Lengths | None
    codes: Codes | None
    encoder: Encoder | None
    searcher: Searcher
    effort: Effort = PLANNED  # of its searches
    probed: Probed | None = None  # what that was decided by; None where nothing was probed
    trusted: float | None = None  # up to which distance its walks are, where nothing was probed
    # A list in a frozen class: what a later probe finds is shared by all views that hold the
    # segment, and setting one item is atomic.
    _noted: list[Probed | None] = field(default_factory=list, repr=False)

    @classmethod
    def open(cls, folder: Directory, checksum: int, numbers_of: NumbersOf | None = None) -> Sealed:
        """Open and check a segment; arguments and errors are those of ``open_segment``."""
        return open_segment(folder, checksum, spare, lambda files: cls._of(files, numbers_of))

    @classmethod
    def _of(cls, files: Folder, numbers_of: NumbersOf | None) -> Sealed:
        described, points = files.description, of_points(files, numbers_of)
        require_dense(files, points["n"])
        kept = files.mapped("kept") if files.has("kept") else None
        codes = None
        if files.has("codes") and not _lacks(files, "encoder_"):
            # Copied into memory, unlike originals: codes are read at random for every candidate,
            # originals for few. A page fault for each would cost far more than the comparison.
            codes = files.loaded("codes")
        encoder = graph = None
        if codes is not None:
            encoder = Encoder.from_json(described["encoder"], _prefixed(files, "encoder_"))
        # A graph without the codes it was built over is of no use: walks compare codes.
        is_coded = codes is not None or described["encoder"] is None
        if described["graph"] is not None and is_coded and not _lacks(files, "graph_"):
            graph = Graph.from_arrays(described["graph"], _prefixed(files, "graph_"))
        distance, size = Distance(described["distance"]), described["size"]
        return cls(
            **points,
            kept=kept,
            lengths=files.mapped("lengths") if files.has("lengths") else None,
            codes=codes,
            encoder=encoder,
            searcher=Searcher(distance, size, kept, encoder=encoder, codes=codes, graph=graph),
            bytes_by_component=_bytes_by_component(files, points["ids"], kept, codes),
            effort=Effort.from_json(described.get("effort")),
            probed=Probed.from_json(described.get("probe")),
        )

    @property
    def resident(self) -> Mapping[str, int]:
        """Bytes in memory by component, now."""
        sizes = self.bytes_by_component
        return {**sizes, "ids": sizes.get("ids", 0) + self.searcher.nbytes}

    @property
    def is_scanned(self) -> bool:
        """Whether it was written to have no graph, however many rows it has."""
        return bool(self.description["M"] == NO_GRAPH)

    def is_outdated(self, config: VectorConfig) -> bool:
        """Tell whether it was written under another encoding or graph than is wanted now.

        One that lacks files is, too. One that was written before rows were rounded as they came is,
        unless its originals hold nothing but such numbers.
        """
        wanted = describe(config, seed=0)
        # Damaged spare files are thus mended by the same work that follows a change of settings:
        # the segment is written anew.
        if self.lacking or any(self.description[name] != wanted[name] for name in _CHOICES):
            return True
        numbers = self.description.get("numbers", _NUMBERS_BEFORE.get(config.originals, "float32"))
        return bool(numbers != config.numbers) or _is_decided_otherwise(self, config)

    @property
    def decision(self) -> str:
        """What was decided of its searches, ``unprobed`` where nothing was."""
        return UNPROBED if self.found is None else self.found.decision

    @property
    def found(self) -> Probed | None:
        """What the last probe found, when the segment was written or since it was opened."""
        return self._noted[0] if self._noted else self.probed

    @property
    def usual(self) -> float:
        """The distance up to which its walks are trusted (``trust``), minus infinity for none."""
        found = self.found
        usual = self.trusted if found is None else found.usual
        return -math.inf if usual is None else usual

    def trusting(self, usual: float | None) -> Sealed:
        """Return it unprobed, with walks that are trusted up to another distance."""
        return replace(self, probed=None, trusted=usual, _noted=[])

    @property
    def is_noted(self) -> bool:
        """Tell whether it was probed since it was opened."""
        return bool(self._noted)

    def note(self, probed: Probed | None) -> None:
        """Keep what a probe found since, in memory; None where there was nothing to tell."""
        self._noted[:] = [probed]

    @property
    def in_memory(self) -> None:
        """Rows that are not copied to be written: none, they are mapped."""
        return None

    @property
    def encoding(self) -> str | None:
        """What was asked for when its rows were coded."""
        return self.description.get("encoding")

    def only_codes(self, rows: NDArray[np.intp]) -> Coded | None:
        """Return the codes of rows which have no originals; None in any other case.

        Coded a second time, by another rotation, they would lose as much again.
        """
        if self.kept is not None or self.encoder is None or self.codes is None:
            return None
        return Coded(self.encoder, self.codes[rows])

    def vectors_of(self, rows: NDArray[np.intp]) -> Vectors:
        """Return vectors as they are kept; decoded from the codes where no original is."""
        if self.kept is not None:
            return restore(self.kept[rows])
        assert self.encoder is not None and self.codes is not None
        vectors: Vectors = self.encoder.decode(self.codes[rows])
        return vectors

    def lengths_of(self, rows: NDArray[np.intp]) -> Lengths | None:
        """Return the lengths rows were given with (m,), None where none are kept."""
        return None if self.lengths is None else self.lengths[rows]


def spare(names: Collection[str]) -> set[str]:
    """Return the files of a segment that can be made anew: what originals, or codes, determine."""
    # Without originals the codes are all there is of the rows: damage to them is damage to points.
    derived = ("graph_", "codes", "encoder_") if "kept.npy" in names else ("graph_",)
    return {name for name in names if name == "by_slot.npy" or name.startswith(derived)}


def _lacks(files: Folder, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in files.lacking)


def _prefixed(files: Folder, prefix: str) -> dict[str, Array]:
    names = [name.removesuffix(".npy") for name in files.buffers]
    return {name[len(prefix) :]: files.loaded(name) for name in names if name.startswith(prefix)}


def _bytes_by_component(
    files: Folder, ids: Ids, kept: Kept | None, codes: Codes | None
) -> dict[str, int]:
    return {
        "codes": 0 if codes is None else codes.nbytes,
        "links": sum(array.nbytes for array in _lengths(files, "graph_")),
        "ids": ids.nbytes + 4 * len(ids),  # and the points' numbers
        "originals_mapped": 0 if kept is None else kept.nbytes,
    }


def _lengths(files: Folder, prefix: str) -> list[Array]:
    return [files.mapped(n[:-4]) for n in files.buffers if n.startswith(prefix)]


def is_walked(config: VectorConfig) -> bool:
    """Tell whether segments with enough rows have a graph."""
    return config.M != NO_GRAPH and config.distance is not Distance.MANHATTAN


def _is_decided_otherwise(segment: Sealed, config: VectorConfig) -> bool:
    """Tell whether what was decided was not free to be what it may be now, or the reverse.

    Or less was to be held than is wanted now, and is.
    """
    probed = segment.probed
    if probed is None:
        return False
    if probed.wanted < config.recall and probed.recall.mean < config.recall:
        return True
    if segment.encoder is None:
        return False
    if config.fixed_encoding:
        return segment.encoder.bits != int(config.encoding)
    return probed.fixed and probed.decision in ("short", "scan")


def describe(config: VectorConfig, seed: int) -> dict[str, Any]:
    """Return what a segment's description says of its space and its graph."""
    return {
        "size": config.size,
        "distance": str(config.distance),
        "encoding": config.encoding,
        "originals": config.originals,
        "numbers": config.numbers,
        "M": config.M,
        "ef_construction": config.ef_construction,
        "order": config.order,
        "seed": seed,
    }
