"""How many sets a search looks at in each of its stages."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import Distance, MultiConfig, MultiVector, SearchRequest
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.kinds.multi.plan import MultiPlan, resolve_multi

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
