"""Series of rows that wait and of work: every collection has them, what never happened has none."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from prometheus_client.core import Metric

from palimpsest.app.work_metrics import backlog_series, work_series
from palimpsest.index import (
    BUILD_BOUNDS,
    COMMIT_BOUNDS,
    CollectionConfig,
    CollectionWork,
    Database,
    Tally,
    VectorConfig,
)
from tests.points import batch_of


def values(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_rows_that_wait(database: Database) -> None:
    docs = database.create("écrits", CollectionConfig({"": VectorConfig(2, "dot")}))
    docs.upsert(batch_of([1, 2, 3], np.zeros((3, 2), np.float32))).result()
    database.create("leer", CollectionConfig({"": VectorConfig(2, "dot")}))
    found = values(backlog_series([database.get(name) for name in database.names()]))
    assert found["palimpsest_backlog_rows", "écrits"] == 3
    assert found["palimpsest_backlog_rows", "leer"] == 0
    assert found["palimpsest_backlog_limit_rows", "leer"] > 0
    assert found["palimpsest_writes_delayed_total", "leer"] == 0
    assert {key[2] for key in found if key[0] == "palimpsest_writes_refused_total"} == {
        "backlog",
        "stalled",
    }


def test_no_collections_no_series() -> None:
    assert all(not family.samples for family in (*backlog_series([]), *work_series([])))


def test_commits_are_timed_once_there_are_some(database: Database) -> None:
    docs = database.create("écrits", CollectionConfig({"": VectorConfig(2, "dot")}))
    before = values(work_series([("écrits", docs.work())]))
    count = ("palimpsest_commit_duration_seconds_count", "écrits")
    assert count not in before
    assert before["palimpsest_write_queue_length", "écrits"] == 0
    docs.upsert(batch_of([1], np.zeros((1, 2), np.float32))).result()
    after = values(work_series([("écrits", docs.work())]))
    assert after[count] >= 1
    syncs = after["palimpsest_wal_fsync_duration_seconds_sum", "écrits"]
    assert 0 < syncs <= after["palimpsest_commit_duration_seconds_sum", "écrits"]
    assert after["palimpsest_wal_bytes", "écrits"] > 0


def test_a_kind_of_job_has_a_series_of_failures_from_its_first_end() -> None:
    work = CollectionWork(
        commits=Tally(COMMIT_BOUNDS),
        syncs=Tally(COMMIT_BOUNDS),
        builds=Tally(BUILD_BOUNDS),
        jobs={("seal", "done"): 2, ("fit", "cancelled"): 1},
        job_seconds={"seal": 1.5, "fit": 3.0},
        queued=4,
        waiting_seconds=61.0,
        log_bytes=0,
        running={"snapshot": (1, 0.25)},
    )
    work.builds.add(0.75)
    found = values(work_series([("a", work)]))
    assert found["palimpsest_jobs_running", "a", "snapshot"] == 1
    assert found["palimpsest_job_progress_ratio", "a", "snapshot"] == 0.25
    jobs = {key[2:]: found[key] for key in found if key[0] == "palimpsest_jobs_total"}
    assert jobs == {
        ("seal", "done"): 2,
        ("seal", "failed"): 0,
        ("fit", "done"): 0,
        ("fit", "failed"): 0,
        ("fit", "cancelled"): 1,
    }
    assert found["palimpsest_job_seconds_total", "a", "fit"] == 3.0
    assert found["palimpsest_index_build_duration_seconds_bucket", "a", "1.0"] == 1
    assert found["palimpsest_index_oldest_pending_seconds", "a"] == 61.0
    assert found["palimpsest_write_queue_length", "a"] == 4
