"""Eight texts that tell whether the model behind a name is still the one that it was.

Their vectors are kept when an embedder is first used, in a small file of the data directory, and
compared with those that the model makes later. Another model, or another size or prompt of it,
gives others: half the cosines at least fall below what rounding and hardware explain.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from palimpsest.index.storage.doubled import Doubled
from palimpsest.index.types import Vectors

FILE = "embedders.json"
SAME_MODEL = 0.99  # median cosine from which on a model is taken for the same
# Of many kinds, so that models that differ do so on some of them; never changed: what is kept would
# no longer compare.
PROBE_TEXTS = (
    "The ferry leaves the harbour at a quarter past seven.",
    "how to reset a forgotten password",
    "Die Wärmeleitfähigkeit von Kupfer ist hoch.",
    "def area(radius): return 3.14159 * radius ** 2",
    "東京の天気は晴れです",
    "Quarterly revenue fell by 4.2 % while costs stayed flat.",
    "aspirin",
    "She had never seen snow, and did not know what to say about it; so she said nothing.",
)
_REMEDY = (
    "restore the file from a backup, or delete it and its copy: the vectors that models make now "
    "are then kept as theirs"
)


class Probes:
    """The kept vectors of the embedders of one data directory; the caller orders its calls."""

    def __init__(self, folder: Path) -> None:
        """Read the file. Raises StorageError, of which Damaged and UnknownFormat are."""
        self._file = Doubled(folder / FILE, "probes", _REMEDY)
        self._kept: Mapping[str, str] = self._file.read() or {}

    def compare(self, name: str, vectors: Vectors) -> float:
        """Return the median cosine (-1 to 1) between the vectors that are kept and others.

        Those of a name that none are kept of are kept, and are as close as can be.

        Args:
            name: of the embedder.
            vectors: (8, d) float32 of ``PROBE_TEXTS``.

        Raises:
            StorageError: they could not be kept.
        """
        kept = self._read(name)
        if kept is None:
            packed = base64.b64encode(np.ascontiguousarray(vectors, "<f4").tobytes()).decode()
            known = {**self._kept, name: packed}
            self._file.write(known)
            self._kept = known
            return 1.0
        if kept.shape != vectors.shape:
            return -1.0
        return float(np.median(_cosines(kept, vectors)))

    def _read(self, name: str) -> Vectors | None:
        packed = self._kept.get(name)
        if packed is None:
            return None
        try:
            values = np.frombuffer(base64.b64decode(packed, validate=True), "<f4")
        except (binascii.Error, ValueError):
            return np.empty((0, 0), np.float32)  # of no model: no vectors compare with it
        return values.reshape(len(PROBE_TEXTS), -1)


def _cosines(one: Vectors, other: Vectors) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the cosine of each pair of rows; that with a zero vector is 0."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products = np.einsum("nd,nd->n", a, b)
    found: np.ndarray[tuple[int], np.dtype[np.float64]]
    found = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return found
