"""Views never change: what dies later lives on in those taken before."""

from __future__ import annotations

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import Collection
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

IDS = [2**53, 2**53 + 1, 5, 6]


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    made = collection_of(config_of(2))
    made.upsert(batch_of(IDS[:2], np.ones((2, 2), np.float32))).result()
    made.upkeep.seal()
    made.upsert(batch_of(IDS[2:], np.ones((2, 2), np.float32))).result()  # exact copies
    return made


def test_a_view_that_was_taken_keeps_what_it_has(collection: Collection) -> None:
    before = collection.view
    held = before.vectors[0].held.copy()
    collection.delete([IDS[0], IDS[2]]).result()
    collection.upkeep.seal()
    collection.upkeep.compact()
    after = collection.view
    assert (before.points, before.vectors[0].live) == (4, 4) and before.vectors[0].held == held
    assert (after.points, after.vectors[0].live) == (2, 2)
    assert after.vectors[0].held < held
    assert before.seq < after.seq


def test_held_points_follow_deaths_in_either_kind_of_part(collection: Collection) -> None:
    for gone in (IDS[1], IDS[3]):
        collection.view.vectors[0].held  # noqa: B018  # what was known is gone on from
        collection.delete([gone]).result()
        vectors = collection.view.vectors[0]
        parts = BitMap(int(n) for numbers in vectors.numbers() for n in numbers)
        assert vectors.held == parts == collection.view.live


def test_parts_of_some_points_have_all_others_dead(collection: Collection) -> None:
    vectors = collection.view.vectors[0]
    some = BitMap([list(vectors.held)[0], 2**32 - 1])
    only = vectors.only(some)
    assert only.live == 1 and only.held == some & vectors.held
    assert vectors.only(some) is only and vectors.only(some.copy()) is not only
    assert vectors.live == 4 and vectors.only(BitMap()).live == 0


def test_slots_are_told_that_are_in_some_part(collection: Collection) -> None:
    vectors = collection.view.vectors[0]
    slots = np.concatenate([part.columns.slots[: part.n] for part in vectors.parts])
    wanted = np.array([slots[3], 2**63, slots[0]], dtype=np.uint64)
    assert vectors.holds(wanted).tolist() == [True, False, True]
    assert vectors.holds(np.empty(0, dtype=np.uint64)).tolist() == []


def test_a_name_means_a_column_or_nothing(collection: Collection) -> None:
    view = collection.view
    assert view.find("") is view.vectors[0] and view.find("имя") is None
    assert view.bridges_of(0) == () and list(view.bridged(0)) == []
