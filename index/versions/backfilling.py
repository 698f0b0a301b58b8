"""Which points to embed anew by another model, and how far that has come."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from palimpsest.index.adapters.priorities import (
    RANDOM_SHARE,
    Order,
    Residuals,
    next_points,
    residuals,
)
from palimpsest.index.config.versions import check_embedded, version_of
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.filters.bitmaps import to_numbers
from palimpsest.index.read.points import PointReader
from palimpsest.index.types import Numbers, PointId
from palimpsest.index.versions.demand import Demand
from palimpsest.index.versions.lifecycle import corpus_of, outlook_of
from palimpsest.index.view.means import points_vectors
from palimpsest.index.view.view import View
from palimpsest.index.write.writer import Writer

MAX_LIMIT = 100_000
_WINDOW_SECONDS = 600.0  # that a rate is taken over
_SAMPLE_SECONDS = 1.0
_PAUSE_SECONDS = 60.0  # between two batches: longer, and the work has stopped


@dataclass(frozen=True, slots=True)
class BackfillPoint:
    """A point to embed: its demand, the expected length of what its adapter leaves out, and why.

    ``reason`` is demand, or random for those drawn so.
    """

    id: PointId
    payload: bytes | None
    demand: float
    residual: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class BackfillStatus:
    """How many points hold a version, of those that hold any; rates in points per second.

    ``expected_quality`` is the share of the fully embedded answer to be expected now;
    ``demand_covered`` the share of all demand whose points are embedded, None without any.
    """

    points: int
    covered: int
    remaining: int
    coverage: float
    rate: float
    eta_seconds: float | None
    expected_quality: float
    expected_quality_done: float
    demand_covered: float | None


class Pace:
    """How many points held each column, over the last minutes; used by any thread.

    Noted after every write, so that a rate is there as soon as two were made.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: dict[int, deque[tuple[float, int]]] = {}
        self._lock = threading.Lock()
        self._held: dict[int, int] = {}  # points, by column, as they were followed last
        self._gained: dict[int, int] = {}

    def follow(self, view: View) -> None:
        """Note how many points hold each version, of those that some do: work may begin later.

        Called by one thread, for the first time when a collection is opened.
        """
        for column in view.config.version_columns:
            live = view.vectors[column].live
            more = live - self._held.get(column, live)
            self._held[column] = live
            if more > 0:
                self._gained[column] = self._gained.get(column, 0) + more
            if live:
                self.sample(column, live)

    def gained(self, column: int) -> int:
        """Return how many points got a version that they had not, less what was deleted at once."""
        return self._gained.get(column, 0)

    def sample(self, column: int, covered: int) -> None:
        """Note how many points hold a column now."""
        with self._lock:
            samples = self._samples.setdefault(column, deque())
            if samples and samples[-1][1] == covered:
                return
            now = self._clock()
            if len(samples) > 1 and now - samples[-2][0] < _SAMPLE_SECONDS:
                samples.pop()
            samples.append((now, covered))
            while len(samples) > 2 and samples[0][0] < now - _WINDOW_SECONDS:
                samples.popleft()

    def rate(self, column: int) -> float:
        """Return the points per second by which a column has grown, 0 where it has not lately.

        Up to the last growth: only a pause of more than ``_PAUSE_SECONDS`` counts.
        """
        with self._lock:
            samples = self._samples.get(column)
            if not samples:
                return 0.0
            (start, before), (end, after) = samples[0], samples[-1]
        now = self._clock()
        if now - end > _WINDOW_SECONDS or end <= start:
            return 0.0
        if now - end > _PAUSE_SECONDS:
            end = now
        return max(0.0, (after - before) / (end - start))


class Backfill:
    """Of one collection; used by any thread."""

    def __init__(self, writer: Writer, points: PointReader, demand: Demand, pace: Pace) -> None:
        self._writer = writer
        self._points = points
        self._demand = demand
        self._pace = pace

    def next(
        self,
        vector: str,
        version: str,
        *,
        limit: int,
        order: Order = "demand",
        random_share: float = RANDOM_SHARE,
        with_payload: bool = False,
    ) -> list[BackfillPoint]:
        """Return points that hold other versions only, the most urgent first.

        Raises:
            UnknownVectorName, VersionNotFound: a name is not declared.
            InvalidConfig: a parameter is out of range.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidConfig(f"limit: expected 1 to {MAX_LIMIT}, got {limit}")
        if not 0 <= random_share <= 1:
            raise InvalidConfig(f"random_share: expected 0 to 1, got {random_share}")
        view = self._writer.view
        config = view.config
        check_embedded(config, vector, version)
        column = config.column_of(version_of(config, vector, version))
        self._pace.sample(column, view.vectors[column].live)  # work begins now
        left = to_numbers(corpus_of(view, config, vector) - view.vectors[column].held)
        found = next_points(
            left,
            self._demand.of(column, left),
            lambda numbers: self._residuals(view, column, numbers),
            limit=limit,
            order=order,
            random_share=random_share,
        )
        ids = self._points.ids_of(found.numbers.tolist())
        stored = self._points.stored(found.numbers.tolist(), with_payload=with_payload)
        return [
            BackfillPoint(
                ids[number],
                stored[number][1][2] if with_payload else None,
                demand,
                residual,
                "random" if random else "demand",
            )
            for number, demand, residual, random in zip(
                found.numbers.tolist(),
                found.demand.tolist(),
                found.residual.tolist(),
                found.random.tolist(),
                strict=True,
            )
            if number in ids and number in stored  # else deleted meanwhile
        ]

    def _residuals(self, view: View, column: int, numbers: Numbers) -> Residuals:
        """Return the residuals (m,) of points, 1 where no adapter or no vector tells."""
        found = np.ones(len(numbers), dtype=np.float32)
        for bridge, rest in view.bridged(column):
            if bridge.fitted is None or bridge.fitted.over == "tokens":
                continue
            places = np.flatnonzero([number in rest for number in numbers.tolist()])
            slots = self._points.slots_of(numbers[places], bridge.column)
            rows, complete = points_vectors(view.vectors[bridge.column], slots)
            if complete and len(places):
                found[places] = residuals(bridge.fitted.adapter, rows)
        return found

    def gained(self, column: int) -> int:
        """Return how many points got a version since the collection was opened."""
        return self._pace.gained(column)

    def status(self, vector: str, version: str) -> BackfillStatus:
        """Return how far a version's backfill is. Raises UnknownVectorName, VersionNotFound."""
        view = self._writer.view
        config = view.config
        one = version_of(config, vector, version)
        column = config.column_of(one)
        held = view.vectors[column].held
        points = len(corpus_of(view, config, vector) | held)
        rate, remaining = self._pace.rate(column), points - len(held)
        return BackfillStatus(
            points=points,
            covered=len(held),
            remaining=remaining,
            coverage=len(held) / points if points else 1.0,
            rate=rate,
            eta_seconds=remaining / rate if rate else (0.0 if not remaining else None),
            expected_quality=outlook_of(view, config, one).quality,
            expected_quality_done=1.0,
            demand_covered=self._demand.covered(column, held),
        )
