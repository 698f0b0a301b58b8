"""Reads points from an index file of hnswlib: labels become ids, deleted elements are left out.

The file, as ``HierarchicalNSW::saveIndex`` of hnswlib 0.8 writes it (little-endian, no magic):

    header     13 fields of the level 0 layout and the parameters, 96 bytes
    level 0    for each element: links (count, mark, links), values of float32, label (u64)
    above      for each element: bytes of its links (u32), the links

Neither the space nor the size of vectors is in it: the size follows from the layout, the space the
caller has to know. Under the cosine space hnswlib has made all vectors of unit length. It is read
here and not by the library, which loads all of it, asks for the size first, does not list what is
deleted, and has to be compiled; ``tests`` hold the two against each other.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.files import file_mark
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Fault, Item, dense_text, named_text, point_row
from palimpsest.app.transfer.shapes import Dense, Shape

BLOCK = 1_024  # elements that are read at once
_HEADER = struct.Struct("<6Qi I 3Q d Q".replace(" ", ""))
_LABEL = 8  # bytes
_COUNT = 4  # bytes before the links: their number (u16), the mark of deletion (u8), nothing
_DELETED = 0x01
_SIZE_OF_LINKS = struct.Struct("<I")


class Layout(NamedTuple):
    """The header of the file."""

    offset_level0: int
    capacity: int
    elements: int
    stride: int  # bytes of an element on level 0
    offset_label: int
    offset_values: int
    top_level: int
    entry: int
    m_above: int
    m_level0: int
    m: int
    scale: float
    ef_construction: int

    @property
    def size(self) -> int:
        """Return the dimensions of a vector."""
        return (self.offset_label - self.offset_values) // 4

    @property
    def is_sound(self) -> bool:
        """Tell whether the fields agree with each other."""
        links = _COUNT + 4 * self.m_level0
        return (
            self.offset_level0 == 0
            and self.elements <= self.capacity
            and self.offset_values == links
            and self.offset_label > links
            and (self.offset_label - links) % 4 == 0
            and self.stride == self.offset_label + _LABEL
        )


class HnswReader:
    """Elements of one index file of hnswlib."""

    unit = "element"

    def __init__(self, path: Path, vector: str = "") -> None:
        self.name = str(path)
        self.skipped = 0
        self._path, self._vector = path, vector
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise WrongUse(f"{path}: {error.strerror}") from error
        except ValueError as error:  # an empty file cannot be mapped
            raise TransferError(f"{path}: expected an index of hnswlib: it is empty") from error
        self.layout = _layout(self._map, path)
        self.total: int | None = self.layout.elements
        element = np.dtype(
            {
                "names": ["mark", "values", "label"],
                "formats": ["u1", ("<f4", (self.layout.size,)), "<u8"],
                "offsets": [2, self.layout.offset_values, self.layout.offset_label],
                "itemsize": self.layout.stride,
            }
        )
        self._elements: NDArray[Any] = np.frombuffer(
            self._map, element, self.layout.elements, _HEADER.size
        )

    def mark(self) -> Any:
        """Return the file's size and age."""
        return file_mark(self._path)

    def shape(self) -> Shape:
        """Return the one vector name it holds."""
        return {self._vector: Dense(self.layout.size)}

    def declared(self) -> None:
        """Return nothing: the file does not tell its space."""
        return None

    def read(self, start: Start, first_id: int) -> Iterator[Item]:
        """Give the elements that are not marked as deleted; those are counted."""
        self.skipped = int((self._elements["mark"][: start.rows] & _DELETED).sum())
        for at in range(start.rows, len(self._elements), BLOCK):
            block = self._elements[at : at + BLOCK]
            values = np.ascontiguousarray(block["values"])
            finite = np.isfinite(values).all(axis=1)
            gone = block["mark"] & _DELETED
            for offset, label in enumerate(block["label"].tolist()):
                if gone[offset]:
                    self.skipped += 1
                elif finite[offset]:
                    text = named_text({self._vector: dense_text(values[offset].data)})
                    yield point_row(at + offset, label, text, b"")
                else:
                    shown = msgspec.json.encode({"id": label})
                    yield Fault(at + offset, "a number is NaN or Inf", shown)

    def close(self) -> None:
        """Give the mapped file up."""
        del self._elements
        self._map.close()


def _layout(held: mmap.mmap, path: Path) -> Layout:
    """Return the header of a file whose parts add up to its length. Raises TransferError."""
    if len(held) < _HEADER.size:
        raise TransferError(f"{path}: expected an index of hnswlib, got {len(held)} bytes")
    layout = Layout(*_HEADER.unpack_from(held))
    at = _HEADER.size + layout.elements * layout.stride
    if not layout.is_sound or at > len(held):
        raise TransferError(f"{path}: expected an index of hnswlib: its header says something else")
    for element in range(layout.elements):
        if at + _SIZE_OF_LINKS.size > len(held):
            raise TransferError(f"{path}: cut off in the links of element {element}")
        at += _SIZE_OF_LINKS.size + _SIZE_OF_LINKS.unpack_from(held, at)[0]
    if at != len(held):
        raise TransferError(f"{path}: expected {at} bytes by its header, got {len(held)}")
    return layout
