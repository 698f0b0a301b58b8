"""Which vectors of other versions a point keeps when it is written, and which go with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    Distance,
    Filter,
    HasId,
    NamedVectors,
    PointBatch,
    SparseConfig,
    UnknownVectorName,
    VectorConfig,
)
from palimpsest.index.write.batch import check_upsert, check_vector_update
from tests.conftest import open_collection
from tests.unit.versions.mixed import SIZES, config_of

ALL = ("title", "text@v1", "text@v2", "text@v3")


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    vectors = {"text": space("v1"), "title": VectorConfig(3, Distance.DOT)}
    collection = open_collection(tmp_path / "collection", config_of(vectors))
    for version in ("v2", "v3"):
        collection.versions.declare("text", version, space(version), declared={})
    yield collection
    collection.close()


def space(version: str) -> VectorConfig:
    return VectorConfig(SIZES[version], Distance.DOT)


def batch(
    names: dict[str, float], payload: bytes | None, ids: tuple[int, ...] = (1, 2)
) -> PointBatch:
    sizes = {"title": 3, "text": SIZES["v1"]}
    vectors = {
        name: NamedVectors(
            np.arange(len(ids)),
            np.full((len(ids), sizes.get(name) or SIZES[name[-2:]]), value, np.float32),
        )
        for name, value in names.items()
    }
    return PointBatch(ids, vectors, [payload] * len(ids))


def held(collection: Collection, point: int = 1) -> dict[str, float]:
    (record,) = collection.retrieve([point], with_vectors=ALL)
    assert record.vectors is not None
    return {name: float(vector[0]) for name, vector in record.vectors.items()}  # type: ignore[index]


def require_held(collection: Collection, expected: dict[str, float], point: int = 1) -> None:
    """Compare stored vectors, and what searches may find, with what should be there."""
    assert held(collection, point) == expected
    number = collection._points.numbers_of([point])[0]
    for name in ALL:
        vectors = collection.view.find(name)
        assert vectors is not None and (number in vectors.held) == (name in expected)


FIRST = {"text@v1": 1.0, "title": 2.0}


@pytest.mark.parametrize("again", [b'{"a": [1, 2.0], "b": null}', b'{"b":null,"a":[1,2.0]}'])
def test_an_upsert_with_the_same_payload_keeps_the_other_versions(
    collection: Collection, again: bytes
) -> None:
    collection.upsert(batch(FIRST, b'{"a": [1, 2.0], "b": null}')).result()
    collection.upsert(batch({"text@v2": 3.0}, again)).result()
    # `title` is no version of `text`: an upsert replaces a point, as before
    require_held(collection, {"text@v1": 1.0, "text@v2": 3.0})
    collection.upsert(batch({"text@v3": 4.0}, again, (1,))).result()
    require_held(collection, {"text@v1": 1.0, "text@v2": 3.0, "text@v3": 4.0})
    require_held(collection, {"text@v1": 1.0, "text@v2": 3.0}, 2)
    collection.upsert(batch({"text": 5.0}, again)).result()
    require_held(collection, {"text@v1": 5.0, "text@v2": 3.0, "text@v3": 4.0})


@pytest.mark.parametrize(
    "before, after",
    [
        (b'{"a": 1}', b'{"a": 2}'),
        (b'{"a": 1}', None),
        (None, b'{"a": 1}'),
        (None, None),
        (b'{"a": 1}', b'{"a": 1, "b": 1}'),
    ],
)
def test_with_another_payload_or_none_they_go(
    collection: Collection, before: bytes | None, after: bytes | None
) -> None:
    collection.upsert(batch(FIRST, before)).result()
    collection.upsert(batch({"text@v2": 3.0}, after)).result()
    require_held(collection, {"text@v2": 3.0})


def test_an_upsert_without_a_vector_of_the_name_keeps_nothing(collection: Collection) -> None:
    collection.upsert(batch({**FIRST, "text@v2": 3.0}, b'{"a": 1}')).result()
    collection.upsert(batch({"title": 4.0}, b'{"a": 1}')).result()
    require_held(collection, {"title": 4.0})


def test_several_versions_in_one_upsert(collection: Collection) -> None:
    collection.upsert(batch({"text@v1": 1.0, "text@v2": 2.0}, b'{"a": 1}')).result()
    collection.upsert(batch({"text@v2": 3.0, "text@v3": 4.0}, b'{"a": 1}')).result()
    require_held(collection, {"text@v1": 1.0, "text@v2": 3.0, "text@v3": 4.0})


def test_only_points_of_the_batch_that_have_a_vector_keep_theirs(collection: Collection) -> None:
    collection.upsert(batch(FIRST, b'{"a": 1}')).result()
    named = {"text@v2": NamedVectors(np.array([1]), np.full((1, SIZES["v2"]), 3.0, np.float32))}
    collection.upsert(PointBatch((1, 2), named, [b'{"a": 1}'] * 2)).result()
    require_held(collection, {}, 1)
    require_held(collection, {"text@v1": 1.0, "text@v2": 3.0}, 2)


def test_modes_and_conditions(collection: Collection) -> None:
    collection.upsert(batch(FIRST, b'{"a": 1}')).result()
    new = batch({"text@v2": 3.0}, b'{"a": 1}', (1, 2, 3))
    collection.upsert(new, mode="insert_only").result()
    require_held(collection, FIRST)
    require_held(collection, {"text@v2": 3.0}, 3)
    only = Filter(must=(HasId(frozenset({2})),))
    collection.upsert(new, mode="update_only", condition=only).result()
    require_held(collection, FIRST, 1)
    require_held(collection, {"text@v1": 1.0, "text@v2": 3.0}, 2)


def test_updates_and_payload_edits_touch_no_other_version(collection: Collection) -> None:
    collection.upsert(batch({**FIRST, "text@v2": 3.0}, b'{"a": 1}')).result()
    collection.update_vectors(batch({"text": 4.0}, None)).result()
    collection.overwrite_payload([1, 2], b'{"b": 1}').result()
    require_held(collection, {"text@v1": 4.0, "title": 2.0, "text@v2": 3.0})


def test_deleting_a_bare_name_deletes_all_versions(collection: Collection) -> None:
    whole = {**FIRST, "text@v2": 3.0, "text@v3": 4.0}
    collection.upsert(batch(whole, b'{"a": 1}')).result()
    collection.delete_vectors([1], ["text@v2"]).result()
    require_held(collection, {**FIRST, "text@v3": 4.0})
    collection.delete_vectors([2], ["text@v1"]).result()
    require_held(collection, {"title": 2.0, "text@v2": 3.0, "text@v3": 4.0}, 2)
    collection.versions.activate("text", "v2", force=True)
    collection.delete_vectors([1, 2], ["text"]).result()
    require_held(collection, {"title": 2.0}, 1)
    require_held(collection, {"title": 2.0}, 2)
    with pytest.raises(UnknownVectorName):
        collection.delete_vectors([1], ["text@v9"])


def test_everything_is_as_it_was_after_reopening(collection: Collection, tmp_path: Path) -> None:
    collection.upsert(batch(FIRST, b'{"a": 1}')).result()
    collection.upsert(batch({"text@v2": 3.0}, b'{"a": 1}')).result()
    for _ in range(2):
        collection.close()
        reopened = open_collection(tmp_path / "collection")
        require_held(reopened, {"text@v1": 1.0, "text@v2": 3.0})
        reopened.upsert(batch({"text@v2": 3.0}, b'{"a": 1}', (2,))).result()
        reopened.upkeep.seal()
        reopened.close()
    collection = open_collection(tmp_path / "collection")
    require_held(collection, {"text@v1": 1.0, "text@v2": 3.0}, 2)
    collection.close()


# Writes that were checked before a change of the versions.


def test_a_write_lands_in_the_version_it_was_checked_for(collection: Collection) -> None:
    collection.upsert(batch({"text@v1": 1.0, "text@v2": 2.0}, b'{"a": 1}')).result()
    old = check_upsert(batch({"text": 5.0}, b'{"a": 1}'), collection.config)
    update = check_vector_update(batch({"text@v2": 6.0}, None), collection.config)
    collection.versions.activate("text", "v2")
    collection.writer.write(old).result()
    collection.writer.write(update).result()
    require_held(collection, {"text@v1": 5.0, "text@v2": 6.0})
    assert held(collection)["text@v1"] == 5.0
    (record,) = collection.retrieve([1], with_vectors=True)
    assert record.vectors is not None and float(record.vectors["text"][0]) == 6.0  # type: ignore[index]


def test_a_write_to_a_version_dropped_meanwhile_changes_nothing(collection: Collection) -> None:
    collection.upsert(batch({"text@v1": 1.0}, b'{"a": 1}')).result()
    late = check_upsert(batch({"text@v2": 5.0}, b'{"a": 2}', (1, 7)), collection.config)
    collection.versions.drop("text", "v2")
    collection.versions.declare("text", "v2", space("v2"), declared={})  # of the same name
    with pytest.raises(UnknownVectorName, match="text@v2"):
        collection.writer.write(late).result()
    require_held(collection, {"text@v1": 1.0})
    assert collection.retrieve([7]) == []


def test_names_added_later_leave_old_points_alone(collection: Collection) -> None:
    collection.upsert(batch({"text@v1": 1.0}, b'{"a": 1}')).result()
    collection.add_vector("words", SparseConfig(), dict)
    collection.versions.declare("text", "v4", VectorConfig(2, Distance.DOT), declared={})
    four = NamedVectors(np.array([0]), np.ones((1, 2), np.float32))
    collection.upsert(PointBatch((1,), {"text@v4": four}, [b'{"a": 1}'])).result()
    require_held(collection, {"text@v1": 1.0})
    (record,) = collection.retrieve([1], with_vectors=("text@v4",))
    assert record.vectors is not None and [*record.vectors] == ["text@v4"]
