"""What the engine asks of dense vectors: rows checked and copied, bytes there and back, means."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import CollectionConfig
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import DimensionMismatch, InvalidVector
from palimpsest.index.kinds.dense.kind import DenseKind
from palimpsest.index.kinds.kind import Whose
from palimpsest.index.kinds.registry import empty
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.storage.ids import pack_ids
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.types import Distance, NamedVectors, Vectors

KIND, BIG = DenseKind(), 2**53 + 1
DOT = VectorConfig(2, Distance.DOT)


def whose(config: VectorConfig = DOT) -> Whose:
    return Whose("имя", [7, BIG, 9], CollectionConfig({"имя": config}))


def given(rows: list[list[float]], places: list[int]) -> NamedVectors:
    return NamedVectors(np.array(places), np.array(rows, dtype=np.float32))


def test_rows_are_the_batchs_own_copy() -> None:
    batch = given([[1, 2], [3, 4]], [0, 2])
    checked = KIND.check(batch, whose(), DOT)
    batch.values[:] = 0
    assert checked.tolist() == [[1, 2], [3, 4]]
    cosine = VectorConfig(2, Distance.COSINE)
    assert KIND.check(given([[3, 4]], [0]), whose(cosine), cosine)[0] == pytest.approx([0.6, 0.8])


def test_the_point_of_a_bad_row_is_named() -> None:
    with pytest.raises(InvalidVector, match=str(BIG)):
        KIND.check(given([[1, 2], [np.nan, 0]], [0, 1]), whose(), DOT)
    with pytest.raises(DimensionMismatch, match=str(BIG)):
        KIND.check(given([[1, 2, 3]], [1]), whose(), DOT)
    with pytest.raises(InvalidVector, match=r"expected \(2, 2\), got \(1, 2\)"):
        KIND.check(given([[1, 2]], [0, 1]), whose(), DOT)


def test_stored_bytes_come_back() -> None:
    rows = np.array([[1.5, -0.0], [3e38, 1e-45]], dtype=np.float32)
    back = KIND.from_bytes(bytes(KIND.to_bytes(rows)), 2, DOT)
    assert back.tobytes() == rows.tobytes()
    halves = VectorConfig(2, Distance.DOT, datatype="float16", originals="float16")
    assert np.isfinite(KIND.from_bytes(rows.tobytes(), 2, halves)).all()


def test_a_mean_is_taken_in_double_precision() -> None:
    rows: list[Vectors] = [np.full(2, x, np.float32) for x in (3e38, 3e38, 1.0)]
    mean = KIND.mean(rows, [0.5, -0.5, 1.0])
    assert mean.tolist() == [1.0, 1.0] and mean.dtype == np.float32
    assert np.isinf(KIND.mean(rows, [1.0, 1.0, 1.0])).all()  # which is refused as a query


def test_rows_that_are_sealed_are_given_back() -> None:
    rows = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
    slots = np.array([4, 5, 9], dtype=np.uint64)
    part = KIND.grow(DOT).extended(slots, 1, pack_ids([7, BIG, 9]), slots.astype(np.uint32), rows)
    files = InMemory()
    checksum = KIND.seal(files / "one", [(part, Dead().with_rows(np.array([1]), 3))], Build(DOT))
    assert checksum is not None
    segment = KIND.open(files / "one", checksum)
    found = KIND.given(segment, segment.find(np.array([9, 4], dtype=np.uint64)))
    assert found.values.tolist() == [[5, 6], [1, 2]] and found.positions.tolist() == [0, 1]
    assert segment.find(np.array([5], dtype=np.uint64)).tolist() == [-1]
    assert KIND.spare((files / "one").list()) >= {"by_slot.npy"}
    assert KIND.numbers_in(empty(DOT)) == 2 and KIND.bytes_to_write(DOT, [part]) > rows.nbytes  # type: ignore[list-item]
