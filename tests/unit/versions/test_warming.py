"""What adapters need of each row is computed before a search waits for it, and forgotten after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Distance, VectorConfig
from palimpsest.index.versions.warming import Warming
from tests.conftest import open_collection
from tests.unit.versions.mixed import SIZES, Account, config_of, texts_of

N = 120


@pytest.fixture
def account(tmp_path: Path, rng: np.random.Generator) -> Iterator[Account]:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
    collection = open_collection(tmp_path / "c", config_of(spaces["v1"]))
    account = Account(collection, texts_of(N, rng), spaces)
    account.declare("v2")
    account.put("v1", range(N))
    account.fit("v1", "v2")
    yield account
    collection.close()


def warming(account: Account, *, stopped: bool = False) -> Warming:
    return Warming(account.collection.writer, lambda: stopped)


def names(account: Account) -> list[str]:
    return [part.segment.name for part in account.collection.view.vectors[0].sealed]


def test_growing_rows_wait_for_no_factors_and_sealed_ones_do(account: Account) -> None:
    own, factors = warming(account), account.adapter("v1", "v2").factors
    assert not own.unwarmed()
    account.collection.upkeep.seal()
    assert not own.unwarmed(), "who seals them has them ready"
    factors.keep(set())
    assert own.unwarmed()
    own.warm()
    assert not own.unwarmed()
    (name,) = names(account)
    assert factors.has(name, N)


def test_factors_of_rows_that_are_gone_are_forgotten(account: Account) -> None:
    own, factors = warming(account), account.adapter("v1", "v2").factors
    account.collection.upkeep.seal()
    own.warm()
    (before,) = names(account)
    account.delete(range(0, N, 2))
    account.collection.upkeep.compact()
    (after,) = names(account)
    assert before != after
    own.warm()
    assert factors.has(after, N // 2) and not factors.has(before, N)


def test_one_that_is_stopped_computes_nothing(account: Account) -> None:
    fitted = account.adapter("v1", "v2")
    account.collection.upkeep.seal()
    fitted.factors.keep(set())
    warming(account, stopped=True).warm()
    assert warming(account).unwarmed()
    warming(account).prepare(fitted, (0, 1))
    assert not warming(account).unwarmed()
    warming(account).prepare(fitted, (99, 1))  # of a column that was dropped meanwhile
