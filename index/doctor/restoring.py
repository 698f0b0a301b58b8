"""Brings back a collection whose store lacks what was answered.

    python -m palimpsest.index.doctor.restoring FOLDER

FOLDER is the collection's, ``DATA/collections/NAME``; no server may run on the data directory. The
store is taken for what it still holds, and the rows of segments that it does not know are written
to it anew. These carry ids and vectors. Not in segments, and so not restorable: payloads written
since, deletions since (such points may be there again), and rows that were not sealed yet. The
files as they were are kept in ``lost+found``.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.collection import Collection
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.errors import PalimpsestError
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.segments.segment import Segment
from palimpsest.index.storage.accept import accept
from palimpsest.index.storage.checked import Spared
from palimpsest.index.storage.directory_lock import repairing
from palimpsest.index.storage.entries import Position
from palimpsest.index.storage.files import DESCRIPTION, described
from palimpsest.index.storage.ids import keys_of, unpack_ids
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.tidying import LOST, SEGMENTS
from palimpsest.index.storage.unfinished import note_restored
from palimpsest.index.types import Slots
from palimpsest.index.upkeep.recover import STORE
from palimpsest.index.write.batch import PointBatch

_PIECE = 4_096  # points written at once


@dataclass
class Restored:
    """What was brought back, and from which state on anything else is lost."""

    stood_at_seq: int
    stood_at_points: int
    vectors: int = 0
    points_without_payload: int = 0
    segments: int = 0
    unread: tuple[str, ...] = ()


def restore(folder: Path) -> Restored:
    """Restore the collection in a folder.

    Raises:
        DirectoryLocked: a server runs on the data directory.
        Damaged: the database itself cannot be read, or is not that of the collection.
    """
    with repairing(folder.parent.parent):
        return restore_held(folder)


def restore_held(folder: Path) -> Restored:
    """Restore as ``restore`` does, where the caller holds the lock of the data directory."""
    position = accept(folder / STORE)
    restored = Restored(position.seq, position.points)
    with closing(Collection.open(folder.name, folder, threads=1, changed=lambda: None)) as opened:
        for segment, column in _in_order(folder, opened, restored):
            _write_rows(opened, segment, column, position, restored)
    note_restored(folder)
    return restored


def _in_order(
    folder: Path, opened: Collection, restored: Restored
) -> Iterator[tuple[Segment, int]]:
    """Yield lost segments and their columns, those with the latest rows last."""
    found: list[tuple[int, Segment, int]] = []
    unread = []
    lost = Local(folder) / LOST
    names_there = lost.list() if lost.exists() else []
    for path in (lost / one for one in names_there if one.startswith(f"{SEGMENTS}-")):
        column = described(path).get("vector")
        names = opened.writer.config.columns
        name = names[column] if isinstance(column, int) and column < len(names) else None
        if name is None or not isinstance(column, int):
            unread.append(path.path.name)  # of an earlier release, or of a vector that was dropped
            continue
        try:
            checksum = zlib.crc32(path.read(DESCRIPTION))
            segment = kind_of(opened.writer.config.vectors[name]).open(path, checksum)
        except (PalimpsestError, OSError, LookupError, ValueError):
            unread.append(path.path.name)
            continue
        found.append((int(segment.seqs.max()), segment, column))
    restored.unread, restored.segments = tuple(unread), len(found)
    for _, segment, column in sorted(found, key=lambda one: one[0]):
        yield segment, column


def _write_rows(
    opened: Collection, segment: Segment, column: int, position: Position, restored: Restored
) -> None:
    name = opened.writer.config.columns[column]
    assert name is not None
    for start in range(0, segment.n, _PIECE):
        rows = np.arange(start, min(start + _PIECE, segment.n))
        there, fresh = _wanted(opened, segment, column, rows, position)
        for chosen, is_new in ((there, False), (fresh, True)):
            if not len(chosen):
                continue
            batch = _batch(opened.writer.config.vectors[name], segment, chosen, name)
            write = opened.upsert if is_new else opened.update_vectors
            write(batch).result()
            restored.vectors += len(chosen)
            restored.points_without_payload += len(chosen) if is_new else 0


def _wanted(
    opened: Collection,
    segment: Segment,
    column: int,
    rows: NDArray[np.intp],
    position: Position,
) -> tuple[NDArray[np.intp], ...]:
    """Return the rows to write to points that exist, and to points that do not.

    Wanted are rows written after the store's last write, and those it means but does not have.
    """
    keys = keys_of(unpack_ids(segment.ids[rows]))
    store, spared = opened.writer.store, Spared()  # damaged points are written anew as a whole
    found = opened.writer.call(
        lambda: store.points.find(keys, with_payload=False, spared=spared)
    ).result()
    later = segment.seqs[rows] > position.seq
    there, fresh = [], []
    for place, (row, key) in enumerate(zip(rows.tolist(), keys, strict=True)):
        held = found.get(key)
        if held is None:
            fresh += [row] if later[place] else []
        elif later[place] or _is_missing(opened, held.slots, column, int(segment.slots[row])):
            there.append(row)
    return np.array(there, dtype=np.intp), np.array(fresh, dtype=np.intp)


def _is_missing(opened: Collection, slots: Slots, column: int, slot: int) -> bool:
    """Tell whether the store means this very row, but no part of the collection has it."""
    if column >= len(slots) or int(slots[column]) != slot:
        return False
    vectors = opened.view.vectors[column]
    wanted = np.array([slot], dtype=np.uint64)
    return not vectors.holds(wanted)[0]


def _batch(config: ColumnConfig, segment: Segment, rows: NDArray[np.intp], name: str) -> PointBatch:
    ids = unpack_ids(segment.ids[rows])
    return PointBatch(ids, {name: kind_of(config).given(segment, rows)}, [None] * len(ids))


def main(arguments: Sequence[str]) -> int:
    """Restore the collection in the folder that is named, and say what came of it."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        restored = restore(Path(arguments[0]).absolute())
    except (PalimpsestError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(restored)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
