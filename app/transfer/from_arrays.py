"""Reads points from the rows of a ``.npy`` file: vectors, or sets of as many vectors each.

Ids are consecutive, or come from a second file: ``.npy`` of integers or text, or one id a line.
Payloads come from lines of JSON, one object or ``null`` a row. The file is mapped, not loaded.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.lib.format import MAGIC_PREFIX
from numpy.typing import NDArray

from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.files import file_mark, lines_of, open_lines
from palimpsest.app.transfer.numbers import set_text
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Fault, Item, dense_text, point_row
from palimpsest.app.transfer.shapes import Dense, Sets, Shape

BLOCK = 1_024  # rows that are read at once


class ArrayReader:
    """Rows of one array."""

    unit = "row"
    skipped = 0

    def __init__(
        self, path: Path, ids: Path | None, payloads: Path | None, vector: str = ""
    ) -> None:
        self.name = str(path)
        self._files = [path, *filter(None, [ids, payloads])]
        self._vector = vector
        self._rows = mapped(path)
        shape = self._rows.shape
        if len(shape) not in (2, 3) or not shape[-1] or self._rows.dtype.kind not in "fiu":
            raise WrongUse(
                f"{path}: expected rows of numbers, of shape (rows, dimensions) or (rows, vectors, "
                f"dimensions), got {self._rows.dtype} of shape {shape}"
            )
        self.total: int | None = len(self._rows)
        self._ids = None if ids is None else _ids_of(ids, len(self._rows))
        self._payloads = payloads

    def mark(self) -> Any:
        """Return size and age of each file."""
        return [file_mark(each) for each in self._files]

    def shape(self) -> Shape:
        """Return the one vector name it holds."""
        kind = Dense if self._rows.ndim == 2 else Sets
        return {self._vector: kind(self._rows.shape[-1])}

    def declared(self) -> None:
        """Return nothing: arrays do not tell."""
        return None

    def read(self, start: Start, first_id: int) -> Iterator[Item]:
        """Give one point a row."""
        with closing(self._payload_lines(start.rows)) as payloads:
            for at in range(start.rows, len(self._rows), BLOCK):
                yield from self._block(at, first_id, payloads)
            if self._payloads is not None and next(payloads, None) is not None:
                raise TransferError(
                    f"{self._payloads}: expected {len(self._rows)} lines, one a row of "
                    f"{self.name}, got more"
                )

    def close(self) -> None:
        """Give the mapped file up."""
        del self._rows

    def _block(self, at: int, first_id: int, payloads: Iterator[bytes]) -> Iterator[Item]:
        with np.errstate(over="ignore"):  # what overflows becomes Inf, which is named below
            block = np.ascontiguousarray(self._rows[at : at + BLOCK], dtype="<f4")
        finite = np.isfinite(block).all(axis=tuple(range(1, block.ndim)))
        for offset, values in enumerate(block):
            place = at + offset
            payload = next(payloads, None)
            if payload is None:
                raise TransferError(
                    f"{self._payloads}: expected {len(self._rows)} lines, one a row of "
                    f"{self.name}, got {place}"
                )
            point_id = first_id + place if self._ids is None else self._ids[place]
            if not finite[offset]:
                shown = msgspec.json.encode({"id": str(point_id)})
                yield Fault(place, "a number is NaN or Inf, or too large for float32", shown)
            elif payload and (fault := _payload_fault(payload)):
                yield Fault(place, f"payload: {fault}", payload)
            else:
                text = dense_text(values.data) if values.ndim == 1 else set_text(values)
                yield point_row(place, point_id, self._named(text), payload)

    def _named(self, text: bytes) -> bytes:
        if not self._vector:
            return text
        return b"{%s:%s}" % (msgspec.json.encode(self._vector), text)

    def _payload_lines(self, start: int) -> Generator[bytes]:
        if self._payloads is None:
            yield from repeat(b"")
        name = str(self._payloads)
        with open_lines(name) as file:
            yield from islice(lines_of(file, name), start, None)


def mapped(path: Path) -> NDArray[Any]:
    """Return the array of a ``.npy`` file, mapped. Raises WrongUse when it holds none."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise WrongUse(f"{path}: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        why = error if _is_array(path) else "it begins with something else"
        raise WrongUse(f"{path}: expected an array of NumPy (.npy), whole: {why}") from error
    if not isinstance(found, np.ndarray):
        raise WrongUse(f"{path}: expected one array (.npy), got several (.npz)")
    return found


def _is_array(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC_PREFIX)) == MAGIC_PREFIX


def _ids_of(path: Path, rows: int) -> list[int | str]:
    """Return one id a row. Raises WrongUse where there are more or fewer."""
    if path.suffix == ".npy":
        held = mapped(path)
        if held.ndim != 1 or held.dtype.kind not in "iuU":
            raise WrongUse(
                f"{path}: expected integers or texts of shape ({rows},), got {held.dtype} of "
                f"shape {held.shape}"
            )
        found: list[int | str] = held.tolist()
    else:
        with open_lines(str(path)) as file:
            lines = lines_of(file, str(path))
            found = [line.decode(errors="replace").strip() for line in lines]
    if len(found) != rows:
        raise WrongUse(f"{path}: expected {rows} ids, one a row, got {len(found)}")
    return found


def _payload_fault(text: bytes) -> str | None:
    """Return why a line is no payload."""
    try:
        text.decode()
        msgspec.json.decode(text, type=dict[str, msgspec.Raw] | None)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return str(error)
    return None
