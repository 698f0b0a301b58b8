"""What an export makes of its spool: lines of JSON, packed or not, or arrays of NumPy.

Each file is written beside its place and moved there whole.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from palimpsest.app.transfer.errors import WrongUse
from palimpsest.app.transfer.from_lines import Line
from palimpsest.app.transfer.numbers import read_dense
from palimpsest.app.transfer.shapes import Dense, Shape
from palimpsest.app.transfer.spool import Spool

PACKED = 6  # of gzip: its own default
# The spool, the shape of its points, the body that creates their collection, and the file's place.
Write: TypeAlias = Callable[[Spool, Shape, dict[str, Any], Path], None]
_NAMES = msgspec.json.Decoder(dict[str, msgspec.Raw])


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name of a file that stands at ``path`` once all of it is written and synced."""
    new = path.with_name(path.name + ".new")
    try:
        yield new
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def write_lines(spool: Spool, shape: Shape, declared: dict[str, Any], path: Path) -> None:
    """Write the lines as they are."""
    with replacing(path) as new:
        try:
            os.link(spool.path, new)
        except OSError:  # file systems without links
            shutil.copyfile(spool.path, new)


def write_packed(spool: Spool, shape: Shape, declared: dict[str, Any], path: Path) -> None:
    """Write the lines packed by gzip."""
    with replacing(path) as new, spool.path.open("rb") as lines:
        with gzip.open(new, "wb", PACKED) as file:
            shutil.copyfileobj(lines, file, 1 << 20)


def write_arrays(spool: Spool, shape: Shape, declared: dict[str, Any], path: Path) -> None:
    """Write the vectors as rows of an array, and ids and payloads as a line each beside it.

    Raises:
        WrongUse: points have more than one vector, or none, or one that is not dense.
    """
    name, size = require_one(shape, path)
    ids, payloads = beside(path)
    with replacing(path) as array, replacing(ids) as of_ids, replacing(payloads) as of_payloads:
        rows = np.lib.format.open_memmap(array, mode="w+", dtype="<f4", shape=(spool.at.rows, size))
        with of_ids.open("wb") as id_file, of_payloads.open("wb") as payload_file:
            for place, line in enumerate(spool.lines()):
                text = vectors_of(line).get(name)
                if text is None:
                    raise WrongUse(f"{path}: point {line.id} has no vector: choose .parquet")
                rows[place] = read_dense(bytes(text))
                id_file.write(f"{line.id}\n".encode())
                payload_file.write((bytes(line.payload) or b"null") + b"\n")
        rows.flush()
        del rows


def beside(path: Path) -> tuple[Path, Path]:
    """Return the files of ids and of payloads that stand beside an array."""
    return path.with_suffix(".ids.txt"), path.with_suffix(".payloads.jsonl")


def require_one(shape: Shape, path: Path) -> tuple[str, int]:
    """Return name and size of the only vector of points, a dense one. Raises WrongUse."""
    if len(shape) == 1:
        ((name, only),) = shape.items()
        if isinstance(only, Dense):
            return name, only.size
    raise WrongUse(
        f"{path}: .npy holds one dense vector a point, got "
        f"{', '.join(f'{name!r}: {one}' for name, one in shape.items()) or 'none'}: choose "
        ".parquet or .jsonl"
    )


def vectors_of(line: Line) -> dict[str, msgspec.Raw]:
    """Return the texts of a point's vectors by name."""
    if bytes(line.vector)[:1] == b"{":
        return _NAMES.decode(line.vector)
    return {"": line.vector}
