"""Lines of JSON become points without being decoded."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from palimpsest.app.transfer.errors import BadRow, TransferError, WrongUse
from palimpsest.app.transfer.from_lines import LinesReader
from palimpsest.app.transfer.mapping import Wished
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Fault, Item, Row
from palimpsest.app.transfer.shapes import Dense, Sets, Sparse

UUID = "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77"
LINES = [
    '{"id": 18446744073709551615, "vector": [0.1, 2e-45], "payload": {"ключ": 1.10}}',
    "",
    f'{{"vector": {{"a": "AAAAAA==", "s": {{"indices":[1],"values":[2]}}}}, "id": "{UUID}"}}',
]


def write(path: Path, *lines: str | bytes) -> str:
    path.write_bytes(b"\n".join(one if isinstance(one, bytes) else one.encode() for one in lines))
    return str(path)


def read(source: str, wished: Wished | None = None, start: int = 0, first: int = 0) -> list[Item]:
    reader = LinesReader(source, wished or Wished())
    try:
        reader.shape()
        return [*reader.read(Start(start), first)]
    finally:
        reader.close()


def test_texts_go_on_as_they_are(tmp_path: Path) -> None:
    first, second = read(write(tmp_path / "a.jsonl", *LINES))
    assert isinstance(first, Row) and isinstance(second, Row)
    assert first.text.decode() == (
        '{"id":18446744073709551615,"vector":[0.1, 2e-45],"payload":{"ключ": 1.10}}'
    )
    assert (second.place, second.id) == (2, UUID)
    assert second.text.decode().endswith('{"a": "AAAAAA==", "s": {"indices":[1],"values":[2]}}}')


def test_packed_ones_and_those_from_a_pipe_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = read(write(tmp_path / "a.jsonl", *LINES))
    text = "\n".join(LINES).encode()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text))
    assert read(str(tmp_path / "a.jsonl.gz")) == plain
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    reader = LinesReader("-", Wished())
    assert (reader.mark(), reader.name) == (None, "standard input")
    assert reader.shape() is not None  # which reads the first line
    assert [*reader.read(Start(), 0)] == plain


def test_going_on_is_the_same_from_there(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *LINES)
    for start in range(4):
        assert read(source, start=start) == [one for one in read(source) if one.place >= start]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`"),
        ('{"id": 1}', "missing required field `vector`"),
        ('{"vector": [1]}', "missing required field `id`"),
        ('{"id": 1.5, "vector": [1]}', "id"),
        ('{"id": -1, "vector": [1]}', "-1"),
        ('{"id": 1, "vector": [1], "vectors": [2]}', "unknown field `vectors`"),
        (b'{"id": 1, "vector": [1], "payload": {"a": "\xff"}}', "utf-8"),
        ('{"id": 1, "vector": [1, }', "malformed"),
        ('{"id": 1, "vector": [1], "payload": {"a": NaN}}', "malformed"),
        ("[" * 5_000, ""),
    ],
)
def test_what_is_no_point_is_named(tmp_path: Path, line: str | bytes, why: str) -> None:
    source = write(tmp_path / "a.jsonl", LINES[0], line, LINES[2])
    good, fault, other = read(source)
    assert isinstance(good, Row) and isinstance(other, Row) and isinstance(fault, Fault)
    assert fault.place == 1 and why.lower() in fault.why.lower()
    assert fault.text == (line if isinstance(line, bytes) else line.encode())


def test_a_first_line_that_is_no_point_does_not_tell_what_others_hold(tmp_path: Path) -> None:
    reader = LinesReader(write(tmp_path / "a.jsonl", "", '{"id": -1, "vector": [1]}'), Wished())
    for _ in range(2):
        with pytest.raises(BadRow, match=r"a\.jsonl, line 2: .*-1"):
            reader.shape()
    (fault,) = reader.read(Start(), 0)
    reader.close()
    assert isinstance(fault, Fault) and fault.place == 1


TABLE = {"doc": "7", "emb": [1, 2], "s": {"indices": [1], "values": [2]}, "t": "x", "n": 2**64 - 1}


def test_fields_are_columns_where_it_is_said(tmp_path: Path) -> None:
    more = {**TABLE, "doc": 8, "s": None, "later": {"a": [None]}}
    source = write(tmp_path / "a.jsonl", json.dumps(TABLE), json.dumps(more))
    wished = Wished("doc", ("emb=", "s"))
    assert [json.loads(one.text) for one in read(source, wished)] == [
        {
            "id": 7,
            "vector": {"": TABLE["emb"], "s": TABLE["s"]},
            "payload": {"t": "x", "n": 2**64 - 1},
        },
        {
            "id": 8,
            "vector": [1, 2],
            "payload": {"t": "x", "n": 2**64 - 1, "later": {"a": [None]}},
        },
    ]


@pytest.mark.parametrize(
    ("payload", "kept"), [(("t",), {"t": "x"}), (("none",), {}), (("t,n", "doc"), None)]
)
def test_payload_is_what_is_chosen(
    tmp_path: Path, payload: tuple[str, ...], kept: dict[str, Any] | None
) -> None:
    source = write(tmp_path / "a.jsonl", json.dumps(TABLE))
    (row,) = read(source, Wished(vectors=("emb",), payload=payload), first=5)
    expected = kept if kept is not None else {"t": "x", "n": 2**64 - 1, "doc": "7"}
    assert json.loads(row.text) == {"id": 5, "vector": [1, 2], "payload": expected}


def test_a_payload_may_stand_whole_in_a_field(tmp_path: Path) -> None:
    lines = [json.dumps({"v": [1], "p": one}) for one in ('{"a": 1.0}', None, 3)]
    wished = Wished(vectors=("v",), payload_json="p")
    first, second, third = read(write(tmp_path / "a.jsonl", *lines), wished)
    assert first.text == b'{"id":0,"vector":[1],"payload":{"a": 1.0}}'
    assert second.text == b'{"id":1,"vector":[1]}'
    assert isinstance(third, Fault)


def test_a_line_without_its_id_is_named(tmp_path: Path) -> None:
    lines = [json.dumps(TABLE), json.dumps({"emb": [1]})]
    _, fault = read(write(tmp_path / "a.jsonl", *lines), Wished("doc", ("emb",)))
    assert isinstance(fault, Fault) and "'doc'" in fault.why


@pytest.mark.parametrize(
    ("vector", "shape"),
    [
        ("[1, 2]", {"": Dense(2)}),
        ('"AAAAAAAAAAA="', {"": Dense(2)}),
        ("[ [1, 2, 3]]", {"": Sets(3)}),
        ('{"indices": [1], "values": [2]}', {"": Sparse()}),
        ('{"é": [1], "s": {"indices": [], "values": []}}', {"é": Dense(1), "s": Sparse()}),
        ("{}", {}),
    ],
)
def test_the_first_line_tells_what_vectors_there_are(
    tmp_path: Path, vector: str, shape: dict[str, Any]
) -> None:
    reader = LinesReader(write(tmp_path / "a.jsonl", "", f'{{"id":1,"vector":{vector}}}'), Wished())
    assert (reader.shape(), reader.declared()) == (shape, None)
    assert len([*reader.read(Start(), 0)]) == 1
    reader.close()


def test_nothing_tells_no_shape(tmp_path: Path) -> None:
    reader = LinesReader(write(tmp_path / "a.jsonl"), Wished())
    assert reader.shape() is None
    reader.close()


def test_wrong_words_are_told(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", LINES[0])
    for wished, why in (
        (Wished(id="id"), "unless --vector"),
        (Wished(vectors=("no",)), "no column 'no'"),
    ):
        with pytest.raises(WrongUse, match=why):
            LinesReader(source, wished)
    with pytest.raises(TransferError, match="first line"):
        LinesReader(write(tmp_path / "b.jsonl", "["), Wished(vectors=("v",)))
    with pytest.raises(TransferError, match="the vector of its first line"):
        read(write(tmp_path / "c.jsonl", '{"id":1,"vector":[1,"a"]}'))
