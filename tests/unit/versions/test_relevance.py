"""Judgements of a comparison: which queries count, and why the others do not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pyroaring import BitMap

from palimpsest.index.errors import InvalidConfig, InvalidPairs
from palimpsest.index.types import PointId
from palimpsest.index.versions.relevance import Judgements, Relevant, Searched, judgements_of

BIG = 2**53
SEARCHED = Searched(BitMap([0, 1, 2]), BitMap([1, 2]), BitMap([2]))  # old, both, fitted on


def numbers_of(ids: Sequence[PointId]) -> list[int | None]:
    """Points BIG, BIG + 1 ... have numbers 0 to 3, of which 3 holds no old version."""
    return [int(one) - BIG if 0 <= int(one) - BIG < 4 else None for one in ids]


def judged(*relevant: Relevant) -> Judgements:
    return judgements_of(relevant, SEARCHED, numbers_of, "v1")


def test_gains_are_told_apart_by_what_points_hold() -> None:
    found = judged({BIG: 2, BIG + 1: 0.5, BIG + 2: 1, BIG + 3: 9}, [BIG + 1])
    assert found.served == [{0: 2.0, 1: 0.5}, {1: 1.0}]
    assert found.shared == [{1: 0.5, 2: 1.0}, {1: 1.0}]
    assert found.unseen == [{1: 0.5}, {1: 1.0}]
    assert found.left_out == {}


def test_queries_that_do_not_count_are_named_with_the_reason() -> None:
    found = judged([BIG], [], [BIG + 7], [BIG + 3], [BIG + 2], {BIG: 0.0})
    assert found.left_out == {
        "nothing is relevant to it": [1, 5],
        "none of its relevant points exists": [2],
        "none of its relevant points holds version 'v1'": [3],
        "the adapter was fitted on all of its relevant points": [4],
    }
    said = found.to_json()
    assert (said["given"], said["all_rows"], said["shared"]) == (6, 1, 1)
    assert said["not_shared"] == [0]


def test_where_no_query_counts_nothing_is_measured() -> None:
    with pytest.raises(InvalidPairs, match=r"none of the queries counts \(2: nothing"):
        judged([], {})


@pytest.mark.parametrize("grade", [-1.0, float("nan"), float("inf")])
def test_a_grade_that_is_none_is_refused_by_its_place(grade: float) -> None:
    with pytest.raises(InvalidConfig, match=r"relevant\[1\].*9007199254740992"):
        judged([BIG], {BIG: grade})
