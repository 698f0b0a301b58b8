"""Fixed dimensional encodings of sets of vectors: one vector whose product ranks like MaxSim.

MUVERA (arXiv 2405.19504); ``index/native/fde.h`` has the construction. All matrices are drawn from
the seed by ``index.encoding.draws``, whose stream never changes, as whole numbers; sums are made in
one order on every machine. So an ``FdeConfig`` says which encoder it is, to the bit, and nothing
realised needs to be kept beside it. A digest of the matrices is, to notice if that ever failed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.config.fde import FdeConfig
from palimpsest.index.encoding import draws
from palimpsest.index.errors import StorageError
from palimpsest.index.types import Vector, Vectors

_HYPERPLANES, _SIGNS, _PLACES, _PLACE_SIGNS = range(1, 5)  # streams of the seed


class FdeEncoder:
    """The encoder of one config for vectors of one size; never changes.

    ``size`` is the number of dimensions of an encoding.
    """

    def __init__(self, token_size: int, config: FdeConfig) -> None:
        self.token_size = token_size
        self.config = config
        self.size = config.dimensions(token_size)
        self.matrices = _realised(token_size, config)
        self.native = _native.FdeEncoder(config.final, *self.matrices.values())

    @classmethod
    def make(cls, size: int, config: FdeConfig) -> FdeEncoder:
        """Return the encoder of sets of vectors of ``size``.

        Raises:
            InvalidConfig: there are too many dimensions (``FdeConfig.dimensions``).
        """
        return cls(size, config)

    def documents(self, values: Vectors, starts: NDArray[np.int64]) -> Vectors:
        """Return the (m, D) encodings of sets to be found, in one call that drops the GIL.

        Args:
            values: (n, d) vectors of all sets.
            starts: (m + 1,) ascending; set i is ``values[starts[i]:starts[i + 1]]``. An empty one
                becomes zeros.
        """
        out = np.empty((len(starts) - 1, self.size), dtype=np.float32)
        self.native.documents(
            np.ascontiguousarray(values, dtype=np.float32),
            np.ascontiguousarray(starts, dtype=np.int64),
            out,
        )
        return out

    def query(self, tokens: Vectors) -> Vector:
        """Return the (D,) encoding of a set (t, d) that is asked for."""
        out = np.empty(self.size, dtype=np.float32)
        self.native.query(np.ascontiguousarray(tokens, dtype=np.float32), out)
        return out

    @property
    def digest(self) -> str:
        """SHA-256 of the realised matrices, in hexadecimal digits."""
        found = hashlib.sha256()
        for array in self.matrices.values():
            found.update(np.asarray(array.shape, "<u8").tobytes())
            found.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        return found.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return what makes the encoder again, and the digest that it must have."""
        return {"size": self.token_size, "config": self.config.to_json(), "digest": self.digest}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> FdeEncoder:
        """Return the encoder that ``to_json`` described.

        Raises:
            StorageError: its matrices are not those of that time.
        """
        encoder = cls(stored["size"], FdeConfig.from_json(stored["config"]))
        if encoder.digest != stored["digest"]:
            raise StorageError(
                f"The matrices of the fixed dimensional encoding have digest {encoder.digest}, "
                f"expected {stored['digest']} as they were written with: rows of that time would "
                "be compared with queries of another encoding"
            )
        return encoder


def _realised(size: int, config: FdeConfig) -> dict[str, NDArray[Any]]:
    """Draw everything random: whole numbers, in the order that the native encoder takes them.

    The hyperplanes (R, k_sim, size), the signs (R, projected, size) of the inner projections, none
    where blocks are kept as they are, and place and sign of each dimension in the final one.
    """
    repetitions = config.repetitions
    kept = config.projected if config.projected < size else 0
    placed = config.unprojected(size) if config.final else 0
    seeds = {s: draws.stream(config.seed, s) for s in (_HYPERPLANES, _SIGNS, _PLACES, _PLACE_SIGNS)}
    cuts = draws.bells(seeds[_HYPERPLANES], repetitions * config.k_sim * size)
    signs = draws.signs(seeds[_SIGNS], repetitions * kept * size)
    return {
        "hyperplanes": cuts.reshape(repetitions, config.k_sim, size),
        "signs": signs.reshape(repetitions, kept, size),
        "places": draws.below(config.final or 1, seeds[_PLACES], placed),
        "place_signs": draws.signs(seeds[_PLACE_SIGNS], placed),
    }
