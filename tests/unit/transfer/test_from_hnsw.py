"""Index files of hnswlib, beside the library itself."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import hnswlib
import numpy as np
import pytest

from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.from_hnsw import BLOCK, HnswReader
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Fault, Item, Row
from palimpsest.app.transfer.shapes import Dense


def built(path: Path, n: int = 200, size: int = 7, space: str = "l2", m: int = 5) -> hnswlib.Index:
    rng = np.random.default_rng(n)
    index = hnswlib.Index(space, size)
    index.init_index(n + 13, M=m, ef_construction=30, random_seed=1)
    index.set_num_threads(1)
    labels = rng.permutation(n).astype("u8") + np.uint64(2**53)
    if n:
        index.add_items(rng.standard_normal((n, size)).astype("f4"), labels)
    for label in labels[: n // 5]:
        index.mark_deleted(int(label))
    index.save_index(str(path))
    return index


def read(path: Path, start: int = 0) -> tuple[list[Item], int]:
    reader = HnswReader(path)
    items = [*reader.read(Start(start), 0)]
    skipped = reader.skipped
    reader.close()
    return items, skipped


@pytest.mark.parametrize("space", ["l2", "ip", "cosine"])
@pytest.mark.parametrize(("n", "size", "m"), [(200, 7, 5), (1, 1, 2), (BLOCK + 5, 3, 16)])
def test_what_the_library_gives_is_what_is_read(
    tmp_path: Path, space: str, n: int, size: int, m: int
) -> None:
    index = built(tmp_path / "a.bin", n, size, space, m)
    items, skipped = read(tmp_path / "a.bin")
    assert (len(items) + skipped, skipped) == (n, n // 5)
    for item in items:
        assert isinstance(item, Row)
        vector = np.frombuffer(base64.b64decode(json.loads(item.text)["vector"]), "<f4")
        assert np.array_equal(vector, index.get_items([item.id])[0])


def test_going_on_is_the_same_from_there(tmp_path: Path) -> None:
    built(tmp_path / "a.bin")
    items, skipped = read(tmp_path / "a.bin")
    for start in (0, 1, 100, 200):
        assert read(tmp_path / "a.bin", start) == (
            [one for one in items if one.place >= start],
            skipped,
        )


def test_its_shape_and_what_changes_with_it(tmp_path: Path) -> None:
    built(tmp_path / "a.bin")
    reader = HnswReader(tmp_path / "a.bin", "emb")
    before = reader.mark()
    assert (reader.shape(), reader.total, reader.declared()) == ({"emb": Dense(7)}, 200, None)
    assert '"emb"' in next(reader.read(Start(), 0)).text.decode()
    reader.close()
    built(tmp_path / "a.bin", 201)
    assert HnswReader(tmp_path / "a.bin").mark() != before


def test_an_index_of_nothing(tmp_path: Path) -> None:
    built(tmp_path / "a.bin", 0)
    assert read(tmp_path / "a.bin") == ([], 0)


def test_a_number_that_is_none_is_named(tmp_path: Path) -> None:
    index = hnswlib.Index("l2", 2)
    index.init_index(3, M=4)
    index.add_items(np.array([[1, 2], [np.nan, 1]], dtype="f4"), [4, 5])
    index.save_index(str(tmp_path / "a.bin"))
    items, _ = read(tmp_path / "a.bin")
    assert [isinstance(one, Fault) for one in items] == [False, True]


def test_files_of_others_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    built(tmp_path / "a.bin")
    whole = (tmp_path / "a.bin").read_bytes()
    path = tmp_path / "b.bin"
    for end in (0, 50, 95, 96, 500, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(TransferError, match=r"b\.bin"):
            HnswReader(path)
    path.write_bytes(whole + b"\x00")
    with pytest.raises(TransferError, match="bytes by its header, got"):
        HnswReader(path)
    for at in range(0, 52, 4):  # every field of the layout, set to what it cannot be
        if 44 <= at < 48 or 32 <= at < 36 and whole[at : at + 4] == b"\xff" * 4:
            continue
        changed = bytearray(whole)
        changed[at : at + 4] = struct.pack("<I", 2**31 - 5)
        if at in (8, 12, 48):  # more room than there are elements, and the top level, may be
            continue
        path.write_bytes(changed)
        with pytest.raises(TransferError):
            HnswReader(path)
    with pytest.raises(WrongUse, match="No such file"):
        HnswReader(tmp_path / "missing")
