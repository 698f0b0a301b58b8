"""Writes beyond whole points: payload edits, vectors by name, conditions, selections by filter."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    NamedVectors,
    PointBatch,
    VectorConfig,
)
from palimpsest.index.config.vectors import SparseConfig
from palimpsest.index.errors import (
    InvalidConfig,
    InvalidId,
    InvalidInput,
    InvalidVector,
    PointNotFound,
    UnknownVectorName,
)
from palimpsest.index.filters.expression import Filter, HasId, HasVector, Match, Range
from palimpsest.index.read.points import PointReader
from tests.conftest import OpenCollection, open_collection

COLOURS = ("red", "green", "blue")


def colour(*names: str) -> Filter:
    return Filter(must=(Match(("colour",), names),))


def payload_of(n: int) -> bytes:
    return json.dumps({"colour": COLOURS[n % 3], "n": n}).encode()


def vectors(n: int, size: int, seed: int = 0) -> NamedVectors:
    values = np.random.default_rng(seed).standard_normal((n, size), dtype=np.float32)
    return NamedVectors(np.arange(n), values)


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    """Nine points of two vector names, three of each colour."""
    spaces = {"a": VectorConfig(4, Distance.EUCLID), "b": VectorConfig(3, Distance.DOT)}
    collection = collection_of(CollectionConfig(spaces))
    batch = PointBatch(
        range(9), {"a": vectors(9, 4), "b": vectors(9, 3)}, [payload_of(n) for n in range(9)]
    )
    collection.upsert(batch).result()
    return collection


def payloads(collection: Collection) -> dict[Any, Any]:
    records, _ = collection.scroll(None, 100)
    return {one.id: None if one.payload is None else json.loads(one.payload) for one in records}


def names_of(collection: Collection, point: int) -> set[str]:
    (record,) = collection.retrieve([point], with_vectors=True)
    return set(record.vectors or {})


def test_set_payload_keeps_other_keys(collection: Collection) -> None:
    collection.set_payload([1, 2], b'{"new": 1.50, "n": [1]}').result()
    assert payloads(collection)[1] == {"colour": "green", "n": [1], "new": 1.5}
    assert payloads(collection)[3] == {"colour": "red", "n": 3}
    collection.set_payload(colour("red"), b'{"x": 1}', ("deep",)).result()
    assert payloads(collection)[6] == {"colour": "red", "n": 6, "deep": {"x": 1}}


def test_overwrite_delete_and_clear(collection: Collection) -> None:
    collection.overwrite_payload([0], b'{"only": 1}').result()
    collection.delete_payload(colour("green"), [("n",)]).result()
    collection.clear_payload([8]).result()
    found = payloads(collection)
    assert (found[0], found[1], found[8]) == ({"only": 1}, {"colour": "green"}, None)
    assert collection.count(colour("blue")) == 2


def test_a_missing_point_is_named_after_the_others_were_written(collection: Collection) -> None:
    with pytest.raises(PointNotFound, match="77"):
        collection.set_payload([1, 77, 78, 2], b'{"new": 1}').result()
    assert [n for n, one in payloads(collection).items() if "new" in one] == [1, 2]
    with pytest.raises(PointNotFound, match="77"):
        collection.delete_vectors([77, 3], ["a"]).result()
    assert names_of(collection, 3) == {"b"}


def test_a_write_sees_the_writes_queued_before_it(collection: Collection) -> None:
    futures = [
        collection.set_payload([0], b'{"colour": "blue"}'),
        collection.delete(colour("blue")),
        collection.upsert(PointBatch([0], {}, [payload_of(2)])),
        collection.set_payload(colour("blue"), b'{"late": true}'),
    ]
    assert [future.result() for future in futures] == [2, 3, 4, 5]
    assert [n for n, one in payloads(collection).items() if "late" in one] == [0]
    assert collection.count() == 6


def test_update_mode_and_condition_choose_the_points(collection: Collection) -> None:
    def put(**how: Any) -> dict[Any, Any]:
        batch = PointBatch([1, 2, 50], {}, [b'{"put": 1}'] * 3)
        collection.upsert(batch, **how).result()
        changed = {n for n, one in payloads(collection).items() if "put" in one}
        collection.delete([50]).result()
        collection.upsert(PointBatch([1, 2], {}, [payload_of(n) for n in (1, 2)])).result()
        return changed

    assert put() == {1, 2, 50}
    assert put(mode="insert_only") == {50}
    assert put(mode="update_only") == {1, 2}
    assert put(condition=colour("green")) == {1, 50}
    assert put(mode="update_only", condition=colour("green")) == {1}


def test_of_one_id_twice_insert_only_takes_the_first(collection: Collection) -> None:
    batch = PointBatch([60, 60], {}, [b'{"n": 1}', b'{"n": 2}'])
    collection.upsert(batch, mode="insert_only").result()
    assert payloads(collection)[60] == {"n": 1}


def test_update_vectors_leaves_the_rest(collection: Collection) -> None:
    before = collection.retrieve([4], with_vectors=True)[0]
    new = vectors(1, 4, seed=9)
    collection.update_vectors(PointBatch([4], {"a": new}, [None])).result()
    after = collection.retrieve([4], with_vectors=True)[0]
    assert before.vectors and after.vectors
    np.testing.assert_array_equal(after.vectors["a"], new.values[0])
    np.testing.assert_array_equal(after.vectors["b"], before.vectors["b"])
    assert after.payload == before.payload
    assert collection.view.vectors[0].live == 9


def test_update_vectors_of_one_point_in_several_places(collection: Collection) -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    batch = PointBatch(
        [4, 5, 4],
        {"a": NamedVectors(np.array([0, 2]), values[:2]), "b": vectors(1, 3, seed=3)},
        [None] * 3,
    )
    collection.update_vectors(batch).result()
    four, five = collection.retrieve([4, 5], with_vectors=True)
    assert four.vectors and five.vectors
    np.testing.assert_array_equal(four.vectors["a"], values[1])
    np.testing.assert_array_equal(four.vectors["b"], vectors(1, 3, seed=3).values[0])


def test_update_vectors_asks_for_points_that_exist(collection: Collection) -> None:
    with pytest.raises(PointNotFound, match="99"):
        collection.update_vectors(PointBatch([99, 1], {"a": vectors(2, 4)}, [None] * 2)).result()
    assert collection.count() == 9
    collection.update_vectors(
        PointBatch([0, 1], {"a": vectors(2, 4, seed=5)}, [None] * 2), condition=colour("red")
    ).result()
    zero, one = collection.retrieve([0, 1], with_vectors=("a",))
    assert zero.vectors and one.vectors
    np.testing.assert_array_equal(zero.vectors["a"], vectors(2, 4, seed=5).values[0])
    np.testing.assert_array_equal(one.vectors["a"], vectors(2, 4).values[1])


def test_delete_vectors(collection: Collection) -> None:
    collection.delete_vectors(colour("green"), ["a"]).result()
    assert names_of(collection, 1) == {"b"}
    assert collection.count(Filter(must=(HasVector("a"),))) == 6
    with pytest.raises(UnknownVectorName):
        collection.delete_vectors([1], ["c"])


def test_bad_ids_are_refused_at_once(collection: Collection) -> None:
    for write in (collection.delete, collection.clear_payload):
        with pytest.raises(InvalidId):
            write([-1])


def test_a_freed_number_keeps_no_trace(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palimpsest.index.write.numbering.REST_SECONDS", -1.0)
    (number,) = collection.reading().numbers_of([3])
    collection.delete([3]).result()
    collection.upsert(PointBatch([500], {"a": vectors(1, 4)}, [None])).result()
    assert collection.reading().numbers_of([500]) == [number]
    assert collection.count(colour("red")) == 2
    assert collection.count(Filter(must=(HasVector("b"),))) == 8
    assert names_of(collection, 500) == {"a"}


def test_vector_names_come_and_go(collection: Collection) -> None:
    collection.add_vector("c", VectorConfig(2, Distance.DOT), dict)
    assert names_of(collection, 1) == {"a", "b"}
    collection.update_vectors(PointBatch([1], {"c": vectors(1, 2)}, [None])).result()
    assert names_of(collection, 1) == {"a", "b", "c"}
    collection.drop_vector("a", dict)
    assert names_of(collection, 1) == {"b", "c"}
    collection.add_vector("a", SparseConfig(), dict)
    assert names_of(collection, 1) == {"b", "c"}
    with pytest.raises(InvalidConfig, match="'a' is declared already"):
        collection.add_vector("a", VectorConfig(4, Distance.DOT), dict)
    with pytest.raises(UnknownVectorName):
        collection.drop_vector("z", dict)
    with pytest.raises(InvalidVector, match="expected sparse ones"):
        collection.upsert(PointBatch([1], {"a": vectors(1, 4)}, [None]))
    folder = collection.folder
    collection.close()
    opened = open_collection(folder)
    assert list(opened.config.vectors) == ["b", "c", "a"]
    assert names_of(opened, 1) == {"b", "c"}
    assert payloads(opened)[1] == {"colour": "green", "n": 1}
    opened.close()


def test_everything_is_there_after_opening_again(collection: Collection) -> None:
    collection.set_payload(colour("red"), b'{"x": 1}').result()
    collection.delete_vectors([2], ["b"]).result()
    collection.update_vectors(PointBatch([4], {"a": vectors(1, 4, seed=9)}, [None])).result()
    collection.delete(Filter(must=(Range(("n",), gt=6),))).result()

    def state(one: Collection) -> Any:
        records, _ = one.scroll(None, 100, with_vectors=True)
        held = [
            (r.id, r.payload, {n: v.tolist() for n, v in (r.vectors or {}).items()})  # type: ignore[union-attr]
            for r in records
        ]
        return held, one.view.live, one.view.seq

    before, folder = state(collection), collection.folder
    collection.close()
    opened = open_collection(folder)
    assert state(opened) == before
    opened.close()


def test_a_page_of_some_points(collection: Collection) -> None:
    red = colour("red")
    first, following = collection.scroll(None, 2, red)
    assert [one.id for one in first] == [0, 3]
    assert following == 6
    rest, end = collection.scroll(6, 5, red)
    assert ([one.id for one in rest], end) == ([6], None)
    few = Filter(must=(HasId(frozenset([7, 2])),))
    assert [one.id for one in collection.scroll(3, 5, few)[0]] == [7]


@contextmanager
def names_change_first(collection: Collection, *changes: Callable[[], None]) -> Iterator[None]:
    """Change vector names before what the block queues, which was checked before the change."""
    begun, held, threads = Event(), Event(), []
    collection.writer.call(lambda: begun.set() or held.wait())
    assert begun.wait(10)
    for waiting, change in enumerate(changes, 1):
        threads.append(Thread(target=change))
        threads[-1].start()
        while collection.writer._queue.qsize() < waiting:
            time.sleep(0.001)
    try:
        yield
    finally:
        held.set()
        for thread in threads:
            thread.join()


def queued_writes(collection: Collection) -> list[Future[int]]:
    return [
        collection.upsert(PointBatch([100], {"b": vectors(1, 3)}, [None])),
        collection.upsert(PointBatch([1, 101], {"a": vectors(2, 4)}, [None] * 2)),
        collection.update_vectors(PointBatch([2], {"a": vectors(1, 4)}, [None])),
        collection.delete_vectors([3], ["a"]),
        collection.set_payload([4], b'{"set": true}'),
    ]


@pytest.mark.parametrize("size", [None, 4, 7])
def test_a_write_that_waited_while_its_vector_was_dropped_fails_alone(
    collection: Collection, size: int | None
) -> None:
    changes = [lambda: collection.drop_vector("a", dict)]
    if size is not None:
        again = VectorConfig(size, Distance.COSINE)
        changes.append(lambda: collection.add_vector("a", again, dict))
    with names_change_first(collection, *changes):
        written = queued_writes(collection)
    for place, future in enumerate(written):
        if place in (1, 2, 3):
            with pytest.raises(UnknownVectorName):
                future.result()
        else:
            future.result()
    assert payloads(collection)[4]["set"]
    assert names_of(collection, 100) == {"b"}
    assert names_of(collection, 1) == {"b"}
    assert collection.retrieve([101]) == []
    collection.close()
    opened = open_collection(collection.folder)
    assert opened.count() == 10
    opened.close()


def test_a_payload_that_cannot_be_edited_fails_alone(collection: Collection) -> None:
    deep = b'{"x": ' + b"[" * 900 + b"]" * 900 + b"}"
    path = ("n",) * 120
    gate = Event()
    collection.writer.call(gate.wait)
    written = [collection.set_payload([0], deep, path) for _ in range(2)]
    other = collection.set_payload([1], b'{"set": true}')
    gate.set()
    other.result()
    assert payloads(collection)[1]["set"]
    with pytest.raises(InvalidInput, match="nested too deeply"):
        for future in written:
            future.result()


def test_paging_ends_only_where_the_points_end(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = PointReader.numbered

    def delete_between(self: PointReader, *arguments: Any, **options: Any) -> Any:
        collection.delete([3]).result()
        return plain(self, *arguments, **options)

    monkeypatch.setattr(PointReader, "numbered", delete_between)
    page, start = collection.scroll(0, 1, colour("red"))
    assert ([one.id for one in page], start) == ([0], 6)
