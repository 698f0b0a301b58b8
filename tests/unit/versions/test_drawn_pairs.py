"""The pairs an adapter is fitted on: which points are held out never changes, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Distance, FitRequest, VectorConfig
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.errors import InvalidPairs, VersionConflict
from palimpsest.index.read.points import PointReader
from palimpsest.index.versions.drawn_pairs import (
    Pairing,
    checked_pairs,
    is_held_out,
    needed_points,
)
from tests.conftest import open_collection
from tests.unit.versions.mixed import SIZES, Account, config_of, texts_of

N = 200
SPACES = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
ASKED = FitRequest("v1", "v2", kind="ridge")


@pytest.fixture
def account(tmp_path: Path, rng: np.random.Generator) -> Iterator[Account]:
    collection = open_collection(tmp_path / "c", config_of(SPACES["v1"]))
    account = Account(collection, texts_of(N, rng), SPACES)
    account.declare("v2")
    account.put("v1", range(N))
    account.put("v2", range(0, N, 2))
    yield account
    collection.close()


@pytest.fixture
def pairing(account: Account) -> Pairing:
    collection = account.collection
    return Pairing(collection.writer, PointReader(collection._parts.reader, collection._shown))


def test_the_share_that_is_held_out_is_about_as_large_and_grows_around_itself() -> None:
    numbers = np.arange(20_000, dtype=np.uint32)
    few, more = is_held_out(numbers, 0.2), is_held_out(numbers, 0.5)
    assert abs(few.mean() - 0.2) < 0.01 and abs(more.mean() - 0.5) < 0.02
    assert not (few & ~more).any()
    np.testing.assert_array_equal(is_held_out(numbers[::-1].copy(), 0.2), few[::-1])
    far = np.array([2**32 - 1, 0], dtype=np.uint32)
    assert is_held_out(far, 1.0).all() and not is_held_out(far, 0.0).any()


def test_points_that_hold_both_are_drawn_and_parted(account: Account, pairing: Pairing) -> None:
    assert pairing.count((0, 1)) == N // 2
    drawn = pairing.draw(ASKED, (0, 1), SPACES["v1"], SPACES["v2"])
    assert len(drawn.fit_part.rows) + len(drawn.held.rows) == N // 2
    assert drawn.points is not None and len(drawn.points) == len(drawn.fit_part.rows)
    assert not is_held_out(drawn.points, ASKED.holdout).any()
    again = pairing.draw(ASKED, (0, 1), SPACES["v1"], SPACES["v2"])
    np.testing.assert_array_equal(again.points, drawn.points)
    account.put("v2", range(1, N, 2))
    more = pairing.draw(ASKED, (0, 1), SPACES["v1"], SPACES["v2"])
    assert more.points is not None and set(drawn.points.tolist()) <= set(more.points.tolist())


def test_at_most_as_many_as_are_asked_for(pairing: Pairing) -> None:
    few = FitRequest("v1", "v2", kind="ridge", max_pairs=50, holdout=0.2)
    drawn = pairing.draw(few, (0, 1), SPACES["v1"], SPACES["v2"])
    assert (len(drawn.fit_part.rows), len(drawn.held.rows)) == (40, 10)


def test_too_few_points_that_hold_both_are_told_with_a_remedy(
    account: Account, pairing: Pairing
) -> None:
    account.delete(range(38, N))
    needed = needed_points(SPACES["v1"], SPACES["v2"], 0.2)
    with pytest.raises(InvalidPairs, match=f"19 points hold both.*at least {needed}") as refused:
        pairing.draw(ASKED, (0, 1), SPACES["v1"], SPACES["v2"])
    assert len(refused.value.remedies) == 2


def test_given_pairs_are_checked_against_the_versions(pairing: Pairing) -> None:
    rows = np.ones((30, SIZES["v1"]), np.float32)
    with pytest.raises(InvalidPairs, match="pairs.queries: expected vectors of 16 dimensions"):
        checked_pairs(Pairs(rows, rows), SPACES["v1"], SPACES["v2"], "pairs")
    assert checked_pairs(None, SPACES["v1"], SPACES["v2"], "pairs") is None
    given = FitRequest("v1", "v2", pairs=Pairs(rows, np.ones((30, SIZES["v2"]), np.float32)))
    drawn = pairing.draw(given, (0, 1), SPACES["v1"], SPACES["v2"])
    assert drawn.points is None and len(drawn.fit_part.rows) + len(drawn.held.rows) == 30


def test_a_version_that_was_dropped_meanwhile_is_a_conflict(pairing: Pairing) -> None:
    with pytest.raises(VersionConflict, match="dropped"):
        pairing.count((0, 99))
