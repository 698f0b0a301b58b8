"""Rows of Parquet files become points."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.from_parquet import BLOCK, METADATA, ParquetReader
from palimpsest.app.transfer.mapping import Wished
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Fault, Item
from palimpsest.app.transfer.shapes import Dense, Sets, Sparse
from palimpsest.index import parse_vector

N = BLOCK + 700


def written(path: Path, table: Any, **how: Any) -> Path:
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), path, **how)
    return path


def read(path: Path, wished: Wished | None = None, start: int = 0, first: int = 0) -> list[Item]:
    reader = ParquetReader(path, wished or Wished())
    try:
        return [*reader.read(Start(start), first)]
    finally:
        reader.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = np.random.default_rng(0).standard_normal((N, 3)).astype("f4")
    emb = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 3)
    table = pa.table({"emb.x": emb, "a.b": [f"t{n}" for n in range(N)], "ключ": range(N)})
    path = tmp_path_factory.mktemp("large") / "a.parquet"
    return written(path, table, row_group_size=600, write_page_checksum=True)


def test_rows_come_in_their_order_from_any_place_on(large: Path) -> None:
    whole = read(large, first=7)
    assert [one.place for one in whole] == [*range(N)]
    last = json.loads(whole[-1].text)
    assert (last["id"], last["payload"]) == (N + 6, {"a.b": f"t{N - 1}", "ключ": N - 1})
    rows = pq.read_table(large).column("emb.x").to_pylist()
    vector = json.dumps(last["vector"]).encode()
    assert parse_vector(vector).tolist() == rows[-1]
    for start in (1, 599, 600, 601, BLOCK, N - 1, N):
        assert read(large, start=start, first=7) == whole[start:]


def test_what_it_tells_of_itself(large: Path) -> None:
    reader = ParquetReader(large, Wished(vectors=("emb.x=v",)))
    assert (reader.total, reader.shape(), reader.declared()) == (N, {"v": Dense(3)}, None)
    assert reader.mark() == ParquetReader(large, Wished()).mark()
    reader.close()


def test_several_vectors_some_of_them_null(tmp_path: Path) -> None:
    sparse = pa.struct([("indices", pa.list_(pa.uint32())), ("values", pa.list_(pa.float32()))])
    table = pa.table(
        {
            "id": pa.array(["5", "9B2F4C1E-7C38-4B6A-9D54-3F1D5A1E8B77", "6"]),
            "d": pa.array([None, [1, 2], None], pa.list_(pa.float64())),
            "s": pa.array([{"indices": [3], "values": [1]}, None, None], sparse),
            "m": pa.array([None, [[1.0]], []], pa.list_(pa.list_(pa.float32()))),
            "tags": pa.array([[1], [], None], pa.list_(pa.int8())),
        }
    )
    wished = Wished(vectors=("d=", "s=lex", "m"))
    path = written(tmp_path / "a.parquet", table.slice(0, 2))
    shown = [json.loads(one.text) for one in read(path, wished)]
    assert [one["id"] for one in shown] == [5, "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77"]
    assert [[*one["vector"]] for one in shown] == [["lex"], ["", "m"]]
    assert [one["payload"] for one in shown] == [{"tags": [1]}, {"tags": []}]
    reader = ParquetReader(path, wished)
    assert reader.shape() == {"": Dense(2), "lex": Sparse(), "m": Sets(1)}
    reader.close()
    empty = read(written(tmp_path / "b.parquet", table), wished)[2]
    assert isinstance(empty, Fault) and "one length" in empty.why  # an empty set is no set


def test_the_row_at_fault_is_named_and_no_other(tmp_path: Path) -> None:
    held: list[Any] = [[1.0, 2.0]] * 50
    held[20], held[30] = [1.0, None], [float("nan"), 1]
    numbers = [1.0] * 50
    numbers[40] = float("inf")
    ids: list[Any] = [*range(50)]
    ids[45] = None
    path = written(tmp_path / "a.parquet", {"id": ids, "v": held, "x": numbers})
    faults = [one for one in read(path) if isinstance(one, Fault)]
    assert [one.place for one in faults] == [20, 30, 40, 45]
    assert [one.why.split(":")[0] for one in faults] == ["v", "v", "x", "the id is null"]
    assert json.loads(faults[0].text)["v"] == [1.0, None]
    assert len(read(path)) == 50


def test_a_moment_that_no_calendar_has_is_named(tmp_path: Path) -> None:
    kind = pa.struct([("t", pa.timestamp("s"))])
    rows = pa.array([{"t": 0}, {"t": 2**50}], kind)
    first, second = read(written(tmp_path / "a.parquet", {"v": [[1.0]] * 2, "x": rows}))
    assert json.loads(first.text)["payload"]["x"]["t"].startswith("1970-01-01T00:00:00")
    assert isinstance(second, Fault)
    far = pa.array([dt.datetime(9999, 1, 1)], pa.timestamp("s"))
    (only,) = read(written(tmp_path / "b.parquet", {"v": [[1.0]], "x": far}))
    assert json.loads(only.text)["payload"] == {"x": "9999-01-01T00:00:00.000"}


def test_an_export_is_read_as_it_was_written(tmp_path: Path) -> None:
    told = {
        "format": 1,
        "mapping": {"id": "id", "payload": "payload", "vectors": {"vector.é": "é"}},
        "collection": {"vectors": {"é": {"size": 1, "distance": "Dot"}}},
    }
    table = pa.table({"id": [1], "vector.é": [[1.0]], "payload": ['{"b": 1.0}']})
    path = tmp_path / "a.parquet"
    written(path, table.replace_schema_metadata({METADATA: json.dumps(told)}))
    (row,) = read(path)
    assert row.text.decode() == '{"id":1,"vector":{"é":"AACAPw=="},"payload":{"b": 1.0}}'
    reader = ParquetReader(path, Wished())
    assert (reader.shape(), reader.declared()) == ({"é": Dense(1)}, told["collection"])
    reader.close()
    (other,) = read(path, Wished(vectors=("vector.é",)))
    assert json.loads(other.text)["payload"] == {"payload": '{"b": 1.0}'}
    for text, why in (("{", "what it says"), ('{"format": 2}', "expected format 1 of exports")):
        written(path, table.replace_schema_metadata({METADATA: text}))
        with pytest.raises(TransferError, match=why):
            ParquetReader(path, Wished())


def test_no_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", {"v": pa.array([], pa.list_(pa.float32()))})
    assert read(path) == []
    assert ParquetReader(path, Wished()).shape() == {}


def test_a_name_without_a_vector_tells_nothing(tmp_path: Path) -> None:
    none, some = ([None, None], [[1.0, 2.0], None])
    columns = {"a": pa.array(none, pa.list_(pa.float32())), "b": pa.array(some)}
    path = written(tmp_path / "a.parquet", columns)
    reader = ParquetReader(path, Wished(vectors=("a", "b")))
    assert reader.shape() == {"b": Dense(2)}


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("text")
    twice = pa.Table.from_arrays([pa.array([[1.0]])] * 2, names=["v", "v"])
    floats = written(tmp_path / "b.parquet", {"id": [1.5], "v": [[1.0]], "n": [1]})
    for path, wished, why in (
        (tmp_path / "no.parquet", Wished(), "expected a Parquet file"),
        (tmp_path / "text.parquet", Wished(), "expected a Parquet file"),
        (written(tmp_path / "a.parquet", twice), Wished(), "of different names"),
        (floats, Wished(), "ids in column 'id' are double"),
        (floats, Wished(id="no", vectors=("v",)), "no column 'no'"),
    ):
        with pytest.raises(WrongUse, match=why):
            ParquetReader(path, wished)
    with pytest.raises(WrongUse, match="expected lists of numbers"):
        ParquetReader(floats, Wished(vectors=("id",), id="n")).shape()


def test_a_damaged_page_ends_with_its_row_group(large: Path, tmp_path: Path) -> None:
    text = bytearray(large.read_bytes())
    text[len(text) // 2 : len(text) // 2 + 400] = b"\xff" * 400
    path = tmp_path / "a.parquet"
    path.write_bytes(text)
    with pytest.raises(TransferError, match="row group"):
        read(path)


def test_a_column_whose_name_begins_as_another_does(tmp_path: Path) -> None:
    table = {
        "emb.x": [[1.0, 2.0, 3.0]],
        "emb": [[4.0, 5.0]],
        "a": [{"b": 1}],
        "a.b": [2],
    }
    path, wished = written(tmp_path / "a.parquet", table), Wished(vectors=("emb=",))
    reader = ParquetReader(path, wished)
    assert reader.shape() == {"": Dense(2)}
    reader.close()
    (row,) = read(path, wished)
    held = json.loads(row.text)
    assert parse_vector(json.dumps(held["vector"]).encode()).tolist() == [4, 5]
    assert held["payload"] == {"emb.x": [1, 2, 3], "a": {"b": 1}, "a.b": 2}


@pytest.mark.parametrize("kind", [pa.uuid(), pa.binary(16)])
def test_uuids_as_bytes(kind: Any, tmp_path: Path) -> None:
    one = UUID(int=7)
    table = {"id": pa.array([one.bytes], kind), "emb": [[1.0]]}
    (row,) = read(written(tmp_path / "a.parquet", table), Wished(vectors=("emb",)))
    assert row.id == str(one)  # type: ignore[union-attr]


def test_a_map_with_a_key_twice_is_named(tmp_path: Path) -> None:
    held = pa.array([[("k", 1), ("k", 2)], [("k", 1)]], pa.map_(pa.string(), pa.int64()))
    path = written(tmp_path / "a.parquet", {"emb": [[1.0], [2.0]], "m": held})
    bad, good = read(path, Wished(vectors=("emb",)))
    assert isinstance(bad, Fault) and "duplicate key was 'k'" in bad.why
    assert json.loads(good.text)["payload"] == {"m": {"k": 1}}
