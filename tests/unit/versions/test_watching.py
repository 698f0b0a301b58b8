"""Clients that change the model without a word, and the background that notices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Collection, CollectionConfig, MultiConfig, NamedMultiVectors
from palimpsest.index.adapters.drift import REFERENCE, WINDOW
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.types import Distance, Drift, NamedVectors, Vectors
from palimpsest.index.versions.watching import Watching, first_slots, last_slots, newest_columns
from palimpsest.index.write.batch import PointBatch
from tests.conftest import OpenCollection, open_collection
from tests.points import batch_of, config_of
from tests.unit.adapters.test_drift import ONE, OTHER, SIZE, embedded


def put(collection: Collection, rows: Vectors, first: int, name: str = "") -> None:
    ids = range(first, first + len(rows))
    if name:
        named = {name: NamedVectors(np.arange(len(rows)), rows)}
        collection.update_vectors(PointBatch(ids, named, [None] * len(rows))).result()
    else:
        collection.upsert(batch_of(ids, rows)).result()


def looked(watching: Watching, collection: Collection, column: int = 0) -> Drift | None:
    """Look at what is there, without waiting for the time between looks."""
    for known in watching._watched.values():
        known.looked_at = 0.0
    watching.look()
    return collection.writer.view.vectors[column].recent.drift


def foreign(found: Drift | None) -> bool:
    assert found is not None
    return found.foreign


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    collection = collection_of(config_of(SIZE))
    put(collection, embedded(ONE, 700, 3), 0)
    return collection


def test_a_changed_model_is_noticed_within_some_hundred_rows(collection: Collection) -> None:
    watching = Watching(collection.writer)
    assert watching.delay() is None  # too few to tell
    put(collection, embedded(ONE, 200, 4), 700)
    assert watching.delay() == 0
    assert not foreign(looked(watching, collection))
    assert watching.delay() is None
    other, noticed = embedded(OTHER, 600, 5), None
    for start in range(0, len(other), 50):
        put(collection, other[start : start + 50], 900 + start)
        if watching.delay() is not None and foreign(looked(watching, collection)):
            noticed = start + 50
            break
    assert noticed is not None and noticed <= 3 * WINDOW
    ((version, drift),) = collection.versions.drifted()
    assert (version.version, drift.foreign) == ("v1", True)
    (info,) = collection.versions.states()
    assert info.drift == drift
    put(collection, embedded(ONE, 256, 6), 2_000)  # the model is back
    assert not foreign(looked(watching, collection))
    assert collection.versions.drifted() == []


def test_what_is_said_is_the_same_after_a_restart_and_a_seal(tmp_path: Path) -> None:
    collection = open_collection(tmp_path, config_of(SIZE))
    put(collection, embedded(ONE, 700, 3), 0)
    put(collection, embedded(OTHER, 300, 4), 700)
    before = looked(Watching(collection.writer), collection)
    assert foreign(before)
    collection.close()
    for sealed in (False, True):
        collection = open_collection(tmp_path)
        if sealed:
            collection.upkeep.seal()
        assert collection.versions.drifted() == []
        after = looked(Watching(collection.writer), collection)
        assert foreign(after)
        assert after == pytest.approx(before, rel=0.05)
        collection.close()


def test_a_declared_version_ends_it_and_is_watched_by_its_own_rows(collection: Collection) -> None:
    watching = Watching(collection.writer)
    put(collection, embedded(OTHER, 300, 4), 700)
    assert foreign(looked(watching, collection))
    collection.versions.declare("", "v2", VectorConfig(SIZE, Distance.COSINE), declared={})
    column = collection.config.number("@v2")
    assert newest_columns(collection.config) == [column]
    assert looked(watching, collection) is None
    assert collection.versions.drifted() == []
    put(collection, embedded(OTHER, 900, 5), 0, "@v2")
    assert not foreign(looked(watching, collection, column))
    put(collection, embedded(ONE, 300, 6), 300, "@v2")
    assert foreign(looked(watching, collection, column))
    ((version, _),) = collection.versions.drifted()
    assert version.version == "v2"


def test_another_subject_is_no_other_model(collection_of: OpenCollection) -> None:
    collection = collection_of(config_of(SIZE))
    put(collection, embedded(ONE, 700, 3, slice(0, 12)), 0)
    put(collection, embedded(ONE, 300, 4, slice(12, 24)), 700)
    assert not foreign(looked(Watching(collection.writer), collection))


def test_first_rows_that_are_gone_give_way_to_others(collection: Collection) -> None:
    watching = Watching(collection.writer)
    put(collection, embedded(OTHER, 1_000, 4), 700)
    assert foreign(looked(watching, collection))
    collection.delete(range(700)).result()
    put(collection, embedded(OTHER, 200, 5), 2_000)
    assert not foreign(looked(watching, collection))
    collection.delete(range(2_200)).result()
    assert watching.delay() is None or looked(watching, collection) is None


def test_sets_are_watched_by_their_means(collection_of: OpenCollection) -> None:
    collection = collection_of(CollectionConfig({"sets": MultiConfig(SIZE, Distance.COSINE)}))

    def write(rows: Vectors, first: int) -> None:
        starts = np.arange(len(rows) + 1)
        named = NamedMultiVectors(np.arange(len(rows)), starts, rows)
        ids = range(first, first + len(rows))
        collection.upsert(PointBatch(ids, {"sets": named}, [None] * len(rows))).result()

    watching = Watching(collection.writer)
    write(embedded(ONE, 800, 3), 0)
    assert not foreign(looked(watching, collection))
    write(embedded(OTHER, 300, 4), 800)
    assert foreign(looked(watching, collection))


def test_first_and_last_slots_in_all_parts(collection: Collection) -> None:
    put(collection, embedded(ONE, 100, 9), 700)
    collection.upkeep.seal()
    put(collection, embedded(ONE, 50, 10), 800)
    collection.delete([0, 5, 849]).result()
    vectors = collection.writer.view.vectors[0]
    everything = np.concatenate([part.columns.slots[: part.n] for part in vectors.parts])
    gone = np.concatenate(
        [part.columns.slots[: part.n][part.dead.dead_rows(part.n)] for part in vectors.parts]
    )
    living = np.setdiff1d(everything, gone)
    for count in (1, 10, 300, REFERENCE, 5_000):
        assert first_slots(vectors, count).tolist() == living[:count].tolist()
        assert last_slots(vectors, count).tolist() == living[-count:].tolist()
