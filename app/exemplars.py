"""Tallies whose buckets name an example: the trace of a request that fell into them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from time import time

from prometheus_client.core import Exemplar

from palimpsest.app.tracing.ids import Headers, parent
from palimpsest.index import Tally


class Exemplary(Tally):
    """A tally whose buckets keep the last traced value each."""

    __slots__ = ("examples",)

    def __init__(self, bounds: Sequence[float]) -> None:
        super().__init__(bounds)
        self.examples: dict[int, Exemplar] = {}  # by the place of the bucket

    def note(self, value: float, trace: str) -> None:
        """Name the trace of a value that is counted."""
        place = bisect_left(self.bounds, value)
        self.examples[place] = Exemplar({"trace_id": trace}, value, time())


def sampled_trace(headers: Headers) -> str | None:
    """Return the trace that a request says to be part of, None unless that is sampled."""
    sender = parent(headers)
    return sender.trace_id if sender is not None and sender.is_sampled else None
