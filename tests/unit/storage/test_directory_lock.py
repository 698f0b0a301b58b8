"""The lock of a data directory: one holder at a time, who says what it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index.errors import DirectoryLocked
from palimpsest.index.storage.directory_lock import (
    is_for_repair,
    lock_directory,
    looking,
    repairing,
)


def test_a_directory_is_held_once(tmp_path: Path) -> None:
    with lock_directory(tmp_path):
        for take in (lambda: lock_directory(tmp_path), lambda: repairing(tmp_path).__enter__()):
            with pytest.raises(DirectoryLocked, match="is served by another process"):
                take()
        with looking(tmp_path) as found:
            assert found == (True, False)
    lock_directory(tmp_path).close()


def test_a_repair_says_so_for_as_long_as_it_lasts(tmp_path: Path) -> None:
    with repairing(tmp_path):
        assert is_for_repair(tmp_path)
        with pytest.raises(DirectoryLocked) as refused:
            lock_directory(tmp_path)
        assert refused.value.repairing
        with looking(tmp_path) as found:
            assert found == (True, True)
    assert not is_for_repair(tmp_path)
    with pytest.raises(RuntimeError), repairing(tmp_path):
        raise RuntimeError
    assert not is_for_repair(tmp_path)


def test_what_a_killed_repair_left_behind_is_no_repair(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"repair")
    lock_directory(tmp_path).close()
    assert not is_for_repair(tmp_path)


def test_those_that_look_keep_servers_out_and_not_each_other(tmp_path: Path) -> None:
    with looking(tmp_path) as found:
        assert found == (False, False) and not (tmp_path / "lock").exists()
    lock_directory(tmp_path).close()
    with looking(tmp_path) as first, looking(tmp_path) as second:
        assert first == second == (False, False)
        with pytest.raises(DirectoryLocked):
            lock_directory(tmp_path)
    lock_directory(tmp_path).close()
