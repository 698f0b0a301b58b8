from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import Collection, JobInfo
from palimpsest.index.errors import InvalidInput, StorageFull
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.storage.store import Store
from palimpsest.index.types import Vectors
from palimpsest.index.write import jobs as jobs_module
from palimpsest.index.write.jobs import Jobs
from palimpsest.index.write.writer import Writer
from tests.conftest import open_collection
from tests.damage import change
from tests.points import batch_of, config_of


def rows(n: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((n, 4), dtype=np.float32)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Collection]:
    collection = open_collection(tmp_path / "c", config_of(4))
    yield collection
    collection.close()


def jobs_of(collection: Collection) -> Jobs:
    return collection.upkeep.attempts.jobs


def states(collection: Collection) -> list[tuple[str, str]]:
    return [(job.kind, job.state) for job in collection.jobs()]


def stored(collection: Collection) -> list[JobInfo]:
    return collection.writer.call(collection.writer.store.jobs.entries).result()


def test_seals_compactions_and_index_builds_are_jobs(one: Collection) -> None:
    for seed in range(4):
        ids = range(10 * seed, 10 * seed + 10)
        one.upsert(batch_of(ids, rows(10, seed), [b'{"a":1}'] * 10)).result()
        one.upkeep.seal()
    one.upkeep.compact()
    one.create_index("a", FieldIndex.from_declared("integer")).result()
    assert states(one) == [*[("seal", "done")] * 4, ("compact", "done"), ("index", "done")]
    first = one.jobs()[0]
    assert first.what == "sealing 10 rows of ''" and first.progress == 1.0
    assert first.ended is not None and first.started <= first.ended
    assert stored(one) == one.jobs()


def test_why_a_job_failed_is_kept(one: Collection) -> None:
    with pytest.raises(ZeroDivisionError), jobs_of(one).begin("index", "one"):
        raise ZeroDivisionError("by zero")
    (job,) = stored(one)
    assert (job.state, job.error) == ("failed", "by zero")


def test_only_the_last_of_each_kind_are_kept(
    one: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        with jobs_of(one).begin("seal", str(number)):
            pass
    with jobs_of(one).begin("fit", "another"):
        pass
    expected = [*map(str, range(4, 20)), "another"]
    assert [job.what for job in one.jobs()] == expected == [job.what for job in stored(one)]


def test_a_job_that_is_not_kept_is_gone_once_it_has_ended(one: Collection) -> None:
    with jobs_of(one).begin("upkeep", "briefly", kept=False):
        assert states(one) == [("upkeep", "running")]
    assert one.jobs() == stored(one) == []


def test_how_far_a_job_is_is_told_and_now_and_then_kept(
    one: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "_NOTE_SECONDS", 0.0)
    share = [0.25]
    with jobs_of(one).begin("index", "one") as job:
        job.note(0.5)
        assert [info.progress for info in one.jobs()] == [0.5]
        assert [info.progress for info in stored(one)] == [0.5]
    with jobs_of(one).begin("fit", "two", progress=lambda: share[0]):
        share[0] = 0.75
        assert one.jobs()[-1].progress == 0.75
    assert [info.progress for info in one.jobs()] == [1.0, 1.0]


def test_what_was_asked_for_can_be_cancelled_what_goes_on_by_itself_cannot(
    one: Collection,
) -> None:
    with pytest.raises(RuntimeError), jobs_of(one).begin("fit", "one") as job:
        assert not job.cancelled
        one.cancel_job(job.info.id)
        assert job.cancelled and stored(one)[0].cancel_requested
        raise RuntimeError("ends, for it is to")
    assert states(one) == [("fit", "cancelled")]
    with pytest.raises(InvalidInput, match="does not run"):
        one.cancel_job(job.info.id)
    with jobs_of(one).begin("seal", "two") as job, pytest.raises(InvalidInput, match="by itself"):
        one.cancel_job(job.info.id)


def test_what_a_kill_left_is_resumed_or_interrupted(one: Collection, tmp_path: Path) -> None:
    with jobs_of(one).begin("seal", "a"), jobs_of(one).begin("consolidate", "b") as job:
        one.cancel_job(job.info.id)
        shutil.copytree(one.folder, tmp_path / "killed")
    killed = open_collection(tmp_path / "killed")
    try:
        assert states(killed) == [("seal", "resumed"), ("consolidate", "interrupted")]
        assert killed.jobs() == stored(killed)
        assert killed.jobs()[1].cancel_requested
        with jobs_of(killed).begin("seal", "again"):
            pass
        assert [info.id for info in killed.jobs()] == [1, 2, 3]
    finally:
        killed.close()


def test_what_a_close_cuts_off_has_no_end(one: Collection) -> None:
    begun, closed = threading.Event(), threading.Event()

    def work() -> None:
        with jobs_of(one).begin("index", "one"):
            begun.set()
            closed.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(60)
    one.close()
    closed.set()
    thread.join(60)
    again = open_collection(one.folder)
    assert states(again) == [("index", "resumed")]
    again.close()


def test_without_room_work_goes_on_and_is_listed(
    one: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Store) -> None:
        raise StorageFull("No space left")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "admitted", full)
        with jobs_of(one).begin("seal", "one"):
            assert states(one) == [("seal", "running")]
    assert states(one) == [("seal", "done")]
    assert stored(one) == []


def test_work_does_not_fail_by_its_list(one: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "call", none_left)
        with jobs_of(one).begin("seal", "one") as job:
            job.note(0.5)
    assert states(one) == [("seal", "done")]
    assert jobs_of(one).running() == []


def test_what_is_asked_for_while_a_job_ends_leaves_it_ended(
    one: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is written between what a cancel takes note of and what it writes."""
    jobs = jobs_of(one)
    job = jobs.begin("fit", "one")
    put = Jobs.put

    def late(self: Jobs, noted: Any) -> None:
        monkeypatch.setattr(Jobs, "put", put)
        with job:
            pass
        put(self, noted)

    monkeypatch.setattr(Jobs, "put", late)
    jobs.cancel(job.info.id)
    assert states(one) == [("fit", "done")]
    assert [info.ended is not None for info in stored(one)] == [True]


def test_a_cancel_is_not_undone_by_a_note(one: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, cancelling = JobInfo._replace, list[threading.Thread]()

    def slow(info: JobInfo, **changes: Any) -> JobInfo:
        """Let a cancel come in the middle of a note, if it can."""
        changed = replace(info, **changes)
        if "progress" in changes and not cancelling:
            cancelling.append(threading.Thread(target=one.cancel_job, args=(info.id,)))
            cancelling[0].start()
            cancelling[0].join(0.2)
        return changed

    with jobs_of(one).begin("fit", "one") as job:
        monkeypatch.setattr(JobInfo, "_replace", slow)
        job.note(0.5)
        cancelling[0].join(60)
        assert job.cancelled and job.info.progress == 0.5


def test_a_damaged_row_costs_that_job_alone(one: Collection) -> None:
    for what in "ab":
        with jobs_of(one).begin("seal", what):
            pass
    one.close()
    change(one.folder / "store.sqlite3", "UPDATE jobs SET what = 'c' WHERE id = 1")
    again = open_collection(one.folder)
    assert [job.what for job in again.jobs()] == ["b"]
    again.close()
