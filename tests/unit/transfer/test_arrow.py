"""Columns of Arrow as JSON: nothing is lost on the way, or the row is named."""

from __future__ import annotations

import base64
import datetime as dt
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from palimpsest.app.transfer.arrow import (
    ids_of,
    looks_like_vector,
    needed,
    payload_texts,
    vector_kind,
    vector_texts,
)
from palimpsest.app.transfer.errors import WrongUse
from palimpsest.app.transfer.mapping import Mapping
from palimpsest.app.transfer.shapes import Dense, Sets, Sparse
from palimpsest.index import parse_set, parse_vector

SPARSE = pa.struct([("indices", pa.list_(pa.uint32())), ("values", pa.list_(pa.float32()))])
FLOATS = (pa.float16(), pa.float32(), pa.float64())


def payloads(*columns: tuple[str, Any]) -> list[Any]:
    block = pa.record_batch([array for _, array in columns], [name for name, _ in columns])
    texts = payload_texts(block, Mapping(None, {}, tuple(block.schema.names)))
    return [json.loads(text, parse_float=Decimal) for text in texts]


def test_which_types_are_vectors() -> None:
    for numbers in FLOATS:
        for held in (pa.list_(numbers), pa.large_list(numbers), pa.list_(numbers, 3)):
            assert (vector_kind(held), vector_kind(pa.list_(held))) == (Dense, Sets)
            assert looks_like_vector(held) and looks_like_vector(pa.list_(held))
    assert vector_kind(SPARSE) is Sparse and looks_like_vector(SPARSE)
    assert vector_kind(pa.list_(pa.int64())) is Dense and not looks_like_vector(pa.list_(pa.int8()))
    assert vector_kind(pa.fixed_shape_tensor(pa.float32(), [4])) is Dense
    for other in (pa.string(), pa.list_(pa.string()), pa.struct([("a", pa.int8())]), pa.float32()):
        assert vector_kind(other) is None


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("numbers", [*FLOATS, pa.int32()])
def test_dense_vectors_keep_their_bits_wherever_a_block_begins(fixed: bool, numbers: Any) -> None:
    rows = (np.random.default_rng(0).standard_normal((9, 3)) * 10).astype(numbers.to_pandas_dtype())
    held: list[Any] = [[*row] for row in rows]
    held[4] = None
    column = pa.array(held, pa.list_(numbers, 3) if fixed else pa.list_(numbers))
    for start in (0, 3, 4, 5):
        texts = vector_texts(column.slice(start), "v")
        for text, row, given in zip(texts, rows[start:], held[start:], strict=True):
            if given is None:
                assert text is None
            else:
                assert text is not None
                assert np.array_equal(parse_vector(text), row.astype("f4"))


def test_tensors_sets_and_sparse_vectors() -> None:
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.eye(2, dtype="f4"))
    assert [*map(parse_vector, filter(None, vector_texts(tensors, "v")))][1].tolist() == [0, 1]
    sets = pa.array([[[0.1, 2]], None, [[3, 4], [5, 6]]], pa.list_(pa.list_(pa.float32())))
    first, none, last = vector_texts(sets, "v")
    assert first is not None and last is not None and none is None
    assert parse_set(first)[0, 0] == np.float32(0.1) and parse_set(last).shape == (2, 2)
    sparse = pa.array([{"indices": [2**32 - 1, 1], "values": [0.1, -1]}, None], SPARSE)
    text, none = vector_texts(sparse, "v")
    assert text is not None and none is None
    told = json.loads(text)
    assert told["indices"] == [2**32 - 1, 1] and np.float32(told["values"][0]) == np.float32(0.1)


