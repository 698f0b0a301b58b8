from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index.errors import InvalidId
from palimpsest.index.storage.ids import (
    check_ids,
    id_of_key,
    ids_from_bytes,
    ids_to_bytes,
    join_ids,
    key_of,
    keys_of,
    pack_ids,
    unpack_ids,
    widen_ids,
)

point_ids = st.integers(0, 2**64 - 1) | st.uuids()


@given(st.lists(point_ids))
def test_ids_survive_every_form(ids: list[int | UUID]) -> None:
    packed = pack_ids(ids)
    assert unpack_ids(packed) == ids
    assert unpack_ids(widen_ids(packed)) == ids
    assert unpack_ids(ids_from_bytes(ids_to_bytes(packed), len(ids))) == ids
    assert [id_of_key(key) for key in keys_of(ids)] == ids
    assert [key_of(one) for one in ids] == keys_of(ids)


@given(st.lists(st.lists(point_ids), min_size=1))
def test_joined_arrays_hold_all_ids_in_order(parts: list[list[int | UUID]]) -> None:
    assert unpack_ids(join_ids([pack_ids(part) for part in parts])) == sum(parts, [])


@given(st.lists(point_ids, min_size=2, max_size=2, unique=True))
def test_wide_bytes_sort_like_keys(ids: list[int | UUID]) -> None:
    first, second = (widen_ids(pack_ids([one])).tobytes() for one in ids)
    one, other = keys_of(ids)
    smaller = isinstance(one, int) if type(one) is not type(other) else one < other  # type: ignore[operator]
    assert (first < second) == smaller


@pytest.mark.parametrize(
    "wrong", [-1, 2**64, True, 1.0, "7", None, np.uint64(1), b"0123456789abcdef"]
)
def test_other_ids_are_refused_and_named(wrong: object) -> None:
    with pytest.raises(InvalidId, match="Invalid point id"):
        check_ids([1, UUID(int=3), wrong])  # type: ignore[list-item]


def test_the_ends_of_the_range_are_ids() -> None:
    check_ids([0, 2**64 - 1, UUID(int=0), UUID(int=2**128 - 1)])
