"""Rows that are copies of each other, through all that may happen to some of them.

Compared with exact search over what is stored, and with the order in which copies come: that of
their points, whichever way they were found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index import Collection, Distance, HasId, SearchRequest, VectorConfig
from palimpsest.index.filters.expression import Filter
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.types import Vectors
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of
from tests.recall.measuring import distances, recall_of, stored
from tests.recall.walking import walk_to_few
from tests.unit.versions.mixed import QUERIES, Account, Texts, texts_of
from tests.unit.versions.mixed import config_of as versioned

SIZE, DIFFERENT, COPIED, COPIES = 192, 2_000, 20, 120
N = DIFFERENT + COPIED * COPIES
MUST, MUST_EACH = 0.98, 0.8

KINDS: list[tuple[Distance, dict[str, Any]]] = [
    (Distance.COSINE, {}),
    (Distance.EUCLID, {"originals": "float16"}),
    (Distance.DOT, {"datatype": "float16"}),
    (Distance.EUCLID, {"datatype": "uint8"}),
    (Distance.COSINE, {"datatype": "uint8"}),
    (Distance.DOT, {"encoding": "float32"}),
]


def drawn(rng: np.random.Generator, n: int) -> Vectors:
    """Return rows (n, SIZE) of whole numbers from 0 to 255, near some of few centres."""
    centres = rng.uniform(0, 255, (30, SIZE))
    rows = centres[rng.integers(len(centres), size=n)] + 30 * rng.standard_normal((n, SIZE))
    return np.clip(np.rint(rows), 0, 255).astype(np.float32)


class Copies:
    """A collection in which point i holds row i, if it is there."""

    def __init__(self, collection: Collection, distance: Distance, rng: np.random.Generator):
        self.collection, self.distance, self.rng = collection, distance, rng
        different = drawn(rng, DIFFERENT)
        self.copied = different[:COPIED]
        self.of = np.concatenate([np.arange(DIFFERENT), np.arange(COPIED).repeat(COPIES)])
        self.of = rng.permutation(self.of)  # by point, the row that it is a copy of
        self.different = different
        self.put(np.arange(N), different[self.of])
        near = self.copied[3:9] + 10 * rng.standard_normal((6, SIZE))
        near = np.clip(np.rint(near), 0, 255).astype(np.float32)
        self.queries = np.concatenate([self.copied[5:9], near, drawn(rng, 4)])

    def put(self, ids: NDArray[Any], rows: Vectors) -> None:
        for start in range(0, len(ids), 2_000):
            some = slice(start, start + 2_000)
            self.collection.upsert(batch_of(ids[some].tolist(), rows[some])).result()

    def holders(self, vector: int) -> NDArray[np.intp]:
        return np.flatnonzero(self.of == vector)

    def check(self, allowed: NDArray[np.intp] | None = None) -> None:
        ids, _, rows = stored(self.collection)
        only = None
        if allowed is not None:
            only = Filter(must=(HasId(frozenset(allowed.tolist())),))
            among = np.isin(ids, allowed)
            ids, rows = ids[among], rows[among]
        place = {int(one): i for i, one in enumerate(ids)}
        recalls = []
        for query in self.queries:
            exact = distances(query, rows.astype(np.float64), self.distance)
            for k in (10, COPIES + 10):
                found = self.collection.search(SearchRequest(query, k=k, filter=only))
                surely = self.collection.search(SearchRequest(query, k=k, filter=only, exact=True))
                places = np.array([place[int(one)] for one in found.ids])
                assert len(set(found.ids)) == len(found.ids) == min(k, len(ids))
                np.testing.assert_allclose(found.distances, exact[places], rtol=2e-4, atol=1e-4)
                recalls.append(recall_of(exact, places, k))
                if found.distances.tolist() == surely.distances.tolist():
                    assert list(found.ids) == list(surely.ids)
        assert np.mean(recalls) >= MUST and min(recalls) >= MUST_EACH, recalls


@pytest.mark.parametrize(
    ("distance", "choices", "walks"),
    [*((*kind, True) for kind in KINDS), (Distance.EUCLID, {"datatype": "uint8"}, False)],
)
def test_what_happens_to_some_copies(
    collection_of: OpenCollection,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    walks: bool,
    distance: Distance,
    choices: dict[str, Any],
) -> None:
    if walks:
        walk_to_few(monkeypatch)
    collection = collection_of(config_of(SIZE, distance, **choices))
    one = Copies(collection, distance, rng)
    collection.upkeep.seal()
    [part] = collection.view.vectors[0].sealed
    assert isinstance(part.segment, Sealed) and part.segment.searcher.folds_copies
    one.check()
    one.check(rng.permutation(N)[: N // 3])
    one.check(np.concatenate([one.holders(6)[::7], one.holders(1_500)]))

    gone = [one.holders(vector) for vector in (5, 15)]  # whole sets, and most or half of others
    gone += [one.holders(vector)[::2] for vector in range(5)] + [one.holders(6)[1:]]
    collection.delete(np.concatenate(gone).tolist()).result()
    one.check()
    one.check(np.concatenate([one.holders(vector) for vector in range(10)]))

    changed, joined = one.holders(7)[:60], np.flatnonzero(one.of >= 1_900)[:60]
    one.put(changed, drawn(rng, len(changed)))  # copies that become rows of their own
    one.put(joined, np.repeat(one.copied[7:8], len(joined), axis=0))  # and the other way round
    one.put(one.holders(8)[:50], np.repeat(one.copied[9:10], 50, axis=0))  # of one of another
    one.check()
    collection.upkeep.seal()
    one.check()
    collection.upkeep.compact()
    assert collection.upkeep.last_error is None
    one.check()
    one.check(np.concatenate([changed, joined, one.holders(9)]))


@pytest.mark.parametrize(("encoding", "datatype"), [("float32", "float32"), ("4", "float16")])
def test_copies_across_versions(
    collection_of: OpenCollection,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    encoding: Any,
    datatype: Any,
) -> None:
    """Distances scaled row by row: every copy has its node's, whatever was walked or scanned."""
    sizes, n, copies = {"v1": 96, "v2": 48}, 3_600, 1_500
    texts = texts_of(n, rng, sizes)
    of = np.concatenate([np.arange(n - copies), rng.integers(10, size=copies)])
    texts = Texts({v: rows[of] for v, rows in texts.rows.items()}, texts.queries)
    spaces = {
        v: VectorConfig(size, Distance.COSINE, encoding=encoding, datatype=datatype)
        for v, size in sizes.items()
    }
    account = Account(collection_of(versioned(spaces["v1"])), texts, spaces)
    account.declare("v2")
    account.put("v1", range(n))
    assert account.fit("v1", "v2").adapter.scales_rows
    account.collection.upkeep.seal()
    close = 2e-3 if datatype == "float16" else 1e-4  # of a product of rows that were rounded

    def check() -> None:
        for place in range(QUERIES):
            query = account.query("v2", place)
            every = account.expected("v2", query, ["v1"])
            own = dict(every)
            for start, how in ((0, {}), (10, {}), (0, {"ef": 400})):
                request = SearchRequest(query, "@v2", k=60, offset=start, **how)
                found = account.collection.search(request)
                assert len(set(found.ids)) == len(found.ids) == 60
                got = np.array([own[int(one)] for one in found.ids])
                np.testing.assert_allclose(found.distances, got, atol=close)
                # an answer is what the order of all rows has at these places
                wanted = [distance for _, distance in every[start : start + 60]]
                np.testing.assert_allclose(found.distances, wanted, atol=close + 1e-3)
                assert np.mean(got <= wanted[-1] + close) >= MUST, (place, start, how)

    check()  # few rows are scanned
    walk_to_few(monkeypatch)
    check()
    account.delete(np.flatnonzero(of == 3)[::2].tolist() + np.flatnonzero(of == 4).tolist())
    account.put("v2", range(1, n, 9))
    check()