@pytest.mark.parametrize(
    ("held", "kind", "why"),
    [
        ([[1, None]], pa.list_(pa.float32()), "null"),
        ([[1, 2], [1]], pa.list_(pa.float32()), "one length"),
        ([[]], pa.list_(pa.float32()), "one length"),
        ([[float("nan")]], pa.list_(pa.float32()), "NaN"),
        ([[1e39]], pa.list_(pa.float64()), "too large"),
        ([[[1], [1, 2]]], pa.list_(pa.list_(pa.float32())), "one length"),
        ([[[1], None]], pa.list_(pa.list_(pa.float32())), "one length"),
        ([{"indices": [1], "values": [float("inf")]}], SPARSE, "Inf"),
        ([{"indices": [1, None], "values": [1, 1]}], SPARSE, "null"),
        ([{"indices": None, "values": [1]}], SPARSE, "null"),
    ],
)
def test_what_is_no_vector_is_told(held: Any, kind: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        vector_texts(pa.array(held, kind), "v")


def test_ids() -> None:
    uuid = "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77"
    assert ids_of(pa.array([2**64 - 1], pa.uint64())) == [2**64 - 1]
    assert ids_of(pa.array([uuid, "7"])) == [uuid, "7"]
    assert ids_of(pa.array([bytes.fromhex(uuid.replace("-", ""))], pa.uuid())) == [uuid]
    with pytest.raises(ValueError, match="the id is null"):
        ids_of(pa.array([1, None]))


def test_payloads_of_every_type() -> None:
    moment = dt.datetime(2024, 2, 29, 12, 30, 1, 250_000)
    zone = pa.timestamp("us", "Europe/Paris")
    nested = pa.struct([("when", pa.timestamp("ns")), ("цвет", pa.list_(pa.decimal128(5, 2)))])
    (told,) = payloads(
        ("n", pa.array([2**64 - 1], pa.uint64())),
        ("d", pa.array([Decimal("12345678901234567890.10")], pa.decimal128(30, 2))),
        ("t", pa.array([moment])),
        ("z", pa.array([moment.replace(tzinfo=dt.UTC)], zone)),
        ("ns", pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC"))),
        ("date", pa.array([moment.date()])),
        ("b", pa.array([b"\xff"])),
        ("f", pa.array([0.1], pa.float32())),
        ("null", pa.array([None], pa.int8())),
        ("deep", pa.array([{"when": moment, "цвет": [Decimal("1.50"), None]}], nested)),
        ("map", pa.array([[("a.b", 1)]], pa.map_(pa.string(), pa.int8()))),
        ("kind", pa.array(["x"]).dictionary_encode()),
        ("yes", pa.array([True])),
    )
    assert told == {
        "n": 2**64 - 1,
        "d": Decimal("12345678901234567890.10"),
        "t": "2024-02-29T12:30:01.250000",
        "z": "2024-02-29T12:30:01.250000Z",
        "ns": "2023-11-14T22:13:20.123456789Z",
        "date": "2024-02-29",
        "b": base64.b64encode(b"\xff").decode(),
        "f": told["f"],
        "null": None,
        "deep": {"when": "2024-02-29T12:30:01.250000", "цвет": [Decimal("1.50"), None]},
        "map": {"a.b": 1},
        "kind": "x",
        "yes": True,
    }
    assert np.float32(told["f"]) == np.float32(0.1)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([float("nan")]),
        pa.array([float("-inf")], pa.float16()),
        pa.array([[{"a": float("nan")}]]),
        pa.array([[("a", float("nan"))]], pa.map_(pa.string(), pa.float32())),
    ],
)
def test_numbers_that_json_does_not_have(column: Any) -> None:
    with pytest.raises(ValueError, match="a: a number is NaN or Inf"):
        payloads(("a", column))


def test_payloads_that_stand_whole_in_a_column() -> None:
    block = pa.record_batch({"p": ['{"a": 1.10}', None]})
    mapping = Mapping(None, {}, (), "p")
    assert payload_texts(block, mapping) == [b'{"a": 1.10}', b""]
    for text in ("[1]", "{", '{"a": }'):
        with pytest.raises(ValueError, match="expected a JSON object"):
            payload_texts(pa.record_batch({"p": [text]}), mapping)
    assert payload_texts(block, Mapping(None, {}, ())) == [b"", b""]


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert needed(Path("a.parquet"))[0] is pa
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(WrongUse, match=r"pip install 'palimpsest-server\[parquet\]'"):
        needed(Path("a.parquet"))
