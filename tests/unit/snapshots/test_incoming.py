"""A file that comes in is written in pieces, never over another."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import pytest

from palimpsest.index import Incoming, StorageFull, StoreFailed
from palimpsest.index.storage.reserve import anything


def test_pieces_are_written(tmp_path: Path) -> None:
    with Incoming(tmp_path / "x", anything) as file:
        file.write(b"ab")
        file.write(bytearray(b"cd"))
        assert file.nbytes == 4
    assert (tmp_path / "x").read_bytes() == b"abcd"
    with pytest.raises(StoreFailed):
        Incoming(tmp_path / "x", anything)


def test_where_there_is_no_room(tmp_path: Path) -> None:
    @contextmanager
    def full():  # type: ignore[no-untyped-def]
        raise StorageFull("no")
        yield

    with Incoming(tmp_path / "x", full) as file, pytest.raises(StorageFull):
        file.write(b"x")
