"""A segment of sets of vectors on disk that never change.

Files beside those of every segment (``index.segments.segment``): ``starts`` (n + 1,) i64, where
sets start among all vectors; ``kept`` (m, d) f32 or f16, the vectors as they are compared exactly;
``lengths`` (m,) f32 where they are kept. Ids, numbers and starts are read into memory; the rest
stays mapped.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.encoding.normalise import Lengths
from palimpsest.index.errors import Damaged
from palimpsest.index.kinds.multi.exact import Sets
from palimpsest.index.kinds.multi.rows import MultiRows, Starts, places_of
from palimpsest.index.segments.originals import Kept, restore
from palimpsest.index.segments.segment import NumbersOf, Segment, of_points, open_segment
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import Array, Folder
from palimpsest.index.types import Distance

_CHOICES = ("originals", "numbers")


@dataclass(frozen=True, slots=True, eq=False)
class MultiSealed(Segment):
    """An opened segment; ``kept`` and ``lengths`` are mapped."""

    starts: Starts
    kept: Kept
    lengths: Lengths | None
    sets: Sets

    @classmethod
    def open(
        cls, folder: Directory, checksum: int, numbers_of: NumbersOf | None = None
    ) -> MultiSealed:
        """Open and check a segment; arguments and errors are those of ``open_segment``."""
        return open_segment(folder, checksum, spare, lambda files: cls._of(files, numbers_of))

    @classmethod
    def _of(cls, files: Folder, numbers_of: NumbersOf | None) -> MultiSealed:
        described = files.description
        kind = described.get("kind")
        if kind != MultiConfig.kind:
            raise Damaged(files.path, MultiConfig.kind, kind, "kind of rows")
        points = of_points(files, numbers_of)
        starts, kept = files.loaded("starts"), files.mapped("kept")
        lengths = files.mapped("lengths") if files.has("lengths") else None
        _require(points["n"], starts, kept, lengths, described["size"])
        lengths_bytes = 0 if lengths is None else lengths.nbytes
        return cls(
            **points,
            starts=starts,
            kept=kept,
            lengths=lengths,
            sets=Sets(starts, kept, Distance(described["distance"])),
            bytes_by_component={
                "ids": points["ids"].nbytes + points["numbers"].nbytes + starts.nbytes,
                "originals_mapped": kept.nbytes + lengths_bytes,
            },
        )

    def is_outdated(self, config: MultiConfig) -> bool:
        """Tell whether it was written otherwise than its column is wanted now, or lacks files."""
        wanted = describe(config, 0)
        return bool(self.lacking) or any(self.description[n] != wanted[n] for n in _CHOICES)

    def rows_of(self, rows: NDArray[np.integer[Any]]) -> MultiRows:
        """Return some rows, in the order asked for."""
        starts, places = places_of(self.starts, rows)
        lengths = None if self.lengths is None else self.lengths[places]
        return MultiRows(starts, restore(self.kept[places]), lengths)


def spare(names: Collection[str]) -> set[str]:
    """Return the files of a segment that can be made anew from the others."""
    return {"by_slot.npy"} & {*names}


def describe(config: MultiConfig, seed: int) -> dict[str, Any]:
    """Return what a segment's description says of its space."""
    return {
        "kind": config.kind,
        "size": config.size,
        "distance": str(config.distance),
        "originals": config.originals,
        "numbers": config.token.numbers,
        "seed": seed,
    }


def _require(n: int, starts: Array, kept: Array, lengths: Array | None, size: int) -> None:
    """Require arrays to be those of n sets. Raises ValueError."""
    if starts.dtype != np.int64 or starts.shape != (n + 1,):
        raise ValueError(f"starts ({starts.dtype} of {starts.shape}) do not fit {n} sets")
    rising = bool((starts[1:] > starts[:-1]).all())
    if not rising or starts[0] != 0 or starts[-1] != len(kept):
        raise ValueError(f"starts do not rise from 0 to {len(kept)}")
    if kept.dtype.name not in ("float32", "float16") or kept.shape[1:] != (size,):
        raise ValueError(f"kept ({kept.dtype} of {kept.shape}) is not of {size} dimensions")
    if lengths is not None and (lengths.dtype != np.float32 or lengths.shape != (len(kept),)):
        raise ValueError(f"lengths ({lengths.dtype} of {lengths.shape}) do not fit the vectors")
