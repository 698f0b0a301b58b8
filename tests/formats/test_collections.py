"""Data directories written by earlier releases open, answer as they did, and take writes.

Each ``collection_*.zip`` holds one collection "golden" with sealed segments, growing rows of two
vector names, replaced and deleted points, and ``expected.json``: what it held and answered. From
format 2 on it has a sparse vector and a payload index too, from format 3 on versions, from format 4
on vectors of two datatypes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    Database,
    Distance,
    FitRequest,
    NamedVectors,
    Pairs,
    PointBatch,
    SearchRequest,
    SearchResult,
    SparseVector,
    VectorConfig,
)
from palimpsest.index.storage.schema import FORMAT
from tests.fields import wait_until_built
from tests.formats.conftest import FILES
from tests.formats.expected import FILTER, NAME, as_json, index_of, points_of
from tests.soundness import require_sound

WITH_INDEX = pytest.mark.parametrize(
    "folder", FILES[1:], indirect=True, ids=[path.stem for path in FILES[1:]]
)

WITH_EARLIER_INDEX = pytest.mark.parametrize(
    "folder", FILES[1:3], indirect=True, ids=[path.stem for path in FILES[1:3]]
)


def require_found(found: SearchResult, stored: dict[str, Any]) -> None:
    assert [as_json(one) for one in found.ids] == stored["ids"]
    np.testing.assert_allclose(found.distances, stored["distances"], rtol=1e-6, atol=1e-6)


def query_of(stored: dict[str, Any]) -> SearchRequest:
    return SearchRequest(np.array(stored["query"], dtype=np.float32), k=10, exact=True)


def test_the_doctor_finds_it_whole_before_it_is_opened_and_after(folder: Path) -> None:
    whole = require_sound(folder / "collections" / NAME)
    Database.open(folder, threads=1).close()
    upgraded = require_sound(folder / "collections" / NAME)
    assert (whole.points, upgraded.format) == (upgraded.points, FORMAT)


def test_each_format_has_a_file() -> None:
    assert [path.stem for path in FILES] == [f"collection_{n}" for n in range(1, FORMAT + 1)]


def test_holds_the_points_it_held(collection: Collection, stored: dict[str, Any]) -> None:
    assert points_of(collection) == stored["points"]


def test_answers_as_it_did(collection: Collection, stored: dict[str, Any]) -> None:
    require_found(collection.search(query_of(stored)), stored)


@WITH_INDEX
def test_filters_by_the_index_it_had(collection: Collection, stored: dict[str, Any]) -> None:
    tagged = sum('"second"' in (payload or "") for _, payload, _ in stored["points"])
    filtered = query_of(stored)._replace(filter=FILTER)
    for _ in range(2):  # while it is built again, if it is, and then
        assert collection.count(FILTER) == tagged > 0
        require_found(collection.search(filtered), stored["filtered"])
        wait_until_built()
    assert index_of(collection) == stored["index"]


@WITH_EARLIER_INDEX
def test_an_index_of_earlier_code_is_built_again_once(folder: Path) -> None:
    rebuilds = []
    for _ in range(2):
        with Database.open(folder, threads=1) as database:
            collection = database.get(NAME)
            wait_until_built()
            assert collection.writer.indexes.fields.keys() == {"tag"}
            rebuilds.append(collection.state().rebuilds)
    assert rebuilds == [{"release": 1, "damage": 0}, {"release": 0, "damage": 0}]


@WITH_INDEX
def test_answers_by_sparse_vectors(collection: Collection, stored: dict[str, Any]) -> None:
    parts = stored["sparse"]["query"]
    query = SparseVector(np.array(parts["indices"], "u4"), np.array(parts["values"], "f4"))
    require_found(collection.search(SearchRequest(query, "s", k=10)), stored["sparse"])


def test_takes_writes_and_opens_again(folder: Path, stored: dict[str, Any]) -> None:
    point = PointBatch(
        [7, 5_000], {"": NamedVectors(np.arange(2), np.eye(2, 8, dtype="f4"))}, [None] * 2
    )
    with Database.open(folder, threads=1) as database:
        database.get(NAME).upsert(point).result()
        database.get(NAME).delete([5_000]).result()
    replaced = [7, None, {"": [1.0, *[0.0] * 7]}]
    points = [replaced if one[0] == 7 else one for one in stored["points"]]
    with Database.open(folder, threads=1) as database:
        collection = database.get(NAME)
        assert points_of(collection) == points
        numbers = collection.reading().numbers_of([one for one, _, _ in points if one in range(90)])
        assert len(set(numbers)) == len(numbers)
        assert collection.view.points == len(points)


def test_begins_an_upgrade(folder: Path, stored: dict[str, Any]) -> None:
    """A version more, some points of it, an adapter to it: all are found once, also later."""
    ids = [one for one, _, vectors in stored["points"] if "" in vectors]
    some = [one for one in ids if one in range(20, 60)]
    rows = np.array([vectors[""] for _, _, vectors in stored["points"] if "" in vectors], "f4")
    turned = np.ascontiguousarray(rows[:, ::-1])
    space = VectorConfig(8, Distance.COSINE)
    query = SearchRequest(turned[0], "@new", k=1_000, exact=True)
    with Database.open(folder, threads=1) as database:
        collection = database.get(NAME)
        assert collection.versions.declare("", "new", space, declared={})
        places = [ids.index(one) for one in some]
        named = {"@new": NamedVectors(np.arange(len(some)), turned[places])}
        collection.update_vectors(PointBatch(some, named, [None] * len(some))).result()
        collection.versions.fit(FitRequest("v1", "new", kind="ridge", pairs=Pairs(rows, turned)))
        found = collection.search(query)
        assert {*map(as_json, found.ids)} >= {*ids} and as_json(found.ids[0]) == ids[0]
        assert len({*found.ids}) == len(found.ids)
    with Database.open(folder, threads=1) as database:
        collection = database.get(NAME)
        again = collection.search(query)
        assert list(again.ids) == list(found.ids)
        assert again.distances.tobytes() == found.distances.tobytes()
        assert points_of(collection) == stored["points"]
