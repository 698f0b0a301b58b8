"""The live sets of several parts as one list, read piece by piece: they need not fit in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.encoding.pooling import pool_tokens
from palimpsest.index.encoding.tokens import TokenEncoder
from palimpsest.index.kinds.multi.growing import MultiGrowing
from palimpsest.index.kinds.multi.pooled import Labels, Pooled, unpooled
from palimpsest.index.kinds.multi.rows import (
    MultiRows,
    join_rows,
    places_of,
    rounded_rows,
    starts_of,
)
from palimpsest.index.kinds.multi.sealed import MultiSealed
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.points import PointColumns, points_at
from palimpsest.index.types import Codes, Distance

MultiPart: TypeAlias = MultiGrowing | MultiSealed
Places: TypeAlias = NDArray[np.integer]

PIECE_NUMBERS = 1 << 22  # of vectors read at once, or of one set: 16 MB
PIECE_SETS = 512


class _CodedPiece(NamedTuple):
    """Sets of one part: how many codes each has, the codes, and as much of their labels."""

    counts: NDArray[np.int64]
    codes: Codes
    given: NDArray[np.int64]
    labels: Labels


class LiveSets:
    """The sets of parts that are not dead, one part after the other."""

    def __init__(self, parts: Sequence[tuple[MultiPart, Dead]], config: MultiConfig) -> None:
        self._config = config
        self._chosen = [(part, dead.live_rows(part.n)) for part, dead in parts]
        self._ends = np.cumsum([0, *(len(rows) for _, rows in self._chosen)])
        counts = [np.diff(_starts(part))[rows] for part, rows in self._chosen]
        self.counts: NDArray[np.int64] = np.concatenate([np.empty(0, np.int64), *counts])
        pooled = [
            count if _is_decoded(part) else -(-count // config.pool)
            for count, (part, _) in zip(counts, self._chosen, strict=True)
        ]
        self.coded_counts: NDArray[np.int64] = np.concatenate([np.empty(0, np.int64), *pooled])
        given = [
            count if (own := pooled_of(part)) is None else np.diff(own.starts)[rows]
            for count, (part, rows) in zip(counts, self._chosen, strict=True)
        ]
        self.given_counts: NDArray[np.int64] = np.concatenate([np.empty(0, np.int64), *given])

    @property
    def is_pooled(self) -> bool:
        """Whether a coded vector may stand for several that were given."""
        return self._config.pool > 1 or any(pooled_of(part) is not None for part, _ in self._chosen)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def points(self, order: Places) -> PointColumns:
        """Return whose sets they are, in some order."""
        columns = PointColumns(**points_at([(part.columns, rows) for part, rows in self._chosen]))
        return PointColumns(**points_at([(columns, order.astype(np.intp))]))

    def take(self, places: Places) -> MultiRows:
        """Return some sets in the numbers they are kept in, in the order asked for."""
        found = [(here, part.rows_of(rows)) for here, part, rows in self._by_part(places)]
        joined = join_rows([sets for _, sets in found], self._config.size)
        back = _order(here for here, _ in found)
        ordered = joined if (back == np.arange(len(back))).all() else joined.take(back)
        return rounded_rows(ordered, self._config)

    def coded(self, places: Places, encoder: TokenEncoder) -> tuple[Codes, Labels]:
        """Return the codes of some sets, and which of them stands for each vector as given.

        Those of sets whose originals are not kept stay as they are: coded again they would lose
        again. They have been pooled.

        Returns:
            Codes (m, row bytes) of one set after the other, and labels (m',) of
            ``index.encoding.pooling`` alike.
        """
        found = self._by_part(places)
        pieces = [self._coded_part(part, rows, encoder) for _, part, rows in found]
        back = _order(here for here, _, _ in found)
        codes = np.concatenate(
            [np.empty((0, encoder.row_bytes), np.uint8), *(p[1] for p in pieces)]
        )
        labels = np.concatenate([np.empty(0, np.uint32), *(p[3] for p in pieces)])
        own = _rearranged([p[0] for p in pieces], back)
        given = _rearranged([p[2] for p in pieces], back)
        return codes[own], labels[given]

    def _coded_part(self, part: MultiPart, rows: Places, encoder: TokenEncoder) -> _CodedPiece:
        kept = part.coded if isinstance(part, MultiSealed) and _is_decoded(part) else None
        if kept is not None and kept.encoder.bits == encoder.bits:
            own, places = places_of(kept.starts, rows)
            counts = np.diff(own)
            return _CodedPiece(counts, kept.codes[places], *_labels_of(part, rows, counts))
        sets = rounded_rows(part.rows_of(rows), self._config)
        if kept is not None:
            given, labels = _labels_of(part, rows, sets.counts)
            return _CodedPiece(sets.counts, encoder.encode(sets.values), given, labels)
        unit = self._config.distance is Distance.COSINE
        pooled = pool_tokens(sets.values, sets.starts, self._config.pool, unit=unit)
        codes = encoder.encode(pooled.values)
        return _CodedPiece(np.diff(pooled.starts), codes, sets.counts, pooled.labels)

    def _by_part(self, places: Places) -> list[tuple[Places, MultiPart, Places]]:
        """Return, of each part that has some of the places, which of them, and its rows."""
        found: list[tuple[Places, MultiPart, Places]] = []
        for number, (part, rows) in enumerate(self._chosen):
            first, last = self._ends[number], self._ends[number + 1]
            here = np.flatnonzero((places >= first) & (places < last))
            if here.size:
                found.append((here, part, rows[places[here] - first]))
        return found

    def pieces(self, order: Places) -> Iterator[slice]:
        """Yield slices of an order whose sets may be read at once."""
        ends = np.cumsum(self.counts[order]) * self._config.size
        first, before = 0, 0
        while first < len(order):
            most = int(np.searchsorted(ends, before + PIECE_NUMBERS, side="right"))
            stop = min(max(most, first + 1), first + PIECE_SETS)
            yield slice(first, stop)
            first, before = stop, int(ends[stop - 1])


def _starts(part: MultiPart) -> NDArray[np.int64]:
    return part.rows.starts if isinstance(part, MultiGrowing) else part.starts


def _is_decoded(part: MultiPart) -> bool:
    return isinstance(part, MultiSealed) and part.kept is None


def pooled_of(part: MultiPart) -> Pooled | None:
    """Return what the vectors of a part stand for, where that is not themselves."""
    return part.pooled if isinstance(part, MultiSealed) else None


def _labels_of(
    part: MultiPart, rows: Places, counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Labels]:
    pooled = pooled_of(part)
    return (counts, unpooled(counts)) if pooled is None else pooled.take(rows)


def _rearranged(counts: Sequence[NDArray[np.int64]], back: Places) -> NDArray[np.int64]:
    """Return the places of the vectors of sets once these stand in another order."""
    starts = starts_of(np.concatenate([np.empty(0, np.int64), *counts]))
    return places_of(starts, back)[1]


def _order(pieces: Iterable[Places]) -> NDArray[np.intp]:
    """Return where what stands piece by piece belongs, by the places of each piece."""
    return np.argsort(np.concatenate([np.empty(0, np.intp), *pieces]), kind="stable")
