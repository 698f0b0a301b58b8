"""Long work on a collection, in one table: what runs, how far it is, and how the last ones ended.

A job that is ``kept`` is in the store from its beginning. One that a kill, or a full disk, left
there without an end is found when the collection is opened: upkeep and payload indexes, which go on
by themselves, count as resumed; what a caller asked for is interrupted, and to be asked for again.
The table is for those who look: nothing that has to be done is read from it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from palimpsest.index.errors import InvalidInput, StorageError
from palimpsest.index.storage.job_table import KEPT
from palimpsest.index.types import JobInfo, JobKind, JobState
from palimpsest.index.write.job_times import JobTimes
from palimpsest.index.write.writer import Writer

ASKED: tuple[JobKind, ...] = ("fit", "consolidate")  # by a caller, who may cancel them
_NOTE_SECONDS = 5.0  # between two notes in the store of how far a job is
_log = logging.getLogger(__name__)


class Jobs:
    """Of one collection; any thread but the writer's may call."""

    def __init__(self, writer: Writer) -> None:
        """Read what there is, and say what became of jobs that never ended."""
        self._writer = writer
        self._lock = threading.Lock()
        self._running: dict[int, Job] = {}
        store = writer.store
        entries = {one.id: one for one in store.jobs.entries()}
        # The process that ran them is gone: whoever asks is told so, rather than shown work that
        # never ends.
        left = {n: _left(one) for n, one in entries.items() if one.ended is None}
        if left and not store.read_only:
            try:
                with store.transaction():
                    for one in left.values():
                        store.jobs.put(one)
            except StorageError as error:  # it is said again at the next opening
                _log.warning("Jobs that never ended stay so in %s: %s", store.path, error)
        self._ended = entries | left
        self._next = max(entries, default=0) + 1
        self._stopped = False
        self.times = JobTimes()

    def stop(self) -> None:
        """Leave jobs that end from now on without an end: the collection is about to be closed."""
        self._stopped = True

    def begin(
        self,
        kind: JobKind,
        what: str,
        *,
        rows: int = 0,
        kept: bool = True,
        shown: bool = False,
        progress: Callable[[], float] | None = None,
    ) -> Job:
        """Begin a job: a context that ends with it, or with its error.

        Args:
            kind: of the work.
            what: it is about, in words.
            rows: of segments that are inside of it.
            kept: whether the store is to know; else it is gone once it has ended.
            shown: whether the collection counts as working meanwhile.
            progress: gives the share that is done, 0 to 1; else ``Job.note`` says it.
        """
        with self._lock:
            info = JobInfo(self._next, kind, what, "running", 0.0, time.time(), None, None, False)
            self._next += 1
            job = self._running[info.id] = Job(self, info, rows, kept, shown, progress)
        if kept:
            self.put(job)
        return job

    def running(self) -> list[Job]:
        """Return what runs now."""
        return list(self._running.copy().values())

    def all(self) -> list[JobInfo]:
        """Return what runs, and of each kind the last that ended, oldest first."""
        with self._lock:
            known = self._ended | {number: job.info for number, job in self._running.items()}
        return [known[number] for number in sorted(known)]

    def cancel(self, id: int) -> None:
        """Let a job end soon, as ``cancelled``; what it did so far may stay.

        Raises:
            InvalidInput: it does not run, or is none that a caller asked for.
        """
        with self._lock:  # else it may end meanwhile, and count as one that runs for ever
            job = self._running.get(id)
            if job is None:
                raise InvalidInput(f"Job {id} does not run: it may have ended; list the jobs")
            if job.info.kind not in ASKED:
                raise InvalidInput(
                    f"Job {id} is a {job.info.kind}: it goes on by itself, and would begin again. "
                    f"Jobs that can be cancelled: {', '.join(ASKED)}"
                )
            job.info = job.info._replace(cancel_requested=True)
        self.put(job)

    def note(self, job: Job, share: float) -> None:
        """Take how much of a job is done."""
        with self._lock:  # else it may undo what ``cancel`` asks for
            job.info = job.info._replace(progress=share)

    def put(self, job: Job) -> None:
        """Write a job to the store; without room the table says less than it could.

        As it is by then: what was asked for last must not be what is written last.
        """
        store = self._writer.store

        def put() -> None:
            with store.transaction():
                store.jobs.put(job.info)

        try:
            self._writer.call(put).result()
        except Exception as error:  # closed, no room, no thread: work must not fail by its list
            what = job.info
            _log.info("Job %d (%s) is not noted in %s: %s", what.id, what.kind, store.path, error)

    def end(self, job: Job, state: JobState, error: str | None = None) -> None:
        """Take a job that has ended out of those that run."""
        with self._lock:
            info, share = job.info, 1.0 if state == "done" else job.info.progress
            job.info = info._replace(state=state, error=error, progress=share, ended=time.time())
            del self._running[job.info.id]
            self.times.add(job.info)
            if job.kept:
                self._ended[job.info.id] = job.info
                # Of each kind on its own: seals, of which there are many, would push out the one
                # fit that was asked for.
                own = [n for n, one in self._ended.items() if one.kind == job.info.kind]
                for number in own[:-KEPT]:
                    del self._ended[number]
        if job.kept and not self._stopped:
            self.put(job)


class Job:
    """A job that runs; belongs to the thread that works, ``info`` may be read by any."""

    def __init__(
        self,
        jobs: Jobs,
        info: JobInfo,
        rows: int,
        kept: bool,
        shown: bool,
        progress: Callable[[], float] | None,
    ) -> None:
        self._jobs, self._info, self._progress = jobs, info, progress
        self.rows, self.kept, self.shown = rows, kept, shown
        self._noted = time.monotonic()

    @property
    def info(self) -> JobInfo:
        """What is known of it now."""
        if self._progress is None or self._info.ended is not None:
            return self._info
        return self._info._replace(progress=self._progress())

    @info.setter
    def info(self, info: JobInfo) -> None:
        self._info = info

    @property
    def cancelled(self) -> bool:
        """Whether it is to end soon."""
        return self._info.cancel_requested

    def note(self, share: float) -> None:
        """Say how much is done, 0 to 1."""
        self._jobs.note(self, share)
        if self.kept and time.monotonic() - self._noted > _NOTE_SECONDS:
            self._noted = time.monotonic()
            self._jobs.put(self)

    def __enter__(self) -> Job:
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._jobs.end(self, "done")
        elif self.cancelled:
            self._jobs.end(self, "cancelled")
        else:
            self._jobs.end(self, "failed", str(error) or repr(error))


def _left(info: JobInfo) -> JobInfo:
    """Return a job that never ended as what became of it."""
    state: JobState = "interrupted" if info.kind in ASKED else "resumed"
    return info._replace(state=state, ended=time.time())
