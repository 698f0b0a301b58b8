"""Activations beside searches, writes, seals and compactions: every name keeps its meaning.

Both versions have one size here, so that nothing but the answer tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    Filter,
    HasVector,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    SearchRequest,
    VectorConfig,
)
from palimpsest.index.types import Vectors
from tests.unit.versions.beside import Beside

SIZE, FIXED, WRITTEN, BATCH = 8, 100, 640, 16
SPACE = VectorConfig(SIZE, Distance.DOT)
VERSIONS = ("v1", "v2")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(tmp_path / "database", threads=1)


def made_of(database: Database) -> Collection:
    maintenance = MaintenanceConfig(seal_rows=64, quiet_rows=1, quiet_seconds=0, tier_factor=2)
    collection = database.create("docs", CollectionConfig({"": SPACE}, maintenance))
    collection.versions.declare("", "v2", SPACE, declared={})
    return collection


def put(collection: Collection, name: str, values: Vectors, first: int) -> None:
    n = len(values)
    batch = PointBatch(
        range(first, first + n), {name: NamedVectors(np.arange(n), values)}, [None] * n
    )
    collection.upsert(batch).result()


def held(collection: Collection, name: str) -> dict[int, bytes]:
    """Return the vectors of a name by point."""
    records, _ = collection.scroll(None, 10_000, with_vectors=(name,))
    return {
        int(str(one.id)): np.asarray(one.vectors[name]).tobytes()
        for one in records
        if one.vectors and name in one.vectors
    }


def test_every_write_is_where_its_name_meant(
    database: Database, rng: np.random.Generator, tmp_path: Path
) -> None:
    collection = made_of(database)
    rows = {v: rng.standard_normal((WRITTEN, SIZE)).astype(np.float32) for v in VERSIONS}
    expected: dict[str, dict[int, bytes]] = {version: {} for version in VERSIONS}

    def write(version: str) -> None:
        """Write points under all names that mean a version, in turns, ids apart."""
        virtual, values = collection.showing(version), rows[version]
        first = 1_000 * int(version[1:])
        ways = (
            (virtual, ""),
            (collection, f"@{version}"),
            (virtual, f"@{version}"),
            (collection.showing({"v1": "v2", "v2": "v1"}[version]), f"@{version}"),
        )
        for turn, start in enumerate(range(0, WRITTEN, BATCH)):
            one, name = ways[turn % len(ways)]
            some = values[start : start + BATCH]
            put(one, name, some, first + start)
            for place, row in enumerate(some):
                expected[version][first + start + place] = row.tobytes()

    def tend() -> None:
        collection.upkeep.seal()
        collection.upkeep.compact()

    turns = 0
    with Beside() as beside:
        writing = [beside.run(lambda version=version: write(version)) for version in VERSIONS]  # type: ignore[misc]
        beside.repeat(tend)
        while any(thread.is_alive() for thread in writing):
            collection.versions.activate("", ("v2", "v1")[turns % 2], force=True)
            turns += 1
    assert turns > 2
    require_held(collection, expected)
    database.close()
    with Database.open(tmp_path / "database", threads=1) as reopened:
        require_held(reopened.get("docs"), expected)


def require_held(collection: Collection, expected: Mapping[str, Mapping[int, bytes]]) -> None:
    for version in VERSIONS:
        virtual = collection.showing(version)
        for one, name in ((collection, f"@{version}"), (virtual, ""), (virtual, f"@{version}")):
            assert held(one, name) == expected[version]
            having = Filter(must=(HasVector(name),))
            assert one.count(having) == len(expected[version])
    for column, vectors in collection.view.vectors.items():
        assert vectors.live == len(expected[collection.config.version_columns[column].version])


def test_reads_see_one_meaning_each(database: Database, rng: np.random.Generator) -> None:
    collection = made_of(database)
    rows = {v: rng.standard_normal((FIXED, SIZE)).astype(np.float32) for v in VERSIONS}
    for version in VERSIONS:
        values = rows[version]
        named = {f"@{version}": NamedVectors(np.arange(FIXED), values)}
        batch = PointBatch(range(FIXED), named, [None] * FIXED)
        (collection.upsert if version == "v1" else collection.update_vectors)(batch).result()
    query = rng.standard_normal(SIZE).astype(np.float32)
    answers = {v: np.argsort(-(rows[v] @ query), kind="stable")[:10].tolist() for v in VERSIONS}
    others = [one for one in range(FIXED) if one not in {*answers["v1"], *answers["v2"]}]
    turns = count()

    def search(version: str | None) -> None:
        shown = collection if version is None else collection.showing(version)
        request = SearchRequest(query, exact=True, bridge="off", with_vectors=True)
        found = shown.search(request._replace(filter=Filter(must=(HasVector(""),))))
        assert found.vectors is not None
        meant = [v for v in VERSIONS if list(found.ids) == answers[v]]
        assert meant and version in (None, *meant)
        if version is not None:
            for one, own in zip(found.ids, found.vectors, strict=True):
                np.testing.assert_allclose(own[""], rows[version][int(str(one))], atol=1e-6)

    def rewrite() -> None:
        """Write the same rows of points that no answer holds, so that answers stay."""
        ids, version = np.unique(rng.choice(others, 8)).tolist(), VERSIONS[next(turns) % 2]
        named = {"": NamedVectors(np.arange(len(ids)), rows[version][ids])}
        batch = PointBatch(ids, named, [None] * len(ids))
        collection.showing(version).update_vectors(batch).result()

    def tend() -> None:
        collection.upkeep.seal()
        collection.upkeep.compact()

    with Beside() as beside:
        for version in (None, *VERSIONS):
            beside.repeat(lambda version=version: search(version))  # type: ignore[misc]
        beside.repeat(rewrite)
        beside.repeat(tend)
        for turn in range(60):
            collection.versions.activate("", ("v2", "v1")[turn % 2])
    database.close()
