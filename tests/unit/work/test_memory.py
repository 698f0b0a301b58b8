"""How much memory there is, and which sizes may be written for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from palimpsest.app.work import memory as memory_module
from palimpsest.app.work.memory import UNLIMITED, Memory, _group_limits, default_limit, held


def cgroups(folder: Path, own: str, files: dict[str, str]) -> list[int]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "own").write_text(own)
    return _group_limits(folder / "own", folder)


def test_the_least_limit_of_nested_groups_counts(tmp_path: Path) -> None:
    files = {"a/memory.max": "5000\n", "a/b/memory.max": "max\n", "memory.max": "9000"}
    assert min(cgroups(tmp_path, "0::/a/b\n", files)) == 5000


def test_a_container_that_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    assert cgroups(tmp_path, "0::/\n", {"memory.max": "4096"}) == [4096]


def test_groups_of_the_first_version(tmp_path: Path) -> None:
    own = "3:cpu,cpuacct:/x\n2:memory:/docker/1\n"
    files = {
        "memory/docker/1/memory.limit_in_bytes": "777",
        "memory/memory.limit_in_bytes": "9223372036854771712",
    }
    assert cgroups(tmp_path, own, files) == [777]


@pytest.mark.parametrize("text", ["max", "", "0", str(UNLIMITED)])
def test_no_limit_is_none(tmp_path: Path, text: str) -> None:
    assert cgroups(tmp_path, "0::/\n", {"memory.max": text}) == []


def test_a_group_that_is_not_there(tmp_path: Path) -> None:
    assert cgroups(tmp_path, "0::/gone\n", {}) == []
    assert _group_limits(tmp_path / "nothing", tmp_path) == []


def test_the_default_leaves_something_to_others() -> None:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < default_limit() <= 0.86 * machine


def test_what_is_held_is_counted() -> None:
    before = held()
    block = bytearray(os.urandom(64 * 2**20))
    assert held() - before > 60 * 2**20
    assert len(block)


def test_room_is_what_is_left_below_the_limit_and_the_headroom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # what tests before this one freed would be given back meanwhile
    monkeypatch.setattr(memory_module, "held", lambda: 300 * 2**20)
    memory = Memory(500 * 2**20, lambda: 50 * 2**20)
    assert memory.fits(100 * 2**20)
    assert not memory.fits(200 * 2**20)
    assert memory.has_room(150 * 2**20)  # the headroom is there for it
    memory.reserve(120 * 2**20)
    assert not memory.fits(100 * 2**20) and not memory.has_room(150 * 2**20)
    memory.release(120 * 2**20)
    assert memory.fits(100 * 2**20)


def test_no_limit_refuses_nothing() -> None:
    memory = Memory(0, lambda: 0)
    assert memory.fits(2**60) and memory.has_room(2**60)
