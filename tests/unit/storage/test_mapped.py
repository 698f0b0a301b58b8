"""Files mapped without a descriptor: read-only, alive as long as any array of them."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.storage.mapped import map_file


def mapped(path: Path, length: int) -> memoryview:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return map_file(descriptor, length)
    finally:
        os.close(descriptor)


def maps_of(path: Path) -> int:
    return Path("/proc/self/maps").read_text().count(str(path))


def test_a_map_outlives_its_descriptor_and_its_name(tmp_path: Path) -> None:
    path = tmp_path / "файл"
    path.write_bytes(content := os.urandom(10_000))
    held = mapped(path, 10_000)
    path.unlink()
    assert held.tobytes() == content and held.readonly
    assert mapped_part(held, 3, 5) == content[3:5]


def mapped_part(held: memoryview, start: int, stop: int) -> bytes:
    return held[start:stop].tobytes()


def test_it_ends_with_the_last_array_that_is_made_of_it(tmp_path: Path) -> None:
    path = tmp_path / "held-by-an-array"
    path.write_bytes(bytes(8_192))
    array = np.frombuffer(mapped(path, 8_192), dtype=np.uint64)[5:]
    gc.collect()
    assert maps_of(path) == 1 and int(array.sum()) == 0
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    del array
    gc.collect()
    assert maps_of(path) == 0


def test_what_cannot_be_mapped_is_an_error_of_the_system(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"1")
    with pytest.raises(OSError):
        mapped(path, 0)
    with pytest.raises(OSError):
        mapped(path, 2**62)
    with pytest.raises(OSError):
        map_file(-1, 1)
