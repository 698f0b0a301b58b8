"""Turning live sets of vectors into a segment: find rows for candidates, order, write.

Runs in the background. Sets are read twice, piece by piece: once to make what finds them, and once
in the order of its graph to be written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import Originals
from palimpsest.index.encoding.tokens import TokenEncoder
from palimpsest.index.kinds.multi.finding import bytes_of, find_candidates
from palimpsest.index.kinds.multi.live import PIECE_NUMBERS, LiveSets, MultiPart, Places
from palimpsest.index.kinds.multi.pooled import Labels, type_of
from palimpsest.index.kinds.multi.rows import starts_of
from palimpsest.index.kinds.multi.sealed import describe
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.originals import keep
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import Array, Streamed, write_folder

_COLUMNS = 96  # bytes a set of ids, slots, numbers and starts, in memory and written


def write_multi(
    folder: Directory, parts: Sequence[tuple[MultiPart, Dead]], to: Build[MultiConfig]
) -> int | None:
    """Write the live rows of parts as a segment; return its checksum, None when cancelled."""
    config = to.config
    live = LiveSets(parts, config)
    found = find_candidates(live, to)
    if to.cancelled():
        return None
    order: NDArray[Any] = np.arange(len(live))
    if found is not None and found.finished.order is not None:
        order = found.finished.order
    arrays: dict[str, Array | Streamed] = {**live.points(order).files(), **_sets(live, order, to)}
    said: dict[str, Any] = {"candidates": None, "probe": None}
    if found is not None:
        said = {"candidates": found.finished.said, "probe": found.probed.to_json()}
        arrays |= found.finished.files
    description = {**to.said, **describe(config, to.seed), **said}
    return write_folder(folder, arrays, description, to.admitted)


def bytes_to_write(config: MultiConfig, sets: int, vectors: int) -> int:
    """Return about how much memory it takes to write sets of so many vectors together."""
    return sets * _COLUMNS + bytes_of(config, sets, vectors) + 4 * 4 * PIECE_NUMBERS


def _sets(live: LiveSets, order: Places, to: Build[MultiConfig]) -> dict[str, Array | Streamed]:
    """Return the files of sets: as they are kept, and as they are coded."""
    config, counts = to.config, live.counts[order]
    coded = live.coded_counts[order]
    files: dict[str, Array | Streamed] = {}
    if config.originals == "none":
        counts = coded
    else:
        files |= _kept(live, order, config, int(counts.sum()))
    files["starts"] = starts_of(counts)
    if config.is_coded:
        encoder = TokenEncoder(config.size, config.token_bits)
        shape = int(coded.sum()), encoder.row_bytes
        files["token_signs"] = encoder.signs
        labels = _Labels(live, order, type_of(coded))

        def codes(places: Places) -> Array:
            found, own = live.coded(places, encoder)
            labels.add(own)
            return found

        files["tokens"] = _streamed(live, order, shape, np.uint8, codes)
        if config.originals != "none":
            if config.pool > 1:
                files["token_starts"] = starts_of(coded)
        elif live.is_pooled:
            files["given_starts"] = labels.starts
            files["token_labels"] = labels.streamed()  # after ``tokens``, which it is made with
    return files


class _Labels:
    """Labels of sets that are coded: a byte or two a vector, held until codes are written."""

    def __init__(self, live: LiveSets, order: Places, dtype: np.dtype[Any]) -> None:
        self._dtype, self._pieces, self._made = dtype, list[Array](), 0
        self.starts = starts_of(live.given_counts[order])

    def add(self, labels: Labels) -> None:
        """Take those of the next piece."""
        self._pieces.append(labels.astype(self._dtype))
        self._made += len(labels)

    def streamed(self) -> Streamed:
        """Return the file of all of them, written once all are there."""

        def pieces() -> Iterator[Array]:
            if self._made != self.starts[-1]:
                raise RuntimeError(f"{self._made} labels of {self.starts[-1]} vectors")
            return iter(self._pieces)

        return Streamed((int(self.starts[-1]),), self._dtype, pieces)


def _kept(
    live: LiveSets, order: Places, config: MultiConfig, m: int
) -> dict[str, Array | Streamed]:
    numbers: Originals = "float16" if config.originals == "float16" else "float32"

    def kept(places: Places) -> Array:
        one = keep(live.take(places).values, numbers)
        assert one is not None
        return one

    def lengths(places: Places) -> Array:
        one = live.take(places)
        return np.zeros(len(one.values), np.float32) if one.lengths is None else one.lengths

    files: dict[str, Array | Streamed] = {}
    files["kept"] = _streamed(live, order, (m, config.size), np.dtype(numbers), kept)
    if config.token.keeps_lengths:
        files["token_lengths"] = _streamed(live, order, (m,), np.float32, lengths)
    return files


def _streamed(
    live: LiveSets,
    order: Places,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    of: Callable[[Places], Array],
) -> Streamed:
    """Return an array that is made of sets piece by piece."""
    return Streamed(
        shape, np.dtype(dtype), lambda: (of(order[piece]) for piece in live.pieces(order))
    )
