"""Collections whose searches miss some of what is closest, and what is asked of them."""

from __future__ import annotations

import numpy as np

from palimpsest.index import Collection
from palimpsest.index.types import Vectors
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

N, SIZE, QUERIES = 3_000, 24, 40
DRAWN = np.random.default_rng(77).standard_normal((N + QUERIES, SIZE)).astype(np.float32)
ROWS, ASKED = DRAWN[:N], DRAWN[N:]


def sealed(collection_of: OpenCollection, rows: Vectors = ROWS) -> Collection:
    """Return a collection of one segment with a graph; point i is row i, its payload has i."""
    collection = collection_of(config_of(rows.shape[1]))
    payloads = [b'{"n":%d}' % n for n in range(len(rows))]
    collection.upsert(batch_of(range(len(rows)), rows, payloads)).result()
    collection.upkeep.seal()
    return collection
