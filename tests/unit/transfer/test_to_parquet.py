"""What is made of a spool in Parquet, and how it reads again."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from palimpsest.app.transfer.from_parquet import ParquetReader
from palimpsest.app.transfer.mapping import Wished
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Row
from palimpsest.app.transfer.shapes import Dense, Sets, Shape, Sparse
from palimpsest.app.transfer.spool import Spool
from palimpsest.app.transfer.to_parquet import write_parquet
from palimpsest.index import parse_set, parse_vector

UUID = "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77"
SHAPE: Shape = {"": Dense(2), "é.x": Sets(2), "id": Sparse()}


def write(path: Path, lines: list[tuple[int | str, str]], shape: Shape) -> None:
    with closing(Spool(path.with_suffix(".partial"), "docs", False)) as spool:
        for point_id, rest in lines:
            text = f'{{"id":{json.dumps(point_id)},{rest}}}'
            spool.add(Row(0, point_id, text.encode()))
        spool.note()
        write_parquet(spool, shape, {"vectors": {}}, path)


def again(path: Path) -> list[dict[str, Any]]:
    reader = ParquetReader(path, Wished())
    try:
        return [json.loads(one.text) for one in reader.read(Start(), 0)]
    finally:
        reader.close()


def test_everything_reads_again(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    vector = '{"":[0.1,-3e-45],"é.x":[[1e38,0.3]],"id":{"indices":[4294967295],"values":[0.7]}}'
    payload = '{"ключ":18446744073709551615,"x":1.10,"a.b":{"c":[null]}}'
    write(path, [(2**64 - 1, f'"vector":{vector},"payload":{payload}'), (7, '"vector":{}')], SHAPE)
    first, second = again(path)
    assert (first["id"], second) == (2**64 - 1, {"id": 7, "vector": {}})
    assert first["payload"] == json.loads(payload)
    wanted = json.loads(vector)
    dense = parse_vector(json.dumps(first["vector"][""]).encode())
    assert np.array_equal(dense, np.array(wanted[""], dtype="f4"))
    held = parse_set(json.dumps(first["vector"]["é.x"]).encode())
    assert np.array_equal(held, np.array(wanted["é.x"], dtype="f4"))
    sparse = first["vector"]["id"]
    assert sparse["indices"] == [2**32 - 1]
    assert np.float32(sparse["values"][0]) == np.float32(0.7)
    assert '"x":1.10' in pq.read_table(path).column("payload").to_pylist()[0]
    schema = pq.read_schema(path)
    assert schema.names == ["id", "vector", "vector.é.x", "vector.id", "payload"]
    assert str(schema.field("id").type) == "uint64"


def test_uuids_are_text_and_integers_among_them_too(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(path, [(2**64 - 1, '"vector":[1,2]'), (UUID, '"vector":[3,4]')], {"": Dense(2)})
    assert [one["id"] for one in again(path)] == [2**64 - 1, UUID]
    assert pq.read_table(path).column("id").to_pylist() == ["18446744073709551615", UUID]


def test_no_points(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [], SHAPE)
    assert again(tmp_path / "a.parquet") == []
