"""Rows of arrays become points."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.from_arrays import BLOCK, ArrayReader
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Fault, Item, Row
from palimpsest.app.transfer.shapes import Dense, Sets


def saved(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


def read(reader: ArrayReader, start: int = 0, first: int = 0) -> list[Item]:
    return [*reader.read(Start(start), first)]


def values_of(item: Item) -> Any:
    vector = json.loads(item.text)["vector"]
    return np.frombuffer(base64.b64decode(vector), "<f4")


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "f8", "f2", "i8", "u1"])
def test_rows_of_any_numbers(tmp_path: Path, dtype: str) -> None:
    rows = (np.random.default_rng(0).random((BLOCK + 3, 4)) * 100).astype(dtype)
    reader = ArrayReader(saved(tmp_path / "a.npy", np.asfortranarray(rows)), None, None)
    assert (reader.total, reader.shape(), reader.declared()) == (len(rows), {"": Dense(4)}, None)
    points = read(reader, first=2**63)
    assert [one.id for one in points if isinstance(one, Row)] == [*range(2**63, 2**63 + len(rows))]
    assert np.array_equal([*map(values_of, points)], rows.astype("f4"))
    assert read(reader, BLOCK - 1, 2**63) == points[BLOCK - 1 :]
    reader.close()


def test_ids_and_payloads_stand_beside(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", np.eye(3, dtype="f4"))
    payloads = tmp_path / "p.jsonl"
    payloads.write_text('{"ключ": 1.0}\nnull\n\n')
    uuid = "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77"
    (tmp_path / "ids.txt").write_text(f"18446744073709551615\n{uuid}\n3\n")
    reader = ArrayReader(path, tmp_path / "ids.txt", payloads, "é.x")
    assert reader.shape() == {"é.x": Dense(3)}
    shown = [json.loads(one.text) for one in read(reader)]
    assert [one["id"] for one in shown] == [2**64 - 1, uuid, 3]
    assert [one.get("payload") for one in shown] == [{"ключ": 1.0}, None, None]
    assert [*shown[0]["vector"]] == ["é.x"]
    assert len(reader.mark()) == 3
    for ids in (np.array([5, 2**64 - 1, 7], dtype="u8"), np.array(["5", "6", uuid])):
        other = ArrayReader(path, saved(tmp_path / "ids.npy", ids), None)
        assert [json.loads(one.text)["id"] for one in read(other)] == [
            int(one) if str(one).isdigit() else one for one in ids.tolist()
        ]


def test_sets_have_three_dimensions(tmp_path: Path) -> None:
    sets = np.random.default_rng(1).random((3, 2, 4)).astype("f4")
    reader = ArrayReader(saved(tmp_path / "a.npy", sets), None, None)
    assert reader.shape() == {"": Sets(4)}
    shown = [json.loads(one.text)["vector"] for one in read(reader)]
    assert np.array_equal(np.array(shown, dtype="f4"), sets)


def test_bad_rows_are_named(tmp_path: Path) -> None:
    rows = np.ones((4, 2))
    rows[1, 0], rows[2, 1] = np.nan, 1e39  # which float32 cannot hold
    payloads = tmp_path / "p.jsonl"
    payloads.write_bytes(b"{}\n{}\n{}\n[1]\n")
    faults = [one for one in read(ArrayReader(saved(tmp_path / "a.npy", rows), None, payloads))]
    assert [isinstance(one, Fault) for one in faults] == [False, True, True, True]
    payloads.write_bytes(b'{}\n{}\n{}\n{"a": "\xff"}\n')
    last = read(ArrayReader(tmp_path / "a.npy", None, payloads))[-1]
    assert isinstance(last, Fault) and "payload" in last.why


def test_as_many_payloads_and_ids_as_rows(tmp_path: Path) -> None:
    path, payloads = saved(tmp_path / "a.npy", np.ones((2, 2))), tmp_path / "p.jsonl"
    for text, got in (("{}\n", "got 1"), ("{}\n{}\n{}\n", "got more")):
        payloads.write_text(text)
        with pytest.raises(TransferError, match=f"expected 2 lines.*{got}"):
            read(ArrayReader(path, None, payloads))
    (tmp_path / "ids.txt").write_text("1\n")
    with pytest.raises(WrongUse, match="expected 2 ids, one a row, got 1"):
        ArrayReader(path, tmp_path / "ids.txt", None)
    with pytest.raises(WrongUse, match="expected integers or texts"):
        ArrayReader(path, saved(tmp_path / "ids.npy", np.ones((2, 1))), None)


def test_no_rows_are_no_points(tmp_path: Path) -> None:
    reader = ArrayReader(saved(tmp_path / "a.npy", np.ones((0, 3), dtype="f4")), None, None)
    assert (reader.shape(), read(reader)) == ({"": Dense(3)}, [])


def test_what_is_no_array_of_rows(tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("text")
    (tmp_path / "empty.npy").touch()
    whole = saved(tmp_path / "whole.npy", np.ones((3, 3)))
    (tmp_path / "cut.npy").write_bytes(whole.read_bytes()[:-1])
    np.savez(tmp_path / "several.npz", a=np.ones(3))
    (tmp_path / "several.npz").rename(tmp_path / "several.npy")
    pickled = np.array([{}], dtype=object)
    for path, why in (
        (tmp_path / "missing.npy", "No such file"),
        (tmp_path / "text.npy", "expected an array of NumPy.*begins with something else"),
        (tmp_path / "empty.npy", "expected an array of NumPy.*begins with something else"),
        (tmp_path / "cut.npy", "expected an array of NumPy.*whole"),
        (tmp_path / "several.npy", "got several"),
        (saved(tmp_path / "pickled.npy", pickled), "expected an array of NumPy"),
        (saved(tmp_path / "flat.npy", np.ones(3)), "expected rows of numbers"),
        (saved(tmp_path / "thin.npy", np.ones((3, 0))), "expected rows of numbers"),
        (saved(tmp_path / "words.npy", np.array([["a"]])), "expected rows of numbers"),
        (saved(tmp_path / "complex.npy", np.ones((1, 1), dtype=complex)), "expected rows"),
    ):
        with pytest.raises(WrongUse, match=why):
            ArrayReader(path, None, None)
