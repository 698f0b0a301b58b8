"""Contents of payload indexes that no index has written are refused, whatever is wrong in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index import CollectionConfig, Distance, FieldIndex, PointBatch, VectorConfig
from palimpsest.index.payload.indexes import PayloadIndexes
from palimpsest.index.payload.loading import load_fields
from palimpsest.index.payload.sound import require_array
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.store import Store
from palimpsest.index.upkeep.recover import STORE
from tests.conftest import open_collection
from tests.unit.payload.points import Points

Array = NDArray[Any]
VALUES: Mapping[str, list[Any]] = {
    "keyword": ["red", "blue", ["red", "green"], None, 3, []],
    "integer": [1, 2, [1, 5, 5], None, "x", []],
    "float": [1.5, 2, [1.5, 7.25], None, "x", []],
    "bool": [True, False, [True, False], None, 1, []],
    "datetime": ["2024-01-01", "2025-01-01", ["2024-01-01", "2023-01-01"], None, "x", []],
    "uuid": [f"00000000-0000-0000-0000-00000000000{n}" for n in range(5)] + ["x"],
    "geo": [{"lon": 1.0, "lat": n / 2} for n in range(4)] + [[{"lon": 0.5, "lat": 3.0}] * 2, "x"],
    "text": ["red apple", "blue", ["red", "green pear"], None, 3, []],
}
DECLARED: dict[str, Any] = {"type": "text", "tokenizer": "word", "phrase_matching": True}
WAYS: Mapping[str, Callable[[Array], Array]] = {
    "shorter": lambda array: array[..., :-1],
    "longer": lambda array: np.concatenate([array, np.ones_like(array[..., :1])], axis=-1),
    "other numbers": lambda array: array.astype(np.float32),
    "another shape": lambda array: array[None],
    "next ones": lambda array: array + 1,
    "largest ones": lambda array: np.full_like(array, _largest(array)),
    "nothing": lambda array: array[..., :0],
}
REFUSED = (ValueError, LookupError, TypeError)  # as `loading` takes them


def _largest(array: Array) -> float:
    if array.dtype.kind == "f":
        return float("nan")
    return int(np.iinfo(array.dtype).max)


def source_of(kind: str) -> Points:
    source = Points()
    source.index("k", DECLARED if kind == "text" else kind)
    for number in range(60):  # some sets are bitmaps, some are packed
        values = VALUES[kind]
        source.put(number, {"k": values[number % len(values) if number < 12 else number % 2]})
    return source


def same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return all(one[name].tobytes() == other[name].tobytes() for name in one)


@pytest.mark.parametrize("kind", VALUES)
def test_no_array_may_be_another(kind: str) -> None:
    source = source_of(kind)
    arrays, description = source.indexes.dump("k")
    config = source.indexes.fields["k"]
    PayloadIndexes().load("k", config, arrays, description)
    refused = 0
    for name, array in arrays.items():
        for way, change in WAYS.items():
            if not array.size and way != "longer":
                continue
            if name.endswith(("first", "more")) and way.endswith("ones"):
                continue  # other values, as good as any
            loaded = PayloadIndexes()
            try:
                with np.errstate(all="ignore"):
                    loaded.load("k", config, {**arrays, name: change(array)}, description)
            except REFUSED:
                refused += 1
                continue
            if name.endswith("texts"):
                continue  # the words of a phrase in another order
            assert same(loaded.dump("k")[0], arrays), (name, way)
    assert refused > 3 * len(arrays)


@pytest.mark.parametrize("kind", ["keyword", "integer", "bool"])
def test_values_of_another_kind_are_refused(kind: str) -> None:
    """Booleans would be found as integers, and the reverse."""
    source, other = source_of(kind), source_of({"integer": "bool"}.get(kind, "integer"))
    arrays, description = source.indexes.dump("k")
    strange = {**arrays, "lookup.values": other.indexes.dump("k")[0]["lookup.values"]}
    with pytest.raises(REFUSED):
        PayloadIndexes().load("k", source.indexes.fields["k"], strange, description)


@pytest.mark.parametrize("kind", VALUES)
def test_parts_that_disagree_about_points_are_refused(kind: str) -> None:
    source = source_of(kind)
    before, description = source.indexes.dump("k")
    source.put(100, {"k": VALUES[kind][0]})
    after, _ = source.indexes.dump("k")
    for taken in ("presence.", "lookup.", "ordered.", "places.", "texts."):
        mixed = {n: before[n] if n.startswith(taken) else after[n] for n in after}
        if not any(name.startswith(taken) for name in after):
            continue
        with pytest.raises(REFUSED):
            PayloadIndexes().load("k", source.indexes.fields["k"], mixed, description)


def test_an_index_that_names_points_which_do_not_exist_is_built_again(tmp_path: Path) -> None:
    config = CollectionConfig({"": VectorConfig(2, Distance.DOT)})
    collection = open_collection(tmp_path / "c", config)
    collection.create_index("k", FieldIndex.from_declared("keyword")).result()
    collection.upsert(PointBatch([1, 2, 3], {}, [b'{"k":"red"}'] * 3)).result()
    live = collection.view.live.copy()
    collection.close()
    store = Store.open(tmp_path / "c" / STORE)
    try:
        assert load_fields(store, Local(tmp_path / "c" / "fields"), live)[1] == []
        indexes, unbuilt = load_fields(store, Local(tmp_path / "c" / "fields"), live - BitMap([0]))
        assert [each.reason for each in unbuilt] == ["damage"] and not indexes.fields
    finally:
        store.close()


def test_arrays_are_refused_by_dtype_number_of_axes_and_lengths() -> None:
    require_array(np.zeros((3, 2), dtype=np.uint32), np.uint32, -1, 2)
    require_array(np.zeros((0, 2), dtype=np.uint32), np.uint32, -1, 2)
    for array in (
        np.zeros((3, 2), dtype=np.int32),
        np.zeros((3, 3), dtype=np.uint32),
        np.zeros(6, dtype=np.uint32),
    ):
        with pytest.raises(ValueError, match=r"expected uint32 of shape \(-1, 2\), got"):
            require_array(array, np.uint32, -1, 2)
