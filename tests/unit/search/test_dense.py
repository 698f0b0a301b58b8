"""Searches among some points, over growing and sealed parts, against plain numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index import Collection, Distance, SearchRequest
from palimpsest.index.read.reading import Reading
from palimpsest.index.search.allowed import Allowed
from palimpsest.index.search.every_point import score_rows
from palimpsest.index.segments.graph import Graph
from palimpsest.index.segments.searcher import Rescoring, Searcher, Walk
from palimpsest.index.types import Numbers, Vectors
from palimpsest.index.view.view import VectorView
from tests import oracle
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

N, SIZE, K = 3_000, 24, 10
DISTANCES = [Distance.COSINE, Distance.DOT, Distance.EUCLID, Distance.MANHATTAN]


class Lives:
    """A collection in several parts with dead rows, and what must be in it, by number."""

    def __init__(self, collection: Collection, distance: Distance, seed: int) -> None:
        self.collection, self.distance = collection, distance
        self.rng = np.random.default_rng(seed)
        self.vectors: dict[int, NDArray[np.float32]] = {}  # by id
        for phase in range(3):
            self.write(range(1_000 * phase, 1_000 * phase + 1_000))
            self.write(range(1_000 * phase, 1_000 * phase + 300))  # replaced at once
            if phase < 2:
                collection.upkeep.seal()
        self.write(range(600, 1_500, 2))  # replaced rows die in sealed parts
        gone = list(range(5, 3_000, 7))
        collection.delete(gone).result()
        for one in gone:
            self.vectors.pop(one, None)
        self.write(range(3_000, 3_150))  # takes numbers that are free again

    def write(self, ids: range) -> None:
        vectors = self.rng.standard_normal((len(ids), SIZE)).astype(np.float32)
        self.collection.upsert(batch_of(list(ids), vectors)).result()
        stored = oracle.normalise(vectors) if self.distance is Distance.COSINE else vectors
        self.vectors.update(zip(ids, stored, strict=True))

    def columns(self) -> tuple[list[int], Numbers, Vectors]:
        """Return ids, numbers and vectors of all points."""
        ids = list(self.vectors)
        numbers = self.collection.reading().numbers_of(ids)
        return ids, np.array(numbers, dtype=np.uint32), np.array(list(self.vectors.values()))


@pytest.fixture(params=DISTANCES)
def lives(request: pytest.FixtureRequest, collection_of: OpenCollection) -> Lives:
    return Lives(collection_of(config_of(SIZE, request.param)), request.param, 3)


def test_an_exact_search_finds_the_closest_of_the_allowed(lives: Lives) -> None:
    ids, numbers, vectors = lives.columns()
    query = lives.rng.standard_normal(SIZE).astype(np.float32)
    reading = lives.collection.reading()
    for share in (0.0, 0.002, 0.05, 0.5, 1.0):
        chosen = np.flatnonzero(lives.rng.random(len(ids)) < share)
        request = SearchRequest(query, k=K, exact=True)
        answer = reading.nearest(request, BitMap(numbers[chosen].tolist()))
        rows, distances = oracle.exact(query, vectors[chosen], lives.distance, K)
        assert list(answer.ids) == [ids[row] for row in chosen[rows]]
        assert answer.numbers.tolist() == numbers[chosen[rows]].tolist()
        np.testing.assert_allclose(answer.distances, distances, rtol=1e-4, atol=1e-4)


def test_a_default_search_finds_nearly_all_and_no_other(lives: Lives) -> None:
    ids, numbers, vectors = lives.columns()
    queries = lives.rng.standard_normal((30, SIZE)).astype(np.float32)
    reading = lives.collection.reading()
    for share in (0.005, 0.1, 0.5, 0.95):
        chosen = np.flatnonzero(lives.rng.random(len(ids)) < share)
        allowed, places = (
            BitMap(numbers[chosen].tolist()),
            {ids[c]: i for i, c in enumerate(chosen)},
        )
        found = []
        for query in queries:
            request = SearchRequest(query, k=K)
            answer = reading.nearest(request, allowed)
            assert len(answer.ids) == min(K, len(chosen))
            found.append([places[int(one)] for one in answer.ids])
        truth = oracle.distances(queries, vectors[chosen], lives.distance)
        assert oracle.recall(found, truth, min(K, len(chosen))) >= 0.98


@pytest.mark.parametrize(
    "choices", [{"encoding": "float32"}, {"encoding": "1"}, {"originals": "none"}]
)
def test_every_encoding_answers_in_full(
    collection_of: OpenCollection, choices: dict[str, str]
) -> None:
    lives = Lives(collection_of(config_of(SIZE, Distance.EUCLID, **choices)), Distance.EUCLID, 4)
    ids, numbers, _ = lives.columns()
    reading = lives.collection.reading()
    query = lives.rng.standard_normal(SIZE).astype(np.float32)
    for count in (0, 1, 9, 400, len(ids)):
        allowed = BitMap(numbers[:count].tolist())
        for exact in (False, True):
            request = SearchRequest(query, k=20, exact=exact)
            answer = reading.nearest(request, allowed)
            assert len(answer.ids) == min(20, count)
            assert set(answer.numbers.tolist()) <= set(allowed)


# --- every distance -------------------------------------------------------------------------------


def joined(
    view: VectorView, queries: Vectors, points: BitMap | None
) -> tuple[Numbers, NDArray[np.float32], bool]:
    """Return all blocks as one."""
    blocks = [*score_rows(view, queries, points)]
    numbers = [np.empty(0, np.uint32), *(block[0] for block in blocks)]
    distances = [np.empty((len(queries), 0), np.float32), *(block[1] for block in blocks)]
    exact = all(block[2] for block in blocks)
    return np.concatenate(numbers), np.concatenate(distances, axis=1), exact


def test_distances_to_all_points(lives: Lives) -> None:
    _, numbers, vectors = lives.columns()
    view = lives.collection.view.vectors[0]
    queries = lives.rng.standard_normal((3, SIZE)).astype(np.float32)
    if lives.distance is Distance.COSINE:
        queries = oracle.normalise(queries)
    half = numbers[lives.rng.random(len(numbers)) < 0.5]
    for allowed in (None, BitMap(half.tolist()), BitMap()):
        found, distances, exact = joined(view, queries, allowed)
        wanted = numbers if allowed is None else np.array(list(allowed), dtype=np.uint32)
        assert exact and sorted(found.tolist()) == sorted(wanted.tolist())
        places = [int(np.flatnonzero(numbers == one)[0]) for one in found]
        expected = oracle.distances(queries, vectors[places].reshape(-1, SIZE), lives.distance)
        np.testing.assert_allclose(distances, expected, rtol=1e-4, atol=1e-4)


# --- rows by number -------------------------------------------------------------------------------


def searcher_of(vectors: Vectors, graph: Graph | None = None) -> Searcher:
    return Searcher(Distance.EUCLID, vectors.shape[1], vectors, graph=graph)


def test_rows_by_number_know_the_live_row_of_a_number_and_dead_ones_of_no_other(
    rng: np.random.Generator,
) -> None:
    vectors = rng.standard_normal((200, 4)).astype(np.float32)
    numbers = (rng.permutation(300)[:200] + 1_000).astype(np.uint32)
    alive = rng.random(256) < 0.5
    dead, lives = np.flatnonzero(~alive[:200])[-5:], np.flatnonzero(alive[:200])[:5]
    numbers[dead] = numbers[lives]  # written anew, or numbers used again
    row_of, base = searcher_of(vectors).rows_by_number(
        numbers, np.packbits(alive, bitorder="little").view(np.uint64)
    )
    assert row_of is not None and base % 64 == 0
    there = {base + int(place): int(row_of[place]) for place in np.flatnonzero(row_of < 200)}
    order = sorted(range(200), key=lambda row: bool(alive[row]))  # live rows last, so they stay
    assert there == {int(numbers[row]): row for row in order}
    assert searcher_of(vectors).rows_by_number(numbers * 1_000, None) == (None, 0)
    assert searcher_of(vectors[:0]).rows_by_number(numbers[:0], None) == (None, 0)


def test_an_older_view_finds_what_died_before_the_first_filtered_search(
    collection_of: OpenCollection,
) -> None:
    lives = Lives(collection_of(config_of(SIZE, Distance.EUCLID)), Distance.EUCLID, 6)
    before = lives.collection.reading()
    (part, *_) = before.view.vectors[0].sealed
    query, everyone = np.zeros(SIZE, np.float32), before.live
    victim = int(part.segment.numbers[part.dead.live_rows(part.n)[0]])
    lives.collection.delete([before.ids_of(np.array([victim], np.uint32))[victim]]).result()

    def find(reading: Reading, allowed: BitMap) -> list[int]:
        request = SearchRequest(query, k=1_000, exact=True)
        found = reading.nearest(request, allowed)
        return found.numbers.tolist()  # type: ignore[no-any-return]

    assert victim not in find(lives.collection.reading(), everyone)
    assert victim in find(before, BitMap([victim]))


MakeWalk = Callable[[int, float], Walk]
WALKS: dict[str, MakeWalk] = {
    "wide": lambda n, share: Walk(128, False, n, int(256 / share), 0.5 * share),
    "two hops": lambda n, share: Walk(192, True, n, 1, 0.25 * share),
}


@pytest.mark.parametrize("kind", WALKS)
def test_walks_find_the_allowed_or_give_up(
    collection_of: OpenCollection, kind: str, rng: np.random.Generator
) -> None:
    """On so few rows both walks would be scans by default, so they are called by themselves."""
    latent = rng.standard_normal((12_050, 12)) @ rng.standard_normal((12, 48))
    vectors = oracle.normalise(latent.astype(np.float32))
    collection = collection_of(config_of(48))
    collection.upsert(batch_of(list(range(12_000)), vectors[:12_000])).result()
    collection.upkeep.seal()
    (part,) = collection.view.vectors[0].sealed
    for share in (0.15, 0.4, 0.8):
        allowed = np.flatnonzero(rng.random(12_000) < share)
        numbers = collection.reading().numbers_of(allowed.tolist())
        among = Allowed(BitMap([n for n in numbers if n is not None])).in_sealed(part)
        truth = -(vectors[12_000:] @ vectors[allowed].T)
        answered, found = [], []
        for query, row in zip(vectors[12_000:], truth, strict=True):
            hits = part.segment.searcher.walk(  # type: ignore[union-attr]
                query, K, WALKS[kind](12_000, share), Rescoring(30), among
            )
            if len(hits.rows):
                ids = part.segment.ids[hits.rows].astype(np.intp)
                places = np.searchsorted(allowed, ids)
                assert (allowed[places] == ids).all()
                answered.append(row)
                found.append(places.tolist())
        assert len(found) >= 25
        assert oracle.recall(found, np.array(answered), K) >= 0.98
