from __future__ import annotations

from pathlib import Path

from palimpsest.index.storage.store import Store
from palimpsest.index.types import JobInfo
from tests.damage import change

DONE = JobInfo(1, "seal", "ten rows", "done", 1.0, 5.0, 6.5)
FAILED = JobInfo(2, "fit", "one", "failed", 0.5, 6.0, 7.0, "why", True)


def put(store: Store, *jobs: JobInfo) -> None:
    with store.transaction():
        for job in jobs:
            store.jobs.put(job)


def test_what_is_put_is_read_in_order_and_replaced_by_its_id(store: Store) -> None:
    assert store.jobs.entries() == []
    running = JobInfo(1, "seal", "ten rows", "running", 0.25, 5.0)
    put(store, FAILED, running)
    assert store.jobs.entries() == [running, FAILED]
    put(store, DONE)
    assert store.jobs.entries() == [DONE, FAILED]


def test_the_last_of_each_kind_and_all_that_run_are_kept(store: Store) -> None:
    running = JobInfo(1, "seal", "long", "running", 0.0, 1.0)
    ended = [DONE._replace(id=id) for id in range(2, 30)]
    put(store, running, *ended, FAILED._replace(id=40))
    assert [job.id for job in store.jobs.entries()] == [1, *range(14, 30), 40]


def test_a_row_that_is_damaged_is_left_out(path: Path, store: Store) -> None:
    put(store, DONE, FAILED)
    store.close()
    change(path, "UPDATE jobs SET what = 'another' WHERE id = 1")
    again = Store.open(path)
    assert again.jobs.entries() == [FAILED]
    again.close()
