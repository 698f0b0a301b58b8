"""Points are found as they were written, by id and by number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.errors import CollectionNotFound
from palimpsest.index.storage.checked import Summed
from palimpsest.index.storage.reader import Reader
from palimpsest.index.storage.store import Store


def test_points_are_found_with_their_slots(store: Store, path: Path) -> None:
    keys = list(range(-600, 600))
    slots = np.stack([np.arange(1, 1_201), np.zeros(1_200)], axis=1).astype(np.uint64)
    with store.transaction():
        store.points.insert(range(1_200), keys, 7, slots, [b"{}"] * 1_200)
    found = store.points.find([*keys, 5_000, b"0123456789abcdef"], with_payload=True)
    assert list(found) == keys
    assert [held.number for held in found.values()] == list(range(1_200))
    assert [held.slots.tolist() for held in found.values()] == slots.tolist()
    assert found[3].payload == b"{}"
    assert store.points.find_numbers([1_199, 5_000], with_payload=False).keys() == {599}
    assert sorted(store.points.numbers().tolist()) == list(range(1_200))
    reader = Reader(path, "a", Summed(True))
    points = reader.points([5_000, *keys], with_payload=True)
    assert list(points) == keys
    assert (points[599][0], points[599][1].tolist(), points[599][2]) == (7, [1_200, 0], b"{}")
    assert reader.by_number([603, 9_999], with_payload=True)[603][0] == 3
    assert reader.ids([603, 9_999]) == {603: 3}
    assert reader.numbers([3, 9_999]) == {3: 603}
    page, following = reader.page(595, 10, with_payload=False)
    assert ([key for key, _ in page], following) == (list(range(595, 600)), None)
    page, following = reader.page(590, 5, with_payload=False)
    assert ([key for key, _ in page], following) == (list(range(590, 595)), 595)
    reader.close()
    with pytest.raises(CollectionNotFound):
        Reader.points(reader, [1], with_payload=False)
