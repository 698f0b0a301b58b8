"""How jobs of one collection ended since it was opened, and how long they took."""

from __future__ import annotations

from collections import Counter, defaultdict

from palimpsest.index.tally import BUILD_BOUNDS, Tally
from palimpsest.index.types import JobInfo, JobKind, JobState

_BUILDS: frozenset[JobKind] = frozenset(("seal", "compact", "merge"))  # they make segments


class JobTimes:
    """Changed under the lock of ``Jobs``; any thread may read."""

    def __init__(self) -> None:
        self.ended: Counter[tuple[JobKind, JobState]] = Counter()
        self.seconds: defaultdict[JobKind, float] = defaultdict(float)
        self.builds = Tally(BUILD_BOUNDS)  # of those that ended well

    def add(self, info: JobInfo) -> None:
        """Count a job that has ended."""
        assert info.ended is not None
        seconds = max(0.0, info.ended - info.started)  # clocks are set
        self.ended[info.kind, info.state] += 1
        self.seconds[info.kind] += seconds
        if info.kind in _BUILDS and info.state == "done":
            self.builds.add(seconds)
