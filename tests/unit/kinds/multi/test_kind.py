"""Sets of vectors live a whole life in the engine, beside vectors of other kinds."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    MaintenanceConfig,
    MultiConfig,
    MultiVector,
    NamedMultiVectors,
    NamedVectors,
    PointBatch,
    Prefetch,
    QueryRequest,
    SearchRequest,
    VectorConfig,
    answer,
    check_directory,
    queries,
)
from palimpsest.index.errors import DimensionMismatch, InvalidVector
from palimpsest.index.filters.expression import Filter, HasId
from palimpsest.index.query.matrix import MatrixRequest, neighbours
from tests.conftest import OpenCollection, open_collection
from tests.unit.doctor.making import opened
from tests.unit.kinds.multi.twin import Set, batch_of, closest, distance_of, drawn, similarity

ROOT = Path(__file__).parents[4]
SIZE = 6
EVERY = [*Distance]
Points = dict[int, Set]


def config_of(distance: Distance = Distance.DOT, **settings: object) -> CollectionConfig:
    return CollectionConfig(
        {
            "": VectorConfig(2, Distance.DOT),
            "tokens": MultiConfig(SIZE, distance, **settings),  # type: ignore[arg-type]
        },
        MaintenanceConfig(quiet_rows=1, quiet_seconds=3_600.0),
    )


def write(collection: Collection, points: Points) -> None:
    dense = NamedVectors(np.arange(len(points)), np.ones((len(points), 2), np.float32))
    vectors = {"": dense, "tokens": batch_of([*points.values()], SIZE)}
    collection.upsert(PointBatch(list(points), vectors, [None] * len(points))).result()


def write_sets(collection: Collection, points: Points) -> None:
    """Write points that have nothing but a set."""
    size = next(iter(points.values())).shape[1]
    sets = batch_of([*points.values()], size)
    collection.upsert(PointBatch(list(points), {"tokens": sets}, [None] * len(points))).result()


def found(collection: Collection, query: Set, k: int, **asked: object) -> list[int]:
    request = SearchRequest(MultiVector(query), "tokens", k, **asked)  # type: ignore[arg-type]
    return [int(one) for one in collection.search(request).ids]  # type: ignore[arg-type]


def require_whole(collection: Collection, points: Points, distance: Distance) -> None:
    """Require that all points are found, read and counted as they were written."""
    query = drawn(range(4, 5), SIZE, seed=9)[4]
    assert found(collection, query, 7) == closest(points, query, 7, distance)
    few = tuple(points)[::3]
    some = {n: points[n] for n in few}
    by_ids = Filter(must=(HasId(few),))
    assert found(collection, query, 5, filter=by_ids) == closest(some, query, 5, distance)
    (read,) = collection.retrieve([few[1]], with_vectors=("tokens",))
    assert read.vectors is not None
    held = read.vectors["tokens"]
    assert isinstance(held, MultiVector)
    expected = points[few[1]]
    if distance is Distance.COSINE:
        expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(held.values, expected, atol=1e-6)
    else:
        np.testing.assert_array_equal(held.values, expected)
    assert collection.state().vectors["tokens"].points == len(points)


def as_it_is(collection: Collection) -> Collection:
    return collection


def seal(collection: Collection) -> Collection:
    collection.upkeep.seal()
    assert collection.upkeep.last_error is None
    return collection


def compact(collection: Collection) -> Collection:
    seal(collection)
    collection.upkeep.compact()
    assert collection.upkeep.last_error is None
    return collection


def reopen(collection: Collection) -> Collection:
    collection.close()
    return open_collection(collection.folder)


@pytest.mark.parametrize("later", [as_it_is, seal, compact, reopen])
@pytest.mark.parametrize("change", [seal, reopen])
@pytest.mark.parametrize("distance", EVERY)
def test_points_are_found_read_and_counted_in_every_phase(
    collection_of: OpenCollection,
    distance: Distance,
    change: Callable[[Collection], Collection],
    later: Callable[[Collection], Collection],
) -> None:
    collection = collection_of(config_of(distance))
    points = drawn(range(60), SIZE)
    write(collection, points)
    require_whole(collection, points, distance)
    collection = change(collection)
    points |= drawn(range(50, 90), SIZE, seed=1)
    write(collection, {n: points[n] for n in range(50, 90)})
    collection.delete([*range(0, 60, 4)]).result()
    points = {n: one for n, one in points.items() if n >= 60 or n % 4}
    collection = later(collection)
    require_whole(collection, points, distance)
    collection.close()


@pytest.mark.parametrize("distance", EVERY)
def test_distances_are_those_of_maxsim(collection_of: OpenCollection, distance: Distance) -> None:
    collection, points = collection_of(config_of(distance)), drawn(range(30), SIZE)
    write(collection, points)
    query = drawn(range(4, 5), SIZE, seed=9)[4]
    hits = collection.search(SearchRequest(MultiVector(query), "tokens", 30))
    expected = [distance_of(query, points[int(n)], distance) for n in hits.ids]  # type: ignore[arg-type]
    np.testing.assert_allclose(hits.distances, expected, rtol=1e-5, atol=1e-5)


def test_equal_sets_come_in_the_order_of_their_ids(collection_of: OpenCollection) -> None:
    collection, one = collection_of(config_of()), drawn(range(4, 5), SIZE)[4]
    points = {n: one for n in (9, 3, 2**63, 5, 1)} | drawn(range(20, 40), SIZE)
    write(collection, points)
    assert found(collection, 9 * one, 3) == [1, 3, 5]
    seal(collection)
    write(collection, {2: one})
    assert found(collection, 9 * one, 3) == [1, 2, 3]
    assert found(collection, np.zeros((2, SIZE), np.float32), 4) == [1, 2, 3, 5]


def test_by_id_and_without_the_point_itself(collection_of: OpenCollection) -> None:
    collection, points = collection_of(config_of()), drawn(range(20), SIZE)
    write(collection, points)
    hits = collection.search(SearchRequest(7, "tokens", 3)).ids
    others = {n: one for n, one in points.items() if n != 7}
    assert [*hits] == closest(others, points[7], 3, Distance.DOT)


def test_one_vector_is_a_set_of_one(collection_of: OpenCollection) -> None:
    collection, points = collection_of(config_of()), drawn(range(20), SIZE)
    write(collection, points)
    query = drawn(range(5, 6), SIZE, seed=2)[5]
    hits = collection.search(SearchRequest(query[0], "tokens", 3)).ids
    assert [*hits] == closest(points, query[:1], 3, Distance.DOT)


def answered(collection: Collection, tree: QueryRequest) -> list[int]:
    hits = answer(collection.reading(), tree, lambda _: collection.reading())
    return [int(record.id) for record in hits.records]  # type: ignore[arg-type]


@pytest.mark.parametrize("distance", EVERY)
def test_examples_and_their_average(collection_of: OpenCollection, distance: Distance) -> None:
    collection, points = collection_of(config_of(distance)), drawn(range(30), SIZE)
    write(collection, points)
    seal(collection)
    liked = queries.Recommend((3,), (), "best_score")
    others = {n: one for n, one in points.items() if n != 3}
    tree = QueryRequest(Prefetch(liked, "tokens", limit=4))
    assert answered(collection, tree) == closest(others, points[3], 4, distance)
    both = queries.Recommend((3, 5), (8,))  # every vector of the liked ones, and of others negated
    every = np.concatenate([points[3], points[5], -points[8]])
    others = {n: one for n, one in points.items() if n not in (3, 5, 8)}
    tree = QueryRequest(Prefetch(both, "tokens", limit=4))
    assert answered(collection, tree) == closest(others, every, 4, distance)


@pytest.mark.parametrize("distance", EVERY)
def test_points_unlike_each_other(collection_of: OpenCollection, distance: Distance) -> None:
    collection, points = collection_of(config_of(distance)), drawn(range(12), SIZE)
    write(collection, points)
    query = drawn(range(4, 5), SIZE, seed=9)[4]
    target = queries.Nearest(MultiVector(query), mmr=queries.Mmr(0.6, 12))
    chosen = answered(collection, QueryRequest(Prefetch(target, "tokens", limit=5)))
    to_query = {n: similarity(query, one, distance) for n, one in points.items()}
    expected: list[int] = [max(points, key=to_query.__getitem__)]
    while len(expected) < 5:
        worth = {
            n: 0.4 * to_query[n]
            - 0.6 * max(similarity(points[n], points[one], distance) for one in expected)
            for n in points
            if n not in expected
        }
        expected.append(max(worth, key=worth.__getitem__))
    assert chosen == expected


@pytest.mark.parametrize("distance", EVERY)
def test_the_matrix_of_distances(collection_of: OpenCollection, distance: Distance) -> None:
    collection, points = collection_of(config_of(distance)), drawn(range(8), SIZE)
    write(collection, points)
    near = neighbours(collection.reading(), MatrixRequest("tokens", sample=8, limit=3))
    for one, places in zip(near.ids, near.places, strict=True):
        others = {n: it for n, it in points.items() if n != one}
        expected = closest(others, points[int(one)], 3, distance)  # type: ignore[arg-type]
        assert [near.ids[place] for place in places] == expected


@pytest.mark.parametrize("distance", EVERY)
@pytest.mark.parametrize("originals", ["float32", "float16"])
@pytest.mark.parametrize("datatype", ["float32", "float16", "uint8"])
def test_what_is_read_is_the_same_before_and_after_sealing(
    collection_of: OpenCollection, distance: Distance, originals: str, datatype: str
) -> None:
    collection = collection_of(config_of(distance, originals=originals, datatype=datatype))
    points = {n: 60 * np.abs(one) for n, one in drawn(range(40), SIZE).items()}
    write(collection, points)
    query = MultiVector(points[4])

    def seen() -> list[tuple[object, float, bytes]]:
        hits = collection.search(SearchRequest(query, "tokens", 9, with_vectors=("tokens",)))
        assert hits.vectors is not None
        sets = [one["tokens"].values.tobytes() for one in hits.vectors]  # type: ignore[union-attr]
        return [*zip(hits.ids, hits.distances.tolist(), sets, strict=True)]

    before = seen()
    collection = reopen(seal(collection))
    assert seen() == before
    if datatype == "uint8":
        (read,) = collection.retrieve([7], with_vectors=True)
        assert read.vectors is not None
        held = read.vectors["tokens"]
        np.testing.assert_array_equal(held.values, np.trunc(np.clip(points[7], 0, 255)))  # type: ignore[union-attr]
    collection.close()


def test_which_parts_of_hits_match(collection_of: OpenCollection) -> None:
    collection, points = collection_of(config_of()), drawn(range(20), SIZE)
    write(collection, points)
    seal(collection)
    write(collection, drawn(range(20, 25), SIZE))
    points |= drawn(range(20, 25), SIZE)
    query = drawn(range(4, 5), SIZE, seed=9)[4]
    found = collection.reading().matched("tokens", MultiVector(query), [3, 22, 99])
    assert found[2] is None
    for one, parts in zip((3, 22), found, strict=False):
        assert parts is not None
        table = query @ points[one].T
        assert parts.best.tolist() == table.argmax(axis=1).tolist()
        np.testing.assert_allclose(parts.distances, -table.max(axis=1), rtol=1e-5)
        assert parts.whole == int(table.sum(axis=0).argmax())
    assert collection.reading().matched("", np.ones(2, np.float32), [3]) == [None]
    (itself,) = collection.reading().matched("tokens", 4, [4])
    assert itself is not None and len(itself.best) == len(points[4])


def batch(sets: list[Set], first: int = 2**60) -> PointBatch:
    """Return sets of the same size as points without anything else."""
    ids = [first + n for n in range(len(sets))]
    return PointBatch(ids, {"tokens": batch_of(sets, sets[0].shape[1])}, [None] * len(sets))


def test_what_is_wrong_refuses_the_batch_and_is_named(collection_of: OpenCollection) -> None:
    collection = collection_of(config_of(max_vectors=8))
    fine = np.ones((3, SIZE), np.float32)
    wrong = fine.copy()
    wrong[2, 1] = np.nan

    def refused(sets: list[Set], text: str) -> None:
        with pytest.raises((InvalidVector, DimensionMismatch), match=text):
            collection.upsert(batch(sets))
        assert collection.state().points == 0

    point = f"point {2**60 + 1}"
    refused([fine, fine[:0]], f"of {point} has no vectors: expected at least one")
    refused([fine, np.ones((9, SIZE), np.float32)], f"of {point} has 9 vectors: expected at most 8")
    refused([fine, wrong], f"{point} at place 2 of its set holds NaN or Inf")
    refused([fine, 1e30 * fine], f"{point} at place 0 of its set is longer than 1e")
    refused([fine[:, 1:]], f"expected dim: {SIZE}, got {SIZE - 1} .each vector of point {2**60}")
    odd = NamedMultiVectors(np.arange(2), np.array([0, 4, 3]), fine)
    with pytest.raises(InvalidVector, match="starts must rise from 0 to"):
        collection.upsert(PointBatch([1, 2], {"tokens": odd}, [None, None]))
    dense = NamedVectors(np.arange(1), fine[:1])
    with pytest.raises(InvalidVector, match="expected multi ones, got dense ones"):
        collection.upsert(PointBatch([5], {"tokens": dense}, [None]))


def test_queries_that_are_wrong_are_refused(collection_of: OpenCollection) -> None:
    collection = collection_of(config_of(max_vectors=8))
    write(collection, drawn(range(5), SIZE))
    wrong = np.ones((3, SIZE), np.float32)
    wrong[1, 1] = np.inf
    for query, text in [
        (np.ones((0, SIZE), np.float32), "The query has no vectors"),
        (np.ones((9, SIZE), np.float32), "The query has 9 vectors: expected at most 8"),
        (np.ones((2, SIZE + 1), np.float32), f"expected dim: {SIZE}, got {SIZE + 1}"),
        (wrong, "the query at place 1 of its set holds NaN or Inf"),
    ]:
        with pytest.raises((InvalidVector, DimensionMismatch), match=text):
            found(collection, query, 3)


_CHILD = """
import os, signal, sys
from pathlib import Path
from palimpsest.index import Database
from tests.unit.kinds.multi.test_kind import SIZE, config_of, drawn, write
database = Database.open(Path(sys.argv[1]), threads=1)
collection = database.create("c", config_of())
write(collection, drawn(range(40), SIZE))
collection.upkeep.seal()
write(collection, drawn(range(40, 70), SIZE))
collection.delete([0, 50]).result()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Return a data directory whose server was killed."""
    done = subprocess.run([sys.executable, "-c", _CHILD, str(tmp_path)], cwd=ROOT, timeout=120)
    assert done.returncode == -signal.SIGKILL
    return tmp_path


def test_a_kill_loses_nothing_and_a_check_finds_what_is_damaged(killed: Path) -> None:
    points = {n: one for n, one in drawn(range(40), SIZE).items() if n}
    points |= {n: one for n, one in drawn(range(40, 70), SIZE).items() if n != 50}
    folder = killed / "collections" / "c"
    with opened(folder) as collection:
        require_whole(collection, points, Distance.DOT)
    assert check_directory(killed).status == "ok"
    segment = next((folder / "segments").rglob("starts.npy")).parent
    for name, status in (("by_slot", "damage"), ("kept", "lost")):
        path = segment / f"{name}.npy"
        sound = path.read_bytes()
        path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
        assert check_directory(killed).status == status
        if status == "damage":  # which an opening makes anew, and a compaction writes
            with opened(folder) as collection:
                require_whole(collection, points, Distance.DOT)
                assert collection.state().vectors["tokens"].outdated == 1
        path.write_bytes(sound)
