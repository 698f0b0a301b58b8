"""Points with vectors of every kind under several names, some of them missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from qdrant_client import models

from tests.differential.filters import IDS
from tests.differential.payloads import messy, tidy

SIZE, TERMS = 4, 12
SPACES = {
    "": models.Distance.COSINE,
    "euclid": models.Distance.EUCLID,
    "dot": models.Distance.DOT,
    "manhattan": models.Distance.MANHATTAN,
}
SPARSE = {"sparse": None, "idf": models.Modifier.IDF}
SETS = {
    "sets": models.Distance.COSINE,
    "dot sets": models.Distance.DOT,
    "euclid sets": models.Distance.EUCLID,
    "manhattan sets": models.Distance.MANHATTAN,
}
MAX_SIM = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
CONFIG: dict[str, Any] = {
    "vectors_config": {
        **{
            name: models.VectorParams(size=SIZE, distance=distance)
            for name, distance in SPACES.items()
        },
        **{
            name: models.VectorParams(size=SIZE, distance=distance, multivector_config=MAX_SIM)
            for name, distance in SETS.items()
        },
    },
    "sparse_vectors_config": {
        name: models.SparseVectorParams(modifier=modifier) for name, modifier in SPARSE.items()
    },
}

NAMES = [*SPACES, *SPARSE, *SETS]

seeds = st.integers(0, 2**20)


def dense_of(seed: int) -> list[float]:
    """Return a vector of float32 values, the same for the same seed."""
    drawn = np.random.default_rng([1, seed]).standard_normal(SIZE)
    return [float(x) for x in drawn.astype(np.float32)]


def sparse_of(seed: int) -> models.SparseVector:
    """Return a sparse vector of 2 to 5 terms, in no order, a few values negative."""
    rng = np.random.default_rng([2, seed])
    terms = rng.choice(TERMS, size=rng.integers(2, 6), replace=False)
    values = (rng.random(len(terms)) * 3 - 0.3).astype(np.float32)
    return models.SparseVector(indices=terms.tolist(), values=[float(x) for x in values])


def set_of(seed: int) -> list[list[float]]:
    """Return one to five vectors, now and then one of them twice."""
    rng = np.random.default_rng([4, seed])
    vectors = [dense_of(seed * 8 + place) for place in range(rng.integers(1, 6))]
    return vectors if rng.random() < 0.9 else [*vectors, vectors[0]]


def vector_of(name: str, seed: int) -> Any:
    if name in SETS:
        return set_of(seed)
    return sparse_of(seed) if name in SPARSE else dense_of(seed)


@dataclass(frozen=True)
class Points:
    """Points to write, and which ids have a vector under each name."""

    structs: Sequence[models.PointStruct]
    having: Mapping[str, Sequence[Any]]


def build(payloads: list[Any], seed: int, among: Sequence[Any] = IDS) -> Points:
    """Return points of the payloads; of each vector name about one in ten is missing."""
    rng = np.random.default_rng([3, seed])
    ids = [among[i] for i in rng.permutation(len(among))[: len(payloads)]]
    structs, having = [], {name: [] for name in NAMES}  # type: dict[str, list[Any]]
    for place, (one, payload) in enumerate(zip(ids, payloads, strict=True)):
        vectors = {}
        for name in having:
            if rng.random() < 0.9:
                vectors[name] = vector_of(name, seed * 1_000 + place)
                having[name].append(one)
        structs.append(models.PointStruct(id=one, vector=vectors, payload=payload))
    return Points(structs, having)


def points_of(payloads: st.SearchStrategy[Any], least: int, most: int) -> st.SearchStrategy[Points]:
    return st.builds(build, st.lists(payloads, min_size=least, max_size=most), seeds)


messy_points = points_of(messy, 12, 24)
tidy_points = points_of(tidy, 18, 26)
