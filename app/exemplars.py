"""Tallies whose buckets name an example: the trace of a request that fell into them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from time import time

from prometheus_client.core import Exemplar

from palimpsest.index import Tally

_PLACE = b"traceparent"
_LENGTH = 55  # of version 00: 00-<32 hex>-<16 hex>-<2 hex>
_HEX = frozenset("0123456789abcdef")


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


def sampled_trace(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Return the trace id of a sampled ``traceparent``, None where there is none.

    As W3C's Trace Context: four fields of lower-case hex, ids that are not all zero, the lowest bit
    of the last field for sampled; later versions may add fields. Anything else counts as absent.
    """
    value = dict(headers).get(_PLACE)  # on the way of every query: in C, not in a loop
    return None if value is None else _sampled(value)


def _sampled(value: bytes) -> str | None:
    text = value.decode("latin-1")
    version, *rest = text[:_LENGTH].split("-")
    if len(rest) != 3 or [len(version), *map(len, rest)] != [2, 32, 16, 2]:
        return None
    if len(text) > _LENGTH and (version == "00" or text[_LENGTH] != "-"):
        return None
    trace, parent, flags = rest
    if version == "ff" or not _HEX.issuperset(version + trace + parent + flags):
        return None
    if not trace.strip("0") or not parent.strip("0") or not int(flags, 16) & 1:
        return None
    return trace
