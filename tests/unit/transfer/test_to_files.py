"""What is made of a spool: lines and arrays."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from palimpsest.app.transfer.errors import WrongUse
from palimpsest.app.transfer.rows import Row
from palimpsest.app.transfer.shapes import Dense, Sets, Shape, Sparse
from palimpsest.app.transfer.spool import Spool
from palimpsest.app.transfer.to_files import (
    replacing,
    require_one,
    write_arrays,
    write_lines,
    write_packed,
)

LINES = [
    b'{"id":18446744073709551615,"vector":[0.1,1e-45],"payload":{"a":1.10}}',
    b'{"id":"9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77","vector":[2,3]}',
]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "a.partial", "docs", False)) as made:
        for line in LINES:
            made.add(Row(0, 1, line))
        made.note()
        yield made


def test_lines_stay_as_they_are_packed_or_not(spool: Spool, tmp_path: Path) -> None:
    write_lines(spool, {}, {}, tmp_path / "a.jsonl")
    write_packed(spool, {}, {}, tmp_path / "a.jsonl.gz")
    spool.remove()
    text = b"\n".join([*LINES, b""])
    assert (tmp_path / "a.jsonl").read_bytes() == text
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == text
    assert len([*tmp_path.iterdir()]) == 2


def test_arrays_stand_beside_their_ids_and_payloads(spool: Spool, tmp_path: Path) -> None:
    write_arrays(spool, {"": Dense(2)}, {}, tmp_path / "a.npy")
    rows = np.load(tmp_path / "a.npy")
    assert np.array_equal(rows, np.array([[0.1, 1e-45], [2, 3]], dtype="f4"))
    assert (tmp_path / "a.payloads.jsonl").read_text() == '{"a":1.10}\nnull\n'
    ids = (tmp_path / "a.ids.txt").read_text().split()
    assert ids == ["18446744073709551615", "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77"]


def test_no_points_are_an_array_of_no_rows(tmp_path: Path) -> None:
    with closing(Spool(tmp_path / "a.partial", "docs", False)) as spool:
        spool.note()
        write_arrays(spool, {"é": Dense(2)}, {}, tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy").shape == (0, 2)


def test_a_point_without_its_vector_is_no_row(tmp_path: Path) -> None:
    with closing(Spool(tmp_path / "a.partial", "docs", False)) as spool:
        spool.add(Row(0, 7, b'{"id":7,"vector":{}}'))
        spool.note()
        with pytest.raises(WrongUse, match="point 7 has no vector"):
            write_arrays(spool, {"": Dense(2)}, {}, tmp_path / "a.npy")
    assert not (tmp_path / "a.npy").exists()


@pytest.mark.parametrize(
    "shape", [{}, {"a": Dense(2), "b": Dense(2)}, {"": Sets(2)}, {"s": Sparse()}]
)
def test_arrays_hold_one_dense_vector(shape: Shape) -> None:
    with pytest.raises(WrongUse, match="one dense vector a point"):
        require_one(shape, Path("a.npy"))
    assert require_one({"é": Dense(3)}, Path("a.npy")) == ("é", 3)


def test_a_file_stands_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(ValueError, match="half"), replacing(path) as new:
        new.write_text("half")
        raise ValueError("half")
    assert [*tmp_path.iterdir()] == []
