"""Searches by codes find what exact ones do, whatever has happened to the points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    MaintenanceConfig,
    MultiConfig,
    MultiVector,
    SearchRequest,
)
from palimpsest.index.encoding.pooling import pool_tokens
from palimpsest.index.filters.expression import Filter, HasId
from palimpsest.index.kinds.multi.candidates import CandidateRows
from tests.conftest import OpenCollection
from tests.unit.kinds.multi.corpus import SIZE, texts
from tests.unit.kinds.multi.test_finding import CONFIG
from tests.unit.kinds.multi.test_kind import compact, reopen, seal, write_sets
from tests.unit.kinds.multi.twin import Set, closest

QUERIES = [*texts(24, seed=8).values()]


def declared(config: MultiConfig) -> CollectionConfig:
    return CollectionConfig({"tokens": config}, MaintenanceConfig(quiet_rows=1))


def hits(collection: Collection, query: Set, **asked: object) -> list[tuple[int, float]]:
    request = SearchRequest(MultiVector(query), "tokens", 10, **asked)  # type: ignore[arg-type]
    found = collection.search(request)
    return [*zip(found.ids, found.distances.tolist(), strict=True)]  # type: ignore[arg-type]


def require_recall(collection: Collection, points: dict[int, Set], least: float) -> None:
    """Require a share of the closest points of searches with and without a filter."""
    for every in (1, 2, 30):
        some = dict(list(points.items())[::every])
        by_ids = None if every == 1 else Filter(must=(HasId(tuple(some)),))
        inside = []
        for query in QUERIES:
            true = closest(some, query, 10, CONFIG.distance)
            found = [one for one, _ in hits(collection, query, filter=by_ids)]
            exact = hits(collection, query, filter=by_ids, exact=True)
            assert [one for one, _ in exact] == true
            inside.append(len({*found}.intersection(true)) / len(true))
        assert np.mean(inside) >= least, every


@pytest.mark.parametrize(("pool", "least"), [(1, 0.98), (2, 0.92)])
def test_recall_after_inserts_deletes_and_compaction(
    collection_of: OpenCollection, pool: int, least: float
) -> None:
    collection, points = collection_of(declared(replace(CONFIG, pool=pool))), texts(1_100)
    write_sets(collection, points)
    seal(collection)
    require_recall(collection, points, least)
    fresh = {n + 1_000: one for n, one in texts(300, seed=5).items()}
    write_sets(collection, fresh)
    points |= fresh
    collection.delete([*range(0, 1_100, 5)]).result()
    points = {n: one for n, one in points.items() if n >= 1_100 or n % 5}
    require_recall(collection, points, least)
    collection = reopen(compact(collection))
    require_recall(collection, points, least)
    state = collection.state().vectors["tokens"]
    assert state.recall is not None and state.recall.rows > 0 and state.outdated == 0
    collection.close()


def test_looked_at_whole_it_is_what_is_exact(collection_of: OpenCollection) -> None:
    collection = collection_of(declared(CONFIG))
    write_sets(collection, texts(600))
    seal(collection)
    for query in QUERIES[:5]:
        exact = hits(collection, query, exact=True)
        assert hits(collection, query, ef=1_000, oversampling=100.0) == exact


def test_copies_come_in_the_order_of_their_ids(collection_of: OpenCollection) -> None:
    collection, points = collection_of(declared(CONFIG)), texts(600)
    one = points[7]
    points |= {n: one for n in range(900, 1_400)}
    write_sets(collection, dict(sorted(points.items(), reverse=True)))
    seal(collection)
    assert [n for n, _ in hits(collection, one)] == [7, *range(900, 909)]
    assert [n for n, _ in hits(collection, np.zeros_like(one))] == [*range(10)]


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_without_originals_codes_are_read_and_stay_as_they_are(
    collection_of: OpenCollection, bits: int
) -> None:
    config = replace(CONFIG, originals="none", token_bits=bits, pool=2)  # type: ignore[arg-type]
    collection, points = collection_of(declared(config)), texts(400)
    write_sets(collection, points)
    seal(collection)

    def read() -> dict[int, Set]:
        held = collection.retrieve([*points], with_vectors=True)
        return {int(one.id): one.vectors["tokens"].values for one in held if one.vectors}  # type: ignore[union-attr,arg-type]

    once = read()
    assert [len(one) for one in once.values()] == [-(-len(one) // 2) for one in points.values()]
    means = [one.mean(axis=0) @ points[n].mean(axis=0) for n, one in once.items()]
    assert min(means) > 0
    write_sets(collection, {n: points[n] for n in range(390, 400)})
    collection = reopen(compact(collection))
    for n, one in read().items():
        np.testing.assert_array_equal(one, once[n])
    (first,) = hits(collection, once[5])[:1]
    assert first[0] == 5
    (parts,) = collection.reading().matched("tokens", MultiVector(once[5][:3]), [5])
    pooled = pool_tokens(points[5], np.array([0, len(points[5])]), 2, unit=True)
    members = [pooled.members(0, len(points[5]), place).tolist() for place in range(3)]
    assert parts is not None and parts.members is not None
    assert [one.tolist() for one in parts.members.best] == members[: len(once[5])]
    assert parts.best.tolist() == [one[0] for one in members[: len(once[5])]]
    assert collection.state().vectors["tokens"].bytes_by_component["originals_mapped"] == 0
    collection.close()


def test_other_settings_are_other_rows(collection_of: OpenCollection) -> None:
    collection = collection_of(declared(CONFIG))
    write_sets(collection, texts(400))
    seal(collection)
    other = replace(CONFIG, fde=replace(CONFIG.fde, seed=9), token_bits=8)
    collection.reconfigure(declared(other))
    assert collection.state().vectors["tokens"].outdated == 1
    collection.upkeep.compact()
    assert collection.state().vectors["tokens"].outdated == 0
    (part,) = collection.reading().view.vectors[0].sealed
    segment = part.segment
    assert segment.description["config"]["fde"]["seed"] == 9
    candidates = segment.candidates
    if isinstance(candidates, CandidateRows) and candidates.maker.generator.name == "fde":
        assert candidates.maker.generator.fde == other.fde


def test_sets_of_all_sizes(collection_of: OpenCollection) -> None:
    collection = collection_of(declared(CONFIG))
    rng = np.random.default_rng(0)
    points = texts(300) | {
        500: rng.standard_normal((4_096, SIZE)).astype(np.float32),
        501: np.zeros((3, SIZE), np.float32),
        502: 1e-18 * rng.standard_normal((1, SIZE)).astype(np.float32),
        503: 1e15 * rng.standard_normal((2, SIZE)).astype(np.float32),
    }
    write_sets(collection, points)
    seal(collection)
    for query in (points[502], points[503], points[501], points[500][:64]):
        true = closest(points, query, 10, CONFIG.distance)
        assert [n for n, _ in hits(collection, query, exact=True)] == true
        assert len(hits(collection, query)) == 10
