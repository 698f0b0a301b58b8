"""Queries whose neighbours are gone or not allowed, and long answers while searches go on.

Walks end in a poor place there, so that pages and groups are cut from what follows a walk. Compared
with exact search over what is stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index import Collection, Distance, SearchRequest, answer_groups
from palimpsest.index.filters.expression import Filter, Match
from palimpsest.index.query.request import GroupRequest, Nearest, Prefetch
from palimpsest.index.types import Vectors
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of
from tests.recall.measuring import distances, recall_of, stored
from tests.recall.walking import walk_to_few
from tests.unit.segments.bad import with_links_cut

SIZE, CLUSTERS, ROWS = 64, 30, 120
N = CLUSTERS * ROWS
MUST, MUST_EACH = 0.98, 0.8
SPREAD = 0.3  # of a cluster, where its centre has a deviation of 1

SPACES = [(Distance.COSINE, "4"), (Distance.EUCLID, "2"), (Distance.DOT, "float32")]
each_space = pytest.mark.parametrize(("distance", "encoding"), SPACES)


class Clusters:
    """A collection of clusters: point i lies in cluster i % CLUSTERS, which its payload tells."""

    def __init__(self, collection: Collection, rng: np.random.Generator) -> None:
        self.collection, self.rng = collection, rng
        self.distance = collection.config.dense[""].distance
        self.centres = rng.standard_normal((CLUSTERS, SIZE))
        self.cluster = np.arange(N) % CLUSTERS
        self.put(np.arange(N), self.near(self.cluster))
        collection.upkeep.seal()

    def near(self, clusters: NDArray[np.intp]) -> Vectors:
        rows = self.centres[clusters] + SPREAD * self.rng.standard_normal((len(clusters), SIZE))
        return rows.astype(np.float32)

    def put(self, ids: NDArray[np.intp], rows: Vectors) -> None:
        payloads = [b'{"cluster":%d}' % (one % CLUSTERS) for one in ids]
        self.collection.upsert(batch_of(ids.tolist(), rows, payloads)).result()

    def check(self, queries: Vectors) -> None:
        recalls = self.recalls(queries)
        assert np.mean(recalls) >= MUST and min(recalls) >= MUST_EACH, recalls

    def recalls(self, queries: Vectors, only: tuple[int, ...] | None = None) -> list[float]:
        """Return the recall of each answer, whose points and distances must be right."""
        ids, _, rows = stored(self.collection)
        filter = None
        if only is not None:
            filter = Filter(must=(Match(("cluster",), only),))
            among = np.isin(ids % CLUSTERS, only)
            ids, rows = ids[among], rows[among]
        place = {int(one): i for i, one in enumerate(ids)}
        recalls = []
        for query in queries:
            exact = distances(query, rows.astype(np.float64), self.distance)
            for k in (10, 100):
                request = SearchRequest(query, k=k, filter=filter)
                found = self.collection.search(request)
                places = np.array([place[int(one)] for one in found.ids])
                assert len(set(found.ids)) == len(found.ids) == min(k, len(ids))
                np.testing.assert_allclose(found.distances, exact[places], rtol=1e-4, atol=1e-4)
                recalls.append(recall_of(exact, places, k))
        return recalls


@pytest.fixture
def clusters(
    collection_of: OpenCollection,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    distance: Distance,
    encoding: Any,
) -> Clusters:
    walk_to_few(monkeypatch)
    return Clusters(collection_of(config_of(SIZE, distance, encoding=encoding)), rng)


@each_space
def test_whole_clusters_are_deleted(clusters: Clusters) -> None:
    """Or moved away: what lies nearest then is in any of the others."""
    rng, gone = clusters.rng, np.arange(12)
    queries = clusters.near(gone[::2])
    clusters.check(queries)
    clusters.collection.delete(np.flatnonzero(clusters.cluster < 10).tolist()).result()
    clusters.check(queries)
    moved = np.flatnonzero((clusters.cluster == 10) | (clusters.cluster == 11))
    clusters.put(moved, clusters.near(rng.integers(12, CLUSTERS, size=len(moved))))
    clusters.check(queries)
    clusters.collection.delete(np.flatnonzero(clusters.cluster < CLUSTERS - 1).tolist()).result()
    clusters.check(queries)  # one cluster is left
    clusters.collection.upkeep.seal()
    clusters.collection.upkeep.compact()
    assert clusters.collection.upkeep.last_error is None
    clusters.check(queries)


@each_space
@pytest.mark.parametrize("allowed", [1, 3, 10, 20])
def test_filters_allow_far_rows_alone(clusters: Clusters, allowed: int) -> None:
    """The clusters that lie farthest from the query."""
    recalls = []
    for home in range(8):
        query = clusters.near(np.full(1, home))
        away = distances(query[0], clusters.centres, clusters.distance)
        only = tuple(np.argsort(away)[-allowed:].tolist())
        recalls += clusters.recalls(query, only)
    clusters.collection.delete(np.flatnonzero(clusters.cluster % 3 == 0).tolist()).result()
    recalls += clusters.recalls(clusters.near(np.arange(6)), tuple(range(7, 7 + allowed)))
    assert np.mean(recalls) >= MUST and min(recalls) >= MUST_EACH, recalls


@each_space
def test_pages_and_groups_of_searches_that_go_on(clusters: Clusters) -> None:
    """From a place where nothing lies, or of rows that codes do not tell apart."""
    collection, rng = clusters.collection, clusters.rng
    tight = clusters.centres[:1] + 1e-3 * rng.standard_normal((ROWS, SIZE))
    clusters.put(np.flatnonzero(clusters.cluster == 0), tight.astype(np.float32))
    clusters.collection.delete(np.flatnonzero(clusters.cluster == 1).tolist()).result()
    collection.upkeep.seal()
    collection.upkeep.compact()
    ids, _, rows = stored(collection)
    place = {int(one): i for i, one in enumerate(ids)}
    extended = 0
    for home in (0, 1, 2):
        query = clusters.near(np.full(1, home))[0] if home else tight[5].astype(np.float32)
        exact = distances(query, rows.astype(np.float64), clusters.distance)
        for filter in (None, Filter(must_not=(Match(("cluster",), (2, 5)),))):
            passes = np.ones(len(ids), bool) if filter is None else ~np.isin(ids % CLUSTERS, (2, 5))
            truth = np.where(passes, exact, np.inf)
            paged: list[object] = []
            for start in range(0, 200, 20):
                request = SearchRequest(query, k=20, offset=start, filter=filter)
                answer = collection.search(request)
                extended += answer.stats.extended
                paged += answer.ids
            assert len(set(paged)) == len(paged) == 200
            places = np.array([place[int(str(one))] for one in paged])
            assert passes[places].all()
            assert recall_of(truth, places, 200) >= 0.99
            assert (np.diff(exact[places]) >= -1e-5 * np.abs(exact[places][1:]) - 1e-6).all()
            require_groups(collection, query, filter, truth, ids)
    assert extended > 0


def require_groups(
    collection: Collection,
    query: Vectors,
    filter: Filter | None,
    truth: NDArray[np.float64],
    ids: NDArray[np.intp],
) -> None:
    """Ask for the best of the clusters, and as many points of each."""
    root = Prefetch(query=Nearest(query), filter=filter, limit=6)
    reading = collection.reading()
    groups = answer_groups(reading, GroupRequest(root, ("cluster",), 15), lambda _: reading)
    best = {int(c): float(truth[ids % CLUSTERS == c].min()) for c in np.unique(ids % CLUSTERS)}
    wanted = sorted(best, key=best.__getitem__)[:6]
    assert [group.key for group in groups] == wanted
    for group in groups:
        found = [int(str(record.id)) for record in group.hits.records]
        own = np.flatnonzero(ids % CLUSTERS == group.key)
        assert len(set(found)) == len(found) == 15
        places = np.searchsorted(np.sort(ids[own]), found)
        order = own[np.argsort(ids[own])]
        assert (ids[order[places]] == found).all()
        assert recall_of(truth[own], np.searchsorted(own, order[places]), 15) >= 0.9


@pytest.mark.parametrize("how", [{}, {"ef": 450}, {"offset": 3}])
@pytest.mark.parametrize("encoding", ["4", "float32"])
def test_as_many_results_as_there_are(
    collection_of: OpenCollection,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    encoding: Any,
    how: dict[str, Any],
) -> None:
    """From a graph that falls into parts, of which a walk reaches one or a few."""
    walk_to_few(monkeypatch)
    with_links_cut(monkeypatch, 97)
    one = Clusters(collection_of(config_of(SIZE, encoding=encoding)), rng)
    for k in (10, 400, N if "ef" not in how else 450):
        found = one.collection.search(SearchRequest(one.near(np.arange(1))[0], k=k, **how))
        assert len(found.ids) == min(k, N - how.get("offset", 0))
