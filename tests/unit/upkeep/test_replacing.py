"""Failures while parts are replaced by a segment, and writes during a search."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    SearchRequest,
    VectorConfig,
)
from palimpsest.index.segments.growing_part import AnyGrowing
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.types import Vectors
from palimpsest.index.upkeep import replacing as replacing_module
from palimpsest.index.upkeep.upkeep import Upkeep
from palimpsest.index.view.dense import dense_of, vectors_of
from tests.conftest import OpenCollection, open_collection
from tests.points import batch_of, config_of


def rows(n: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((n, 4), dtype=np.float32)


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    """100 growing points."""
    collection = collection_of(config_of(4, Distance.EUCLID))
    collection.upsert(batch_of(list(range(100)), rows(100), [b"old"] * 100)).result()
    return collection


def fail(*_: object, **__: object) -> None:
    raise MemoryError("no")


def test_a_view_that_cannot_be_made_changes_no_manifest(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(replacing_module, "apply", fail)
        collection.upkeep.seal()
    assert "no" in (collection.upkeep.last_error or "")
    assert collection.writer.store.segments() == []
    collection.upkeep.seal()
    collection.close()
    reopened = open_collection(collection.folder)
    assert [part.live for part in reopened.view.vectors[0].sealed] == [100]
    assert reopened.view.vectors[0].live == reopened.count() == 100
    reopened.close()


def test_a_segment_that_cannot_be_opened_leaves_no_folder(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Sealed, "open", fail)
        collection.upkeep.seal()
    assert os.listdir(collection.folder / "segments") == []


def sealed_parts(collection: Collection, name: str) -> int:
    return len(collection.view.vectors[collection.config.number(name)].sealed)


def test_failures_are_kept_apart_by_kind_and_name(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    vector = VectorConfig(4, Distance.EUCLID)
    maintenance = config_of(4).maintenance
    collection = collection_of(CollectionConfig({"a": vector, "b": vector}, maintenance))
    for name in ("a", "b"):
        named = NamedVectors(np.arange(1), rows(1))
        collection.upsert(PointBatch([ord(name)], {name: named}, [None])).result()
    carry_out = Upkeep._seal

    def fail_for_a(upkeep: Upkeep, column: int, oldest: AnyGrowing) -> None:
        if column == 0:
            raise MemoryError("no")
        carry_out(upkeep, column, oldest)

    with monkeypatch.context() as patched:
        patched.setattr(Upkeep, "_seal", fail_for_a)
        collection.upkeep.seal()
    assert "'a'" in (collection.upkeep.last_error or "")
    assert sealed_parts(collection, "b") == 1
    collection.upkeep.seal(at_once=False)
    assert sealed_parts(collection, "a") == 0
    collection.upkeep.seal()
    assert sealed_parts(collection, "a") == 1
    assert collection.upkeep.last_error is None


@pytest.mark.parametrize("with_vectors", [False, True])
def test_a_hit_written_during_a_search_is_found_anew(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, with_vectors: bool
) -> None:
    query = rows(100)[7]
    plain = collection._points.held
    calls = 0

    def write_meanwhile(numbers: Sequence[int], **options: Any) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            collection.upsert(batch_of([7], query[None] + 100, [b"new"])).result()
            collection.delete([8]).result()
        return plain(numbers, **options)

    monkeypatch.setattr(collection._points, "held", write_meanwhile)
    request = SearchRequest(query, k=100, with_payload=True, with_vectors=with_vectors)
    result = collection.search(request)
    assert calls == 2
    assert sorted(result.ids) == sorted({*range(100)} - {8})
    assert result.payloads is not None
    assert (result.ids[-1], result.payloads[-1], result.payloads[0]) == (7, b"new", b"old")
    assert result.distances[-1] > 100


def to_merge(collection_of: OpenCollection) -> Collection:
    """Return a collection whose two segments are merged by the next compaction."""
    maintenance = MaintenanceConfig(quiet_rows=1, quiet_seconds=0, tier_factor=2)
    config = CollectionConfig({"": VectorConfig(4, Distance.EUCLID)}, maintenance)
    collection = collection_of(config)
    for start in (0, 100):
        collection.upsert(batch_of(list(range(start, start + 100)), rows(100, start))).result()
        collection.upkeep.seal()
    return collection


def names_of(collection: Collection) -> set[str]:
    return {*os.listdir(collection.folder / "segments")}


def test_folders_of_replaced_segments_stay_for_a_view_that_is_held(
    collection_of: OpenCollection,
) -> None:
    collection = to_merge(collection_of)
    view, before = collection.view, names_of(collection)
    collection.upkeep.compact()
    (made,) = collection.view.vectors[0].sealed
    assert len(before) == 2 and names_of(collection) == {*before, made.segment.name}
    slots = np.array([1, 150], dtype=np.uint64)
    held, complete = vectors_of(dense_of(view.vectors[0]), slots)
    now, _ = vectors_of(dense_of(collection.view.vectors[0]), slots)
    assert complete and (held == now).all()
    assert collection.upkeep.due.compact_delay() == 1.0
    collection.writer.call(lambda: None).result()  # its thread is done with the job before, too
    del view
    assert collection.upkeep.due.compact_delay() == 0
    collection.upkeep.compact()
    assert names_of(collection) == {made.segment.name}
    assert collection.upkeep.due.compact_delay() is None


def test_folders_that_readers_held_when_the_program_died_go_at_the_next_open(
    collection_of: OpenCollection,
) -> None:
    collection = to_merge(collection_of)
    view = collection.view
    collection.upkeep.compact()
    (made,) = collection.view.vectors[0].sealed
    assert len(names_of(collection)) == 3
    collection.close()
    reopened = open_collection(collection.folder)
    assert names_of(reopened) == {made.segment.name}
    assert not (collection.folder / "lost+found").exists()
    slot = np.array([1], dtype=np.uint64)
    assert vectors_of(dense_of(view.vectors[0]), slot)[1]  # files go, maps stay
    reopened.close()
