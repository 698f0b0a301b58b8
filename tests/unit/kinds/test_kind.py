"""A kind of vector that the engine does not know lives a whole life in it, beside the others."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    MaintenanceConfig,
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
from palimpsest.index.config.collection import CollectionConfig as Stored
from palimpsest.index.errors import InvalidConfig, InvalidVector
from palimpsest.index.filters.expression import Filter, HasId
from tests.conftest import OpenCollection, open_collection
from tests.unit.doctor.making import opened
from tests.unit.kinds.sets import NamedSets, SetsConfig, SetVector, joined, maxsim

ROOT = Path(__file__).parents[3]
SIZE = 3
CONFIG = CollectionConfig(
    {"": VectorConfig(2, Distance.DOT), "tokens": SetsConfig(SIZE)},
    MaintenanceConfig(quiet_rows=1, quiet_seconds=3_600.0),
)
Points = dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]


def sets_of(ids: range, seed: int = 0) -> Points:
    """Return sets of one to five vectors."""
    rng = np.random.default_rng(seed)
    return {n: rng.standard_normal((1 + n % 5, SIZE)).astype(np.float32) for n in ids}


def write(collection: Collection, points: Points) -> None:
    places = np.arange(len(points))
    dense = NamedVectors(places, np.ones((len(points), 2), np.float32))
    sets = NamedSets(places, joined([*points.values()], SIZE))
    batch = PointBatch(list(points), {"": dense, "tokens": sets}, [None] * len(points))
    collection.upsert(batch).result()


def found(collection: Collection, query: np.ndarray, k: int, **asked: object) -> list[int]:  # type: ignore[type-arg]
    request = SearchRequest(SetVector(query), "tokens", k, **asked)  # type: ignore[arg-type]
    return [int(one) for one in collection.search(request).ids]  # type: ignore[arg-type]


def closest(points: Points, query: np.ndarray, k: int) -> list[int]:  # type: ignore[type-arg]
    return sorted(points, key=lambda n: (-maxsim(query, points[n]), n))[:k]


def require_whole(collection: Collection, points: Points) -> None:
    query = sets_of(range(4, 5), seed=9)[4]
    assert found(collection, query, 5) == closest(points, query, 5)
    few = tuple(points)[::3]
    some = {n: points[n] for n in few}
    by_ids = Filter(must=(HasId(few),))
    assert found(collection, query, 5, filter=by_ids) == closest(some, query, 5)
    (read,) = collection.retrieve([few[1]], with_vectors=("tokens",))
    assert read.vectors is not None
    np.testing.assert_array_equal(read.vectors["tokens"].values, points[few[1]])  # type: ignore[union-attr]
    assert collection.state().vectors["tokens"].points == len(points)


def as_it_is(collection: Collection) -> Collection:
    return collection


def seal(collection: Collection) -> Collection:
    collection.upkeep.seal()
    return collection


def compact(collection: Collection) -> Collection:
    collection.upkeep.seal()
    collection.upkeep.compact()
    return collection


def reopen(collection: Collection) -> Collection:
    collection.close()
    return open_collection(collection.folder)


@pytest.mark.parametrize("later", [as_it_is, seal, compact, reopen])
@pytest.mark.parametrize("change", [seal, reopen])
def test_points_are_found_read_and_counted_in_every_phase(
    collection_of: OpenCollection,
    change: Callable[[Collection], Collection],
    later: Callable[[Collection], Collection],
) -> None:
    collection = collection_of(CONFIG)
    points = sets_of(range(60))
    write(collection, points)
    require_whole(collection, points)
    collection = change(collection)
    points |= sets_of(range(50, 90), seed=1)
    write(collection, {n: points[n] for n in range(50, 90)})
    collection.delete([*range(0, 60, 4)]).result()
    points = {n: one for n, one in points.items() if n >= 60 or n % 4}
    collection = later(collection)
    require_whole(collection, points)
    collection.close()


def test_by_id_and_without_the_point_itself(collection_of: OpenCollection) -> None:
    collection, points = collection_of(CONFIG), sets_of(range(20))
    write(collection, points)
    hits = collection.search(SearchRequest(7, "tokens", 3)).ids
    others = {n: one for n, one in points.items() if n != 7}
    assert [*hits] == closest(others, points[7], 3)


def test_points_are_judged_by_examples_and_sought_by_vectors_of_others(
    collection_of: OpenCollection,
) -> None:
    collection, points = collection_of(CONFIG), sets_of(range(30))
    write(collection, points)
    seal(collection)
    liked = queries.Recommend((3,), (), "best_score")
    tree = QueryRequest(Prefetch(liked, "tokens", limit=4))
    hits = answer(collection.reading(), tree, lambda _: collection.reading())
    others = {n: one for n, one in points.items() if n != 3}
    assert [record.id for record in hits.records] == closest(others, points[3], 4)


def test_memory_and_disk_by_component(collection_of: OpenCollection) -> None:
    collection = collection_of(CONFIG)
    write(collection, sets_of(range(60)))
    growing = collection.state().vectors["tokens"].bytes_by_component
    assert growing["growing"] > 0 and "starts" not in growing
    seal(collection)
    info = collection.state().vectors["tokens"]
    assert info.segments == 1 and info.bytes_by_component["starts"] == 8 * 61
    assert info.bytes_by_component["originals_mapped"] == 4 * SIZE * sum(
        1 + n % 5 for n in range(60)
    )
    assert sum(collection.sizes().disk.values()) > 0
    assert collection.cost(SearchRequest(SetVector(np.ones((1, SIZE), np.float32)), "tokens")) > 0


def test_what_is_wrong_is_refused(collection_of: OpenCollection) -> None:
    collection, places = collection_of(CONFIG), np.arange(1)
    empty = NamedSets(places, joined([np.empty((0, SIZE), np.float32)], SIZE))
    with pytest.raises(InvalidVector, match="point 5 is empty"):
        collection.upsert(PointBatch([5], {"tokens": empty}, [None]))
    dense = NamedVectors(places, np.ones((1, SIZE), np.float32))
    with pytest.raises(InvalidVector, match="expected sets ones, got dense ones"):
        collection.upsert(PointBatch([5], {"tokens": dense}, [None]))
    vectors = {**CONFIG.vectors, "tokens": SetsConfig(SIZE + 1)}
    with pytest.raises(InvalidConfig, match="expected the same sizes"):
        collection.reconfigure(replace(CONFIG, vectors=vectors))


def test_a_config_of_a_kind_that_is_not_known_is_refused() -> None:
    stored = CONFIG.to_json()
    assert Stored.from_json(stored).vectors == CONFIG.vectors
    stored["vectors"]["tokens"]["kind"] = "bags"
    with pytest.raises(InvalidConfig, match="expected one of .*sets.*, got 'bags'"):
        Stored.from_json(stored)


_CHILD = """
import os, signal, sys
from pathlib import Path
from palimpsest.index import Database
from tests.unit.kinds.test_kind import CONFIG, sets_of, write
database = Database.open(Path(sys.argv[1]), threads=1)
collection = database.create("c", CONFIG)
write(collection, sets_of(range(40)))
collection.upkeep.seal()
write(collection, sets_of(range(40, 70)))
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
    points = {n: one for n, one in sets_of(range(40)).items() if n}
    points |= {n: one for n, one in sets_of(range(40, 70)).items() if n != 50}
    folder = killed / "collections" / "c"
    with opened(folder) as collection:
        require_whole(collection, points)
    assert check_directory(killed).status == "ok"
    segment = next((folder / "segments").rglob("starts.npy")).parent
    for name, status in (("by_slot", "damage"), ("values", "lost")):
        path = segment / f"{name}.npy"
        sound = path.read_bytes()
        path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
        assert check_directory(killed).status == status
        if status == "damage":  # which an opening makes anew, and a compaction writes
            with opened(folder) as collection:
                require_whole(collection, points)
                assert collection.state().vectors["tokens"].outdated == 1
        path.write_bytes(sound)
