"""Which rows of one vector a set candidates may be found by: fixed dimensional encodings.

``mean`` is that of one partition, the pooled vector: of a row's dimensions it has the fewest, and
where it finds as much as ``fde`` it is the cheapest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.fde import FdeConfig
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import Encoding, VectorConfig
from palimpsest.index.encoding.fde import FdeEncoder
from palimpsest.index.kinds.multi.rows import MultiRows
from palimpsest.index.storage.files import Array
from palimpsest.index.types import Distance, Vector, Vectors

FDE, MEAN = "fde", "mean"
# Dimensions that a graph is built over. Of 10,000 documents of four topics a walk that keeps three
# rows for each of 200 candidates finds .976 of those of a scan, and as many of MaxSim's ten best;
# over 512 dimensions that keeps two, .880 and .96 times as many.
FOLDED = 2_048
_LARGEST_SCALE = 126  # by which a number of float32 stays one
_FARTHEST = np.float32(1e9)  # of a scaled number: its square is a float
_MEAN_BITS: Encoding = "4"  # of a dimension: 8 find no more


class Finished(NamedTuple):
    """What is written of the generator that a probe chose, once all sets are read."""

    files: Mapping[str, Array]
    said: Mapping[str, Any]
    order: NDArray[Any] | None  # in which sets are written, None for as they were read


@dataclass(frozen=True, slots=True)
class Generator:
    """What makes rows of sets."""

    name: str
    fde: FdeConfig

    def rows(self, config: MultiConfig) -> VectorConfig:
        """Return how its rows are coded and linked."""
        return VectorConfig(
            self.fde.dimensions(config.size),
            Distance.DOT,
            _MEAN_BITS if self.name == MEAN else config.encoding,
            "none",
            config.M,
            config.ef_construction,
            fixed_encoding=True,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as a segment's description states it."""
        return {"name": self.name, "fde": self.fde.to_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Generator:
        """Return what ``to_json`` gave."""
        return cls(stored["name"], FdeConfig.from_json(stored["fde"]))


def generators_of(config: MultiConfig) -> list[Generator]:
    """Return what is to be tried for a name, the cheapest first; nothing where nothing is coded."""
    if not config.is_coded:
        return []
    mean = FdeConfig(k_sim=0, projected=config.size, repetitions=1)
    return [Generator(MEAN, mean), Generator(FDE, config.fde)]


class RowMaker:
    """Makes the rows of one generator, and the vectors that are asked for among them."""

    def __init__(self, generator: Generator, size: int) -> None:
        self.generator = generator
        self._encoder = _encoder(size, generator.fde)

    @property
    def size(self) -> int:
        """Dimensions of a row."""
        return self._encoder.size

    def to_json(self) -> dict[str, Any]:
        """Return what makes it again, and what its realised matrices must be."""
        return {**self.generator.to_json(), "encoder": self._encoder.to_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RowMaker:
        """Return what ``to_json`` described. Raises StorageError for other matrices."""
        maker = cls(Generator.from_json(stored), stored["encoder"]["size"])
        if maker._encoder.digest != stored["encoder"]["digest"]:
            FdeEncoder.from_json(stored["encoder"])  # says so
        return maker

    def documents(self, sets: MultiRows) -> Vectors:
        """Return the rows (n, D) of n sets."""
        return self._encoder.documents(sets.values, sets.starts)

    def query(self, tokens: Vectors) -> Vector:
        """Return the vector (D,) that is asked for in place of a set (t, d): of unit length.

        No order depends on its length, and so no product with it is beyond float32.
        """
        found = self._encoder.query(tokens)
        # einsum: a product of so long vectors would be shared among threads, which costs more
        length = float(np.sqrt(np.einsum("i,i->", found, found, dtype=np.float64)))
        return found if length == 0 else np.asarray(found / length, dtype=np.float32)


@lru_cache(maxsize=16)  # of the settings in use: all segments of a name share one
def _encoder(size: int, fde: FdeConfig) -> FdeEncoder:
    return FdeEncoder.make(size, fde)


def folded(rows: Vectors, size: int = FOLDED) -> Vectors:
    """Return rows of at most ``size`` dimensions, whose products are about those of the rows.

    A Count-Sketch that puts dimension i at place i modulo ``size`` with a sign: unbiased.
    """
    n, wide = rows.shape
    if wide <= size:
        return rows
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), wide)
    blocks = -(-wide // size)
    padded = np.zeros((n, blocks * size), dtype=np.float32)
    np.multiply(rows, signs, out=padded[:, :wide])
    return np.asarray(padded.reshape(n, blocks, size).sum(axis=1), dtype=np.float32)


def unit_rows(rows: Vectors) -> Vectors:
    """Return rows of unit length, zero ones as they are."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    lengths[lengths == 0] = 1
    return np.asarray(rows / lengths[:, None], dtype=np.float32)


def scale_of(values: Vectors) -> np.float32:
    """Return the power of two that brings the largest number near 1, if it is a float."""
    largest = float(np.abs(values).max(initial=0))
    return np.float32(math.ldexp(1, min(-math.frexp(largest)[1], _LARGEST_SCALE)))


def scaled(values: Vectors, scale: np.float32) -> Vectors:
    """Return vectors whose squares are floats: what ranks does not depend on how long all are."""
    if scale == 1:
        return values
    with np.errstate(over="ignore", under="ignore"):
        found: Vectors = (values * scale).clip(-_FARTHEST, _FARTHEST)
    return found
