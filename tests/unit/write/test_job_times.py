"""Jobs are counted by kind and end; only builds that ended well are timed as builds."""

from __future__ import annotations

from palimpsest.index.types import JobInfo
from palimpsest.index.write.job_times import JobTimes


def test_jobs_are_counted_by_kind_and_end() -> None:
    times = JobTimes()
    times.add(JobInfo(1, "seal", "", "done", 1.0, 100.0, 102.5))
    times.add(JobInfo(2, "seal", "", "failed", 0.2, 100.0, 101.0))
    times.add(JobInfo(3, "fit", "", "done", 1.0, 100.0, 104.0))
    assert times.ended == {("seal", "done"): 1, ("seal", "failed"): 1, ("fit", "done"): 1}
    assert times.seconds == {"seal": 3.5, "fit": 4.0}
    assert (times.builds.count, times.builds.total) == (1, 2.5)


def test_a_clock_that_was_set_back_takes_no_time_away() -> None:
    times = JobTimes()
    times.add(JobInfo(1, "compact", "", "done", 1.0, 100.0, 40.0))
    assert times.seconds == {"compact": 0.0}
    assert times.builds.buckets()[0] == ("0.1", 1)
