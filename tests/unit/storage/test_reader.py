"""Reads from any thread: points by id and by number, pages that advance, damage by its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index.errors import DamagedPoint
from palimpsest.index.storage.checked import Spared
from palimpsest.index.storage.ids import id_of_key, keys_of
from palimpsest.index.storage.reader import Reader
from palimpsest.index.storage.store import Store
from tests.damage import change

IDS = [0, 7, 2**53, 2**53 + 1, 2**64 - 1, UUID(int=0), UUID(int=2**127)]
KEYS = keys_of(IDS)


@pytest.fixture
def reader(path: Path, store: Store) -> Iterator[Reader]:
    with store.transaction():
        slots = np.arange(1, 1 + len(KEYS), dtype=np.uint64).reshape(-1, 1)
        payloads = [f'{{"ж": {n}}}'.encode() for n in range(len(KEYS))]
        store.points.insert(list(range(len(KEYS))), KEYS, 3, slots, payloads)
        store.move_to(store.position().__class__(3, 100, len(KEYS)))
    made = Reader(path, "имя", store.summed, store.ids)
    yield made
    made.close()


def test_points_are_found_by_id_and_by_number(reader: Reader) -> None:
    assert reader.numbers([KEYS[6], KEYS[2], 12345]) == {KEYS[6]: 6, KEYS[2]: 2}
    assert reader.ids([3, 99]) == {3: KEYS[3]}
    found = reader.points(KEYS[:2], with_payload=True)
    assert [(seq, own.tolist(), payload) for seq, own, payload in found.values()] == [
        (3, [1], '{"ж": 0}'.encode()), (3, [2], '{"ж": 1}'.encode()),
    ]  # fmt: skip
    assert reader.held([5], with_payload=False)[5][1] is None
    assert reader.seq() == 3 and reader.payload_bytes() == sum(map(len, reader_payloads(reader)))


def reader_payloads(reader: Reader) -> list[bytes]:
    numbers = np.arange(len(KEYS), dtype=np.uint32)
    return [p for _, some in reader.payloads_of(numbers) for _, p in some if p is not None]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10**6])
def test_pages_advance_over_integers_and_uuids(reader: Reader, limit: int) -> None:
    start, seen = None, []
    while True:
        points, start = reader.page(start, limit, with_payload=False)
        seen += [id_of_key(key) for key, _ in points]
        if start is None:
            break
    assert seen == IDS
    among = reader.page_among(BitMap([1, 4, 6, 2**31]), KEYS[2], limit)
    assert among == [4, 6][:limit]


def test_payloads_of_far_and_of_near_numbers_are_the_same(reader: Reader) -> None:
    far = np.array([0, 6, 2**31], dtype=np.uint32)
    ((wanted, found),) = reader.payloads_of(far)
    assert wanted == far.tolist() and [number for number, _ in found] == [0, 6]
    near = np.array([0, 1, 6], dtype=np.uint32)
    assert [n for _, some in reader.payloads_of(near) for n, _ in some] == [0, 1, 6]


def test_a_damaged_point_is_named_or_left_out(path: Path, reader: Reader) -> None:
    change(path, "UPDATE points SET payload = '{}' WHERE number = 3")
    with pytest.raises(DamagedPoint, match=str(2**53 + 1)):
        reader.points(KEYS, with_payload=True)
    spared = Spared()
    found = reader.points(KEYS, with_payload=True, spared=spared)
    assert set(found) == {*KEYS} - {KEYS[3]} and set(spared.errors) == {3}
