"""The two embedding models of the demo; small, quick, and honest about what they are.

``HashedGrams`` (the old one) counts groups of characters and needs no training. Every group counts
alike, so that in a question most of the vector is about its phrasing. ``LatentSemantics`` (the new
one) learns from the corpus which words tell passages apart and which occur together: it sees
through the phrasing. Both return unit vectors; those of different embedders have nothing in
common, not even where they are of the same size.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from palimpsest.app.demo.errors import DemoError

Vectors: TypeAlias = NDArray[np.float32]

SIZE = 256
GRAMS = (2, 3, 4)  # characters
MIN_PASSAGES = 2  # that a word must occur in
_WORD = re.compile(r"[a-z0-9]+")
_ABSENT = 1e-6  # length below which a vector has no direction


class Embedder(Protocol):
    """An embedding model: texts to unit vectors (n, size) float32."""

    name: str
    size: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a row per text."""


class HashedGrams:
    """Counts of groups of 2 to 4 characters, each hashed to one of ``size`` places.

    The hashing trick (Weinberger et al. 2009, arXiv 0902.2206) without its signs.
    """

    name = "hashed character groups"

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self._places: dict[str, int] = {}

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a row per text."""
        counts = np.zeros((len(texts), self.size), dtype=np.float32)
        for row, text in zip(counts, texts, strict=True):
            for gram, often in Counter(_grams(text)).items():
                row[self._place(gram)] += often
        return _unit(counts)

    def _place(self, gram: str) -> int:
        """Return the place of a group, which is the same in every run (``hash`` is not)."""
        place = self._places.get(gram)
        if place is None:
            place = self._places[gram] = crc32(gram.encode()) % self.size
        return place


class LatentSemantics:
    """Latent semantic analysis: words weighed by rarity, brought to ``size`` axes by an SVD.

    Deerwester et al. 1990, "Indexing by latent semantic analysis".
    """

    name = "latent semantic analysis"

    def __init__(self, texts: Sequence[str], size: int = SIZE) -> None:
        """Train on texts.

        Raises:
            DemoError: scikit-learn is not installed, or the texts have too few words.
        """
        vectorizer, decomposition = _scikit_learn()
        self._weigh = vectorizer(
            sublinear_tf=True,
            min_df=MIN_PASSAGES,
            stop_words="english",
            token_pattern=r"[A-Za-z]{2,}",
        )
        weights = self._weigh.fit_transform(texts)
        self.size = min(size, min(weights.shape) - 1)
        if self.size < 2:
            raise DemoError(
                f"{len(texts)} passages of {weights.shape[1]} words are too few to learn from"
            )
        # Seeded: the story is told with the same numbers at every telling.
        self._reduce = decomposition(self.size, random_state=0).fit(weights)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a row per text; one without a known word lies where the commonest words do."""
        return _unit(self._reduce.transform(self._weigh.transform(texts)))


def _scikit_learn() -> tuple[Any, Any]:
    """Return scikit-learn's TfidfVectorizer and TruncatedSVD; it is not needed to serve."""
    try:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError as error:
        raise DemoError(
            "the demo's new embedding model needs scikit-learn, which is not installed; "
            "install it with: pip install 'palimpsest[demo]'   (from a clone: make demo)"
        ) from error
    return TfidfVectorizer, TruncatedSVD


def _grams(text: str) -> list[str]:
    line = f" {' '.join(_WORD.findall(text.lower()))} "
    return [
        line[start : start + length] for length in GRAMS for start in range(len(line) - length + 1)
    ]


def _unit(vectors: Vectors) -> Vectors:
    """Return rows of length 1; one without a direction gets the first axis."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.maximum(lengths, _ABSENT)
    unit[lengths[:, 0] < _ABSENT, 0] = 1
    return np.ascontiguousarray(unit, dtype=np.float32)
