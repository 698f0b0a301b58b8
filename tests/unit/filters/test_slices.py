"""Slices of the id space: disjoint, together everything, about as large, the same everywhere."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
from qdrant_client.local.siphash import point_id_slice

from palimpsest.index.filters.slices import slice_of

IDS = [0, 1, 2**53, 2**53 + 1, 2**63, 2**64 - 1]
UUIDS = [UUID(int=0), UUID(int=2**128 - 1), UUID(int=2**64 + 1)]


@pytest.mark.parametrize("total", [1, 2, 7, 2**31, 2**32])
def test_slices_are_those_of_the_reference(total: int) -> None:
    for one in IDS:
        assert slice_of(one, total) == point_id_slice(one, total)
    for each in UUIDS:
        assert slice_of(each, total) == point_id_slice(str(each), total)


def test_an_integer_and_the_uuid_of_its_number_are_different_ids() -> None:
    assert [slice_of(n, 2**32) for n in range(4)] != [
        slice_of(UUID(int=n), 2**32) for n in range(4)
    ]


def test_slices_are_about_as_large() -> None:
    counts = Counter(slice_of(one, 8) for one in range(2**53, 2**53 + 4_000))
    assert len(counts) == 8 and max(counts.values()) < 1.3 * min(counts.values())
