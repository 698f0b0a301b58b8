"""The story of an export: points to a spool, which a kill leaves as it is, and that to a file.

It is no picture of one moment: a point that is written while the export is under way is in it as it
was or as it became. For one moment there are snapshots.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from palimpsest.app.transfer.arrow import needed
from palimpsest.app.transfer.client import Client
from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.from_server import ServerReader
from palimpsest.app.transfer.progress import bar
from palimpsest.app.transfer.rows import Fault
from palimpsest.app.transfer.spool import Spool
from palimpsest.app.transfer.to_files import (
    Write,
    beside,
    require_one,
    write_arrays,
    write_lines,
    write_packed,
)
from palimpsest.app.transfer.to_parquet import write_parquet

WRITERS: dict[str, Write] = {
    ".jsonl": write_lines,
    ".jsonl.gz": write_packed,
    ".parquet": write_parquet,
    ".npy": write_arrays,
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was done.

    Attributes:
        points: in the file.
        resumed: of them that an earlier try had read.
        seconds: of this try.
        notes: what to know beside.
    """

    points: int
    resumed: int
    seconds: float
    notes: tuple[str, ...] = ()


def run_export(client: Client, collection: str, path: Path, *, restart: bool = False) -> Exported:
    """Export a collection to a file that does not exist yet; the same again goes on.

    Raises:
        TransferError: and its kinds.
    """
    begun = time.monotonic()
    write = writer_of(path)
    reader = ServerReader(client, collection)
    shape = reader.shape()
    # Before hours of reading, not after.
    for each in (path, *(beside(path) if write is write_arrays else ())):
        if each.exists():
            raise WrongUse(f"{each}: exists: name another file, or remove it")
    if write is write_arrays:
        require_one(shape, path)
    if write is write_parquet:
        needed(path)
    mark = reader.mark()
    spool = Spool(path.with_name(path.name + ".partial"), [reader.name, mark], restart)
    with closing(spool):
        resumed = spool.at.rows
        with closing(bar(collection, reader.total, resumed)) as shown:
            try:
                for item in reader.read(spool.start, 0):
                    if isinstance(item, Fault):
                        raise TransferError(f"{reader.name}: a point of it: {item.why}")
                    spool.add(item)
                    shown.update()
            finally:
                spool.note()
        if reader.mark() != mark:
            raise TransferError(
                f"{reader.name}: was made anew, or changed, while it was exported: --restart "
                "begins anew"
            )
        write(spool, shape, reader.declared(), path)
        spool.remove()
    return Exported(spool.at.rows, resumed, time.monotonic() - begun, _notes(reader, spool))


def writer_of(path: Path) -> Write:
    """Return what writes a file of such a name. Raises WrongUse."""
    for suffix, write in WRITERS.items():
        if path.name.endswith(suffix):
            return write
    raise WrongUse(f"{path}: expected a name that ends in {', '.join(WRITERS)}")


def _notes(reader: ServerReader, spool: Spool) -> tuple[str, ...]:
    if spool.at.rows == reader.total:
        return ()
    return (
        f"{reader.name}: held {reader.total} points at the beginning, {spool.at.rows} were read: "
        "it was written to meanwhile",
    )
