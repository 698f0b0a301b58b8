"""Multi-vectors of every datatype and distance, and what is refused of them, in both.

Sets also stand among the vectors of every other suite here (``points.SETS``). The local mode keeps
float32 whatever the datatype, so the numbers drawn for others are ones that these hold exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client import QdrantClient, models

from tests.differential.compare import same
from tests.differential.conftest import examples
from tests.differential.points import (
    CONFIG,
    MAX_SIM,
    SETS,
    SIZE,
    build,
    dense_of,
    set_of,
    sparse_of,
)
from tests.differential.test_queries import compare_ranking
from tests.differential.twins import Call, Refused, Twins, twins

# Per datatype the numbers that it holds; and the distances that keep them as they are.
DRAWN: dict[str, st.SearchStrategy[float]] = {
    "float32": st.floats(-9, 9, width=32),
    "float16": st.integers(-1_000, 1_000).map(lambda n: n / 64),
    "uint8": st.integers(0, 255).map(float),
}
KEEPING = [models.Distance.DOT, models.Distance.EUCLID, models.Distance.MANHATTAN]


def sets_of(number: st.SearchStrategy[float]) -> st.SearchStrategy[list[list[float]]]:
    vector = st.lists(number, min_size=SIZE, max_size=SIZE)
    return st.lists(vector, min_size=1, max_size=6)


def declared(datatype: str, distance: models.Distance) -> dict[str, Any]:
    return {
        "vectors_config": models.VectorParams(
            size=SIZE,
            distance=distance,
            datatype=models.Datatype(datatype),
            multivector_config=MAX_SIM,
        )
    }


@pytest.mark.parametrize("datatype", DRAWN)
@pytest.mark.parametrize("distance", KEEPING)
def test_sets_of_every_datatype(
    ours: QdrantClient, theirs: QdrantClient, datatype: str, distance: models.Distance
) -> None:
    sets = sets_of(DRAWN[datatype])

    @examples(4)
    @given(st.lists(sets, min_size=2, max_size=12), st.lists(sets, min_size=6, max_size=6))
    def compare(held: list[Any], asked: list[Any]) -> None:
        with twins(ours, theirs, **declared(datatype, distance)) as pair:
            pair.fill([models.PointStruct(id=n, vector=one) for n, one in enumerate(held)])
            for one in asked:
                compare_ranking(pair, ranked(query=one, with_vectors=True))
            compare_ranking(pair, ranked(query=1))
            # of bytes none is negative, as the vectors of a disliked set would be
            negative = [asked[2]] if datatype != "uint8" else None
            both = models.RecommendInput(positive=asked[:2], negative=negative)
            compare_ranking(pair, ranked(query=models.RecommendQuery(recommend=both)))

    compare()


@pytest.mark.parametrize("datatype", DRAWN)
def test_unit_sets_of_every_datatype(
    ours: QdrantClient, theirs: QdrantClient, datatype: str
) -> None:
    """Under Cosine halves and bytes are rounded after they are brought to length 1 (or before)."""

    @examples(4)
    @given(st.integers(0, 2**20))
    def compare(seed: int) -> None:
        rng = np.random.default_rng(seed)
        held = [rng.integers(1, 200, (n, SIZE)).astype(float).tolist() for n in (1, 2, 3, 4, 5)]
        asked = rng.integers(1, 200, (3, SIZE)).astype(float).tolist()
        with twins(ours, theirs, **declared(datatype, models.Distance.COSINE)) as pair:
            pair.fill([models.PointStruct(id=n, vector=one) for n, one in enumerate(held)])
            found, expected = pair.both(ranked(query=asked))
            theirs_of = {hit.id: hit.score for hit in expected.points}
            for hit in found.points:
                assert hit.score == pytest.approx(theirs_of[hit.id], abs=5e-3)

    compare()


def ranked(**arguments: Any) -> Call:
    return lambda client, name: client.query_points(name, limit=50, **arguments)


@pytest.fixture(scope="module")
def pair(ours: QdrantClient, theirs: QdrantClient) -> Iterator[Twins]:
    with twins(ours, theirs, **CONFIG) as made:
        made.fill(build([{"n": n} for n in range(12)], 0).structs)
        yield made


def upsert(vector: Any) -> Call:
    return lambda client, name: client.upsert(name, [models.PointStruct(id=1, vector=vector)])


REFUSED: dict[str, tuple[Call, int]] = {
    "no vector": (upsert({"sets": []}), 400),
    "an empty vector": (upsert({"sets": [[]]}), 422),
    "another size": (upsert({"sets": [[1.0, 2.0]]}), 400),
    "a set for a dense name": (upsert({"dot": set_of(1)}), 400),
    "a sparse vector for a set": (upsert({"sets": sparse_of(1)}), 400),
    "a set for a sparse name": (upsert({"sparse": set_of(1)}), 400),
    "a set asked of dense vectors": (ranked(query=set_of(1), using="dot"), 400),
    "a sparse vector asked of sets": (ranked(query=sparse_of(1), using="sets"), 400),
    "an average of nothing liked": (
        ranked(
            query=models.RecommendQuery(recommend=models.RecommendInput(negative=[set_of(1)])),
            using="sets",
        ),
        400,
    ),
    "a name made anew without sets": (
        lambda client, name: client.create_vector_name(
            name,
            "sets",
            models.DenseVectorNameConfig(
                dense=models.DenseVectorConfig(size=SIZE, distance=SETS["sets"])
            ),
        ),
        400,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_both_refuse(pair: Twins, case: str) -> None:
    call, status = REFUSED[case]
    before = pair.ours.scroll(pair.name, limit=100, with_vectors=True)
    found, expected = pair.both(call)
    assert isinstance(expected, Refused)
    assert isinstance(found, Refused), found
    assert found.status == status, found
    assert pair.ours.scroll(pair.name, limit=100, with_vectors=True) == before


def test_one_vector_asks_as_a_set_of_one(pair: Twins) -> None:
    """As the server does; the local mode wants a set."""
    one = dense_of(5)
    found, expected = pair.both(ranked(query=one, using="sets"))
    assert isinstance(expected, Refused)
    same(found, ranked(query=[one], using="sets")(pair.theirs, pair.name))


def test_a_name_of_sets_is_added(ours: QdrantClient, theirs: QdrantClient) -> None:
    config = models.DenseVectorNameConfig(
        dense=models.DenseVectorConfig(
            size=SIZE, distance=models.Distance.DOT, multivector_config=MAX_SIM
        )
    )
    with twins(ours, theirs, **CONFIG) as pair:
        points = build([{"n": n} for n in range(8)], 1).structs
        pair.fill(points)
        for client in (ours, theirs):
            client.create_vector_name(pair.name, "late", config)
            late = models.PointVectors(id=points[0].id, vector={"late": set_of(9)})
            client.update_vectors(pair.name, [late])
        asked = ranked(query=set_of(3), using="late", with_vectors=True)
        same(*pair.both(asked))
