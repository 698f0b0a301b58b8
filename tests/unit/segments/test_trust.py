"""Plain walks are trusted where they find what searches that go on find, and nowhere else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from palimpsest.index import Distance, SearchRequest
from palimpsest.index.search.one_segment import closest_rows
from palimpsest.index.segments.deciding import WIDER, Probed
from palimpsest.index.segments.effort import PLANNED
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.segments.searcher import Rescoring, Walk
from palimpsest.index.types import Vectors
from tests import evaluation, oracle
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of
from tests.unit.segments.bad import sealed, with_links_cut

SIZE = 16


def spread_rows(rng: np.random.Generator, n: int = 12_000) -> Vectors:
    return rng.standard_normal((n, SIZE)).astype(np.float32)


@pytest.mark.parametrize("distance", [Distance.COSINE, Distance.DOT, Distance.EUCLID])
def test_walks_that_find_all_are_trusted_up_to_the_distances_of_answers(
    collection_of: OpenCollection, rng: np.random.Generator, distance: Distance
) -> None:
    rows = spread_rows(rng)
    collection = collection_of(config_of(SIZE, distance))
    segment = sealed(collection, rows)
    assert segment.probed is not None and segment.probed.usual is not None
    assert Probed.from_json(segment.probed.to_json()) == segment.probed
    config = collection.view.vectors[0].config
    for query in rows[:20]:
        asked = query / np.linalg.norm(query) if distance is Distance.COSINE else query
        found = closest_rows(segment, config, asked, 10)  # type: ignore[arg-type]
        plain = closest_rows(segment.trusting(math.inf), config, asked, 10)  # type: ignore[arg-type]
        assert found.tolist() == plain.tolist()


def test_walks_of_a_graph_in_parts_are_not_trusted(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    rows = spread_rows(rng)
    assert sealed(collection_of(config_of(SIZE)), rows).usual > -math.inf
    with_links_cut(monkeypatch, 7)
    segment = sealed(collection_of(config_of(SIZE)), rows)
    assert segment.usual == -math.inf or segment.effort != PLANNED


def test_a_probe_of_an_earlier_release_trusts_nothing(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    segment = sealed(collection_of(config_of(SIZE)), spread_rows(rng))
    assert segment.probed is not None
    stored = segment.probed.to_json()
    del stored["usual"]
    earlier = Probed.from_json(stored)
    assert earlier == segment.probed._replace(usual=None)
    segment.note(earlier)
    assert segment.usual == -math.inf


def test_only_walks_that_end_farther_than_usual_look_at_more(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    rows = spread_rows(rng)
    segment = sealed(collection_of(config_of(SIZE, Distance.EUCLID)), rows)
    searcher, query = segment.searcher, np.ascontiguousarray(rows[0])
    every = searcher.first(len(rows))
    plain = searcher.walk(query, 10, Walk(128), Rescoring(30), every)
    last = float(plain.distances[-1]) ** 2  # the walk's own distances are squares
    nearer, farther = (
        searcher.walk(query, 10, Walk(128), Rescoring(30, sure=10), every, usual=usual)
        for usual in (1.001 * last, 0.999 * last)
    )
    assert nearer.scored == plain.scored and nearer.rows.tolist() == plain.rows.tolist()
    assert farther.scored >= plain.scored + 256
    never = searcher.walk(query, 10, Walk(128), Rescoring(30, sure=10), every)
    assert never.scored > farther.scored  # seeds, too


def test_a_query_far_from_all_rows_is_looked_into(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    rows = spread_rows(rng)
    collection = collection_of(config_of(SIZE, Distance.EUCLID))
    sealed(collection, rows)
    far = (10 * rng.standard_normal(SIZE)).astype(np.float32)
    best = np.argsort(np.linalg.norm(rows.astype(np.float64) - far, axis=1))[:10]
    assert [int(one) for one in collection.search(SearchRequest(far)).ids] == best.tolist()


def test_walks_that_miss_some_of_what_lies_far_out_are_made_wider(
    collection_of: OpenCollection,
) -> None:
    """Texts of a model whose plain walks find .97 for users, though they look sound from within."""
    found = evaluation.find("text/v1_base_i8.npy", "text/v1_query_f16.npy")
    if found is None:
        pytest.skip("no passages at hand")
    rows, queries = (np.load(path).astype(np.float32) for path in found)
    rows = oracle.normalise(rows)
    collection = collection_of(config_of(256, Distance.COSINE))
    collection.upsert(batch_of(list(range(len(rows))), rows)).result()
    collection.upkeep.seal()
    [part] = collection.view.vectors[0].sealed
    assert isinstance(part.segment, Sealed) and part.segment.probed is not None
    assert (part.segment.effort, part.segment.probed.decision) == (WIDER, "ef")
    assert part.segment.usual > -np.inf
    assert part.segment.probed.recall.mean > part.segment.probed.planned.mean
    asked = queries[:200]
    truth = np.argsort(oracle.distances(asked, rows, Distance.COSINE), axis=1)[:, :10]
    hits = [
        len(set(one) & set(collection.search(SearchRequest(query)).ids))
        for query, one in zip(asked, truth.tolist(), strict=True)
    ]
    assert sum(hits) >= 0.98 * 10 * len(asked)
