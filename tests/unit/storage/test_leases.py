"""A folder that was retired goes with the last lease on it, and no sooner."""

from __future__ import annotations

import gc
import threading

import pytest

from palimpsest.index.storage.directory import Directory, make_folder
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.storage.leases import Leases


@pytest.fixture
def folder() -> Directory:
    path = InMemory() / "segment"
    make_folder(path)
    path.write("ids.npy", [b"1"])
    return path


def test_one_that_nobody_reads_goes_at_once(folder: Directory) -> None:
    leases = Leases()
    leases.take(folder).release()
    assert folder.exists()
    leases.retire(folder)
    assert not folder.exists() and leases.waiting == 0


def test_one_that_is_read_goes_with_its_last_reader(folder: Directory) -> None:
    leases = Leases()
    first, second = leases.take(folder), leases.take(folder)
    leases.retire(folder)
    for _ in range(2):  # the second time is no other reader's
        first.release()
        assert folder.exists() and leases.waiting == 1
    second.release()
    assert not folder.exists() and leases.waiting == 0


def test_a_lease_ends_with_the_last_reference_to_it(folder: Directory) -> None:
    """Inside the collector of garbage too; then the next sweep removes the folder."""
    leases = Leases()
    ring: list[object] = [leases.take(folder)]
    ring.append(ring)
    leases.retire(folder)
    del ring
    assert not leases.is_due
    gc.collect()
    assert leases.is_due and folder.exists()
    leases.sweep()
    assert not folder.exists() and not leases.is_due


def test_leases_of_many_threads_are_counted(folder: Directory) -> None:
    leases = Leases()
    last = leases.take(folder)

    def read() -> None:
        for _ in range(200):
            leases.take(folder).release()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    leases.retire(folder)
    for thread in threads:
        thread.join()
    assert folder.exists()
    last.release()
    assert not folder.exists()
