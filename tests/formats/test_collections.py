"""Data directories written by earlier releases open, answer as they did, and take writes.

Each ``collection_*.zip`` holds one collection "golden" with a sealed segment, growing rows of two
vector names, replaced and deleted points, and ``expected.json``: what it held and answered.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from index import Collection, Database, NamedVectors, PointBatch, PointId, SearchRequest

FILES = sorted(Path(__file__).parent.glob("collection_*.zip"))


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(tmp_path)
    return tmp_path


@pytest.fixture
def expected(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "expected.json").read_text())


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    with Database.open(folder, threads=1) as database:
        yield database


def point_id(stored: int | str) -> PointId:
    return stored if isinstance(stored, int) else UUID(stored)


def require_same(collection: Collection, expected: dict[str, Any]) -> None:
    records, _ = collection.scroll(None, 1000, with_payload=True, with_vectors=True)
    assert [record.id for record in records] == [point_id(one) for one, _, _ in expected["points"]]
    for record, (_, payload, vectors) in zip(records, expected["points"], strict=True):
        assert record.payload == (None if payload is None else payload.encode())
        assert {name: v.tolist() for name, v in (record.vectors or {}).items()} == vectors


def test_holds_the_points_it_held(database: Database, expected: dict[str, Any]) -> None:
    require_same(database.get("golden"), expected)


def test_answers_as_it_did(database: Database, expected: dict[str, Any]) -> None:
    query = np.array(expected["query"], dtype=np.float32)
    found = database.get("golden").search(SearchRequest(query, k=10, exact=True))
    assert list(found.ids) == [point_id(one) for one in expected["ids"]]
    np.testing.assert_allclose(found.distances, expected["distances"], rtol=1e-6)


def test_takes_writes_and_opens_again(folder: Path, expected: dict[str, Any]) -> None:
    point = PointBatch(
        [7, 5_000], {"": NamedVectors(np.arange(2), np.eye(2, 8, dtype="f4"))}, [None] * 2
    )
    with Database.open(folder, threads=1) as database:
        database.get("golden").upsert(point).result()
        database.get("golden").delete([5_000]).result()
    with Database.open(folder, threads=1) as database:
        collection = database.get("golden")
        replaced = [7, None, {"": [1.0, *[0.0] * 7]}]
        points = [replaced if one[0] == 7 else one for one in expected["points"]]
        require_same(collection, {"points": points})
        numbers = collection.reading().numbers_of(
            [record[0] for record in points if record[0] in range(90)]
        )
        assert len(set(numbers)) == len(numbers)
        assert collection.view.points == len(points)
