"""What probes say of segments is what searches find: on shapes that need more than is planned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from palimpsest.index import Collection, Distance, SearchRequest
from palimpsest.index.segments.probe import Recall, draw, source_of
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.types import Rows, Vector, Vectors
from tests import oracle
from tests.conftest import OpenCollection
from tests.points import config_of
from tests.unit.segments.bad import clusters, sealed

K, QUERIES, MUST = 10, 100, 0.98

Rng = np.random.Generator


def tight(rng: Rng) -> Vectors:
    return clusters(40, 150, 128)


def planar(rng: Rng) -> Vectors:
    return rng.standard_normal((12_000, 2)).astype(np.float32)


def copies(rng: Rng) -> Vectors:
    others = rng.standard_normal((6_000, 64))
    return np.concatenate([others, np.repeat(others[:10], 300, axis=0)]).astype(np.float32)


def curve(rng: Rng) -> Vectors:
    at = np.linspace(0, 20, 12_000)[:, None]
    return np.cos((np.arange(4) + 1) * at / 3 + np.arange(4)).astype(np.float32)


def beside(rng: Rng) -> Vectors:
    near = rng.standard_normal(64) + 1e-4 * rng.standard_normal((4_000, 64))
    return np.concatenate([near, rng.standard_normal((4_000, 64))]).astype(np.float32)


SHAPES: list[tuple[Callable[[Rng], Vectors], Distance]] = [
    (tight, Distance.COSINE),
    (tight, Distance.EUCLID),
    (planar, Distance.EUCLID),
    (copies, Distance.COSINE),
    (curve, Distance.DOT),
    (beside, Distance.EUCLID),
]


@pytest.mark.parametrize(
    ("shape", "distance"), SHAPES, ids=lambda one: getattr(one, "__name__", one)
)
@pytest.mark.parametrize("originals", ["float32", "none"])
def test_a_probe_says_what_is_found(
    collection_of: OpenCollection,
    rng: Rng,
    shape: Callable[[Rng], Vectors],
    distance: Distance,
    originals: str,
) -> None:
    base = shape(rng)
    collection = collection_of(config_of(base.shape[1], distance, originals=originals))
    segment = sealed(collection, base)
    spread = np.linalg.norm(base[::7] - base[::7].mean(axis=0), axis=1).mean()
    queries = base[rng.choice(len(base), QUERIES, replace=False)]
    queries = (queries + 1e-5 * spread * rng.standard_normal(queries.shape)).astype(np.float32)
    true = oracle.distances(queries, base, distance).astype(np.float64)
    found = [[int(one) for one in collection.search(SearchRequest(q)).ids] for q in queries]
    measured = oracle.recall(found, true.astype(np.float32), K)
    assert segment.probed is not None
    if segment.probed.decision != "short":
        assert measured >= MUST and segment.probed.recall.mean >= MUST
    else:
        assert originals == "none"
    # to the very queries of the probe users get the answers that it measured, a tie or two apart
    again = asked_again(collection, segment, base)
    assert again == pytest.approx(tuple(segment.probed.recall), abs=0.005)


def asked_again(collection: Collection, segment: Sealed, base: Vectors) -> Recall:
    """Return what searches of the collection find, of the queries of a segment's probe."""
    config = collection.config.dense[""]
    rows = base[segment.ids.astype(np.intp)]
    source = source_of(
        oracle.normalise(rows) if config.distance is Distance.COSINE else rows, config
    )
    sample = draw(source, [], seed=int(segment.slots.min()))
    assert sample is not None
    place = np.argsort(segment.ids.astype(np.intp))

    def find(query: Vector, k: int) -> Rows:
        ids = collection.search(SearchRequest(query, k=k)).ids
        return place[np.array(ids, dtype=np.intp)].astype(np.uint32)

    return Recall.of(sample.recalls(find))


def test_queries_as_far_from_rows_as_rows_from_each_other(
    collection_of: OpenCollection, rng: Rng
) -> None:
    """In many dimensions rows, which have links, are found better than what users ask for."""
    drawn = oracle.normalise(rng.standard_normal((6_100, 512)).astype(np.float32))
    base, queries = drawn[:6_000], drawn[6_000:]
    collection = collection_of(config_of(512))
    segment = sealed(collection, base)
    true = oracle.distances(queries, base, Distance.COSINE)
    found = [[int(one) for one in collection.search(SearchRequest(q)).ids] for q in queries]
    assert oracle.recall(found, true, K) >= MUST
    assert segment.probed is not None and segment.probed.recall.mean >= MUST
