"""Turning live sets of vectors into a segment: gather, write. Runs in the background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.kinds.multi.growing import MultiGrowing
from palimpsest.index.kinds.multi.rows import MultiRows, join_rows, rounded_rows
from palimpsest.index.kinds.multi.sealed import MultiSealed, describe
from palimpsest.index.segments.build import PIECE, Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.originals import keep
from palimpsest.index.segments.points import PointColumns, points_at
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import Array, write_folder

MultiPart: TypeAlias = MultiGrowing | MultiSealed


def write_multi(
    folder: Directory, parts: Sequence[tuple[MultiPart, Dead]], to: Build[MultiConfig]
) -> int | None:
    """Write the live rows of parts as a segment; return its checksum, None when cancelled."""
    config = to.config
    chosen = [(part, dead.live_rows(part.n)) for part, dead in parts]
    pieces = [
        part.rows_of(rows[start : start + PIECE])
        for part, rows in chosen
        for start in range(0, len(rows), PIECE)
    ]
    rows = rounded_rows(join_rows(pieces, config.size), config)
    points = PointColumns(**points_at([(part.columns, rows) for part, rows in chosen]))
    if to.cancelled():
        return None
    arrays = {**points.files(), **_files(rows, config)}
    return write_folder(folder, arrays, {**to.said, **describe(config, to.seed)}, to.admitted)


def _files(rows: MultiRows, config: MultiConfig) -> dict[str, Array]:
    kept = keep(rows.values, "float16" if config.originals == "float16" else "float32")
    assert kept is not None
    files: dict[str, Array] = {"starts": rows.starts, "kept": np.ascontiguousarray(kept)}
    if rows.lengths is not None and config.token.keeps_lengths:
        files["lengths"] = rows.lengths
    return files
