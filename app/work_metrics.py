"""What was written, sealed and compacted in each collection, what waits for it, and how long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)

from palimpsest.app.histograms import Histograms
from palimpsest.index import Collection, CollectionWork, JobState

ENDS: tuple[JobState, ...] = ("done", "failed")  # of which there are series from the start


def backlog_series(collections: Iterable[Collection]) -> Iterator[Metric]:
    """Yield what waits to be sealed, and what writes wait for it.

    Labels are collections that exist, and ``reason``: backlog, or stalled where seals fail.
    """
    rows = _gauge("backlog_rows", "Rows in no segment, of the vector with most, and those coming.")
    limit = _gauge("backlog_limit_rows", "Rows that may be in no segment; more are refused.")
    segments = _gauge("backlog_segments", "Segments beyond those that compaction leaves.")
    sealed = _counter("sealed_rows", "Rows sealed since the start.")
    delayed = _counter("writes_delayed", "Writes that waited for rows to be sealed.")
    waited = _counter("writes_delayed_seconds", "What they waited.")
    refused = _counter("writes_refused", "Writes refused while many rows wait.", "reason")
    for each in collections:
        name, pacing = [each.name], each.pacing
        backlog = pacing.backlog()
        rows.add_metric(name, backlog.rows)
        limit.add_metric(name, backlog.limit)
        segments.add_metric(name, backlog.segments)
        sealed.add_metric(name, pacing.rate.rows)
        delayed.add_metric(name, pacing.delayed)
        waited.add_metric(name, pacing.delayed_seconds)
        for reason, count in pacing.refused.copy().items():
            refused.add_metric([*name, reason], count)
    yield from (rows, limit, segments, sealed, delayed, waited, refused)


def work_series(collections: Iterable[tuple[str, CollectionWork]]) -> Iterator[Metric]:
    """Yield commits, jobs and the queue of the writer, since each collection was opened."""
    queued = _gauge("write_queue_length", "Writes and jobs that wait for the writer.")
    waiting = _gauge(
        "index_oldest_pending_seconds",
        "For which enough rows for a seal have waited, and none was.",
    )
    log = _gauge("wal_bytes", "Of the log, which SQLite has not moved into the database yet.")
    commits = _histogram("commit_duration_seconds", "Whole transactions of the store.")
    syncs = _histogram("wal_fsync_duration_seconds", "The part of each that syncs the log.")
    builds = _histogram("index_build_duration_seconds", "Seals, compactions and merges.")
    ended = _counter("jobs", "Background work that ended, by how.", "kind", "outcome")
    seconds = _counter("job_seconds", "What it took.", "kind")
    running = _gauge("jobs_running", "Background work that runs.", "kind")
    progress = _gauge("job_progress_ratio", "How far the first of it is.", "kind")
    for name, work in collections:
        queued.add_metric([name], work.queued)
        waiting.add_metric([name], work.waiting_seconds)
        log.add_metric([name], work.log_bytes)
        # A collection that nobody writes to has no series of these: most may be such.
        for family, tally in ((commits, work.commits), (syncs, work.syncs), (builds, work.builds)):
            if tally.count:
                family.add([name], tally)
        for kind, spent in work.job_seconds.items():
            seconds.add_metric([name, kind], spent)
        for kind, (count, share) in work.running.items():
            running.add_metric([name, kind], count)
            progress.add_metric([name, kind], share)
        of_ends = {**dict.fromkeys(product(work.job_seconds, ENDS), 0), **work.jobs}
        for (kind, state), count in of_ends.items():
            ended.add_metric([name, kind, state], count)
    yield from (queued, waiting, log, commits, syncs, builds, ended, seconds, running, progress)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"palimpsest_{name}", text, labels=["collection", *labels])


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"palimpsest_{name}", text, labels=["collection", *labels])


def _histogram(name: str, text: str) -> Histograms:
    return Histograms(f"palimpsest_{name}", text, labels=["collection"])
