"""Which points to embed next, and how far that has come: rates by a clock, pauses and all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from palimpsest.index import Distance, VectorConfig
from palimpsest.index.errors import InvalidConfig, UnknownVectorName, VersionNotFound
from palimpsest.index.versions.backfilling import MAX_LIMIT, Pace
from tests.conftest import OpenCollection
from tests.unit.versions.mixed import SIZES, Account, config_of, texts_of

N = 40


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def paced(*samples: tuple[float, int]) -> tuple[Pace, Clock]:
    clock = Clock()
    pace = Pace(clock)
    for now, covered in samples:
        clock.now = now
        pace.sample(0, covered)
    return pace, clock


def test_a_rate_is_that_of_the_last_minutes() -> None:
    pace, clock = paced((0, 0), (10, 100), (20, 200))
    assert pace.rate(0) == 10.0 and pace.rate(1) == 0.0
    clock.now = 79.0
    assert pace.rate(0) == 10.0, "a short pause is none"
    clock.now = 100.0
    assert pace.rate(0) == 2.0
    clock.now = 700.0
    assert pace.rate(0) == 0.0


def test_old_samples_are_forgotten_and_close_ones_are_one() -> None:
    pace, _ = paced(*((float(n), n * n) for n in range(0, 2_000, 100)))
    assert pace.rate(0) == pytest.approx((1_900**2 - 1_300**2) / 600)
    close, _ = paced((0.0, 0), (0.1, 1), (0.2, 2), (0.3, 3))
    assert close.rate(0) == 10.0
    same, _ = paced((5.0, 7), (6.0, 7))
    assert same.rate(0) == 0.0
    down, _ = paced((0.0, 9), (10.0, 4))
    assert down.rate(0) == 0.0


def test_points_that_got_a_version_are_counted_from_the_opening_on(account: Account) -> None:
    assert gained(account) == {"v1": N, "v2": 10}
    account.put("v2", range(5, 20))
    account.collection.delete([15]).result()
    account.put("v2", range(16, 22))
    assert gained(account) == {"v1": N, "v2": 22}
    _, v2 = account.collection.versions.states()
    assert v2.points == 21


def gained(account: Account) -> dict[str, int]:
    account.collection.writer.call(lambda: None).result()  # what came before was counted by now
    return {one.version: one.gained for one in account.collection.versions.states()}


@pytest.fixture
def account(collection_of: OpenCollection, rng: np.random.Generator) -> Account:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
    account = Account(collection_of(config_of(spaces["v1"])), texts_of(N, rng), spaces)
    account.declare("v2")
    account.put("v1", range(N))
    account.put("v2", range(10))
    return account


def test_points_that_lack_the_version_are_given_with_what_is_known(account: Account) -> None:
    versions = account.collection.versions
    found = versions.backfill("", "v2", limit=N, with_payload=True)
    assert {one.id for one in found} == set(range(10, N))
    assert all(one.payload and one.reason in ("demand", "random") for one in found)
    assert {one.residual for one in found} == {1.0} or all(one.residual is None for one in found)
    account.fit("v1", "v2")
    after = versions.backfill("", "v2", limit=5)
    assert len(after) == 5 and all(one.payload is None for one in after)


def test_a_status_counts_what_is_left(account: Account) -> None:
    status = account.collection.versions.backfill_status("", "v2")
    assert (status.points, status.covered, status.remaining) == (N, 10, 30)
    assert status.coverage == 0.25 and status.demand_covered is None
    account.put("v2", range(10, N))
    done = account.collection.versions.backfill_status("", "v2")
    assert (done.remaining, done.coverage) == (0, 1.0)
    assert done.eta_seconds == 0.0


@pytest.mark.parametrize(
    "given", [{"limit": 0}, {"limit": MAX_LIMIT + 1}, {"limit": 1, "random_share": -0.1},
              {"limit": 1, "random_share": float("nan")}],
)  # fmt: skip
def test_parameters_out_of_range_are_refused(account: Account, given: dict[str, float]) -> None:
    with pytest.raises(InvalidConfig):
        account.collection.versions.backfill("", "v2", **given)  # type: ignore[arg-type]


def test_names_that_are_not_declared_are_refused(account: Account) -> None:
    calls: list[tuple[str, str, type[Exception]]] = [
        ("нет", "v2", UnknownVectorName), ("", "v9", VersionNotFound),
    ]  # fmt: skip
    for vector, version, error in calls:
        asked: list[Callable[[], object]] = [
            lambda v=vector, w=version: account.collection.versions.backfill(v, w, limit=1),
            lambda v=vector, w=version: account.collection.versions.backfill_status(v, w),
        ]
        for call in asked:
            with pytest.raises(error):
                call()
