"""How many sets a search looks at in each of its stages."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import (
    CollectionConfig,
    Distance,
    MaintenanceConfig,
    MultiConfig,
    MultiVector,
    PointBatch,
    SearchRequest,
)
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.kinds.multi.plan import MultiPlan, resolve_multi
from tests.conftest import OpenCollection
from tests.unit.kinds.multi.twin import batch_of

CONFIG = MultiConfig(4, Distance.COSINE)


def plan_of(config: MultiConfig = CONFIG, **asked: object) -> MultiPlan:
    query = MultiVector(np.ones((2, 4), np.float32))
    return resolve_multi(SearchRequest(query, **asked), config)  # type: ignore[arg-type]


def test_defaults() -> None:
    plan = plan_of()
    assert not plan.exact and plan.depth is None and plan.rescored == 30
    assert plan.candidates(200) == 200 and plan.candidates(50) == 50
    assert plan.is_few(400, 200) and not plan.is_few(401, 200)
    assert plan_of(MultiConfig(4, Distance.COSINE, token_bits=8)).rescored == 20


def test_queries_of_few_vectors_have_more_candidates() -> None:
    plan = plan_of()
    assert [plan.candidates(50, asked) for asked in (0, 1, 4, 16, 64)] == [*(200, 200, 100, 50, 50)]
    assert plan.is_few(800, 200, 4) and not plan.is_few(801, 200, 4)
    assert plan_of(ef=77).candidates(200, 1) == 77


def test_one_vector_finds_what_is_closest(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    n, size = 1_000, 16
    topics = rng.standard_normal((30, size))
    drawn = np.repeat(rng.integers(0, 30, (n, 4)), 3, axis=1)
    tokens = (topics[drawn] + 0.3 * rng.standard_normal((n, 12, size))).astype(np.float32)
    upkeep = MaintenanceConfig(quiet_rows=1, quiet_seconds=0)
    collection = collection_of(
        CollectionConfig({"": MultiConfig(size, Distance.COSINE, token_bits=8)}, upkeep)
    )
    collection.upsert(PointBatch([*range(n)], {"": batch_of([*tokens], size)}, [None] * n)).result()
    collection.upkeep.seal()
    found = []
    for place in range(40):
        query = tokens[place, :1] + 0.2 * rng.standard_normal((1, size))
        asked = SearchRequest(MultiVector(query.astype(np.float32)))
        exact = collection.search(asked._replace(exact=True)).ids
        found.append(len({*exact} & {*collection.search(asked).ids}) / 10)
    assert np.mean(found) >= 0.97


def test_what_a_caller_asks_for() -> None:
    assert plan_of(ef=77).candidates(200) == 77
    assert plan_of(k=500, ef=77).candidates(200) == 1_500
    assert plan_of(oversampling=5.0).rescored == 50
    assert plan_of().until_sure and not plan_of(oversampling=5.0).until_sure
    assert not plan_of(every_row=True).until_sure
    assert plan_of(rescore=False).rescored == 0
    assert plan_of(exact=True).exact and plan_of(ignore_codes=True).exact
    assert plan_of(MultiConfig(4, Distance.EUCLID)).exact
    assert plan_of(k=5, offset=20).page.fetch == 25


@pytest.mark.parametrize("asked", [{"ef": 0}, {"ef": 100_001}, {"oversampling": 0.5}, {"k": 0}])
def test_what_is_out_of_range_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(InvalidConfig, match="expected"):
        plan_of(**asked)
