"""Several threads write and read while seals and compactions run; each checks what it was told."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from uuid import UUID

import numpy as np

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    MaintenanceConfig,
    PointId,
    SearchRequest,
    VectorConfig,
)
from palimpsest.index.types import Vector, Vectors
from tests.points import batch_of

SIZE = 16
ROUNDS = 60
PER_ROUND = 40
OWN_IDS = 400


class Writing(threading.Thread):
    """Writes and deletes points of its own ids, and checks every answer at once."""

    def __init__(self, collection: Collection, number: int) -> None:
        super().__init__()
        self.collection = collection
        self.rng = np.random.default_rng(number)
        self.ids: list[PointId] = [
            UUID(int=n) if number == 0 else n
            for n in range(number * OWN_IDS, (number + 1) * OWN_IDS)
        ]
        self.points: dict[PointId, Vector] = {}
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for step in range(ROUNDS):
                self.delete() if step % 5 == 4 else self.upsert()
        except BaseException as error:
            self.error = error

    def chosen(self) -> list[PointId]:
        return [self.ids[i] for i in self.rng.choice(OWN_IDS, PER_ROUND, replace=False)]

    def upsert(self) -> None:
        ids = self.chosen()
        vectors: Vectors = self.rng.standard_normal((len(ids), SIZE), dtype=np.float32)
        self.collection.upsert(batch_of(ids, vectors)).result()
        self.points.update(zip(ids, vectors, strict=True))
        self.check(ids[:3])

    def delete(self) -> None:
        ids = self.chosen()
        self.collection.delete(ids).result()
        for one in ids:
            self.points.pop(one, None)
        assert self.collection.retrieve(ids) == []
        near = self.collection.search(SearchRequest(np.zeros(SIZE, dtype=np.float32), k=10_000))
        assert not set(near.ids) & set(ids)

    def check(self, ids: list[PointId]) -> None:
        for record in self.collection.retrieve(ids, with_vectors=True):
            assert record.vectors is not None
            np.testing.assert_array_equal(record.vectors[""], self.points[record.id])
        for one in ids:
            for exact in (True, False):
                request = SearchRequest(self.points[one], k=1, exact=exact, with_payload=True)
                answer = self.collection.search(request)
                assert (list(answer.ids), float(answer.distances[0])) == ([one], 0.0)


def test_every_thread_reads_what_it_wrote(tmp_path: Path) -> None:
    config = CollectionConfig(
        {"": VectorConfig(SIZE, Distance.EUCLID)},
        MaintenanceConfig(64, quiet_rows=64, quiet_seconds=0, tier_factor=2, dead_ratio=0.1),
    )
    expected: dict[PointId, Vector] = {}
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("a", config)
        threads = [Writing(collection, number) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
            if thread.error is not None:
                raise thread.error
            expected |= thread.points
        deadline = time.monotonic() + 60
        while collection.state().pending:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert collection.state().last_error is None
        assert collection.state().vectors[""].segments >= 1
        compare(collection, expected)
    with Database.open(tmp_path) as database:
        compare(database.get("a"), expected)


def compare(collection: Collection, expected: dict[PointId, Vector]) -> None:
    assert collection.count() == len(expected)
    records, more = collection.scroll(None, 10_000, with_vectors=True)
    assert more is None
    assert {record.id for record in records} == expected.keys()
    for record in records:
        assert record.vectors is not None
        np.testing.assert_array_equal(record.vectors[""], expected[record.id])
    query = np.zeros(SIZE, dtype=np.float32)
    answer = collection.search(SearchRequest(query, k=10_000, exact=True))
    assert sorted(map(str, answer.ids)) == sorted(map(str, expected))
