"""What is taken on at once: requests under way, the bytes of their bodies, writes that add.

A request is counted from its head to its reply. What is refused is told when to come again: 503
where others take the room for a moment, 507 where writes need memory that there is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http import HTTPStatus

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

from palimpsest.app.errors import Refusal
from palimpsest.app.settings import Settings
from palimpsest.app.work.memory import WRITE_COST, Memory

EXEMPT = frozenset(("/healthz", "/livez", "/readyz", "/metrics"))  # who looks must not be shut out
COLLECTIONS = "/collections/"
ADDING = ("/points/payload", "/adapters", "/consolidate")  # ends of paths that are POSTed to
DECODED = 2  # bytes that a body of a read takes for each of its own: as it came, and joined
UNPACKED = 1_032  # bytes that a packed byte may become at most
BODIES_SHARE = 4  # of the memory limit, one part in so many may be bodies
AGAIN = {"retry-after": "1"}


class Load(Collector):
    """The load of one server; used in the thread of the event loop."""

    def __init__(self, settings: Settings, memory: Memory) -> None:
        self.memory = memory
        self._most_requests = settings.request_limit
        self._body_limit = settings.body_limit
        self.most_bodies = max(2 * settings.body_limit, memory.limit // BODIES_SHARE)
        self._bodies = 0  # bytes of bodies of requests under way
        self._refused = {"requests": 0, "bodies": 0, "memory": 0}

    async def take(self, scope: Scope, under_way: int) -> int:
        """Take a request on; return the bytes of its body, which ``give_back`` takes.

        Args:
            scope: of the request, which is among those under way.
            under_way: how many there are.

        Raises:
            Refusal: 503 when too much is under way, 507 when a write finds no memory.
        """
        path = scope["path"].rstrip("/")
        if path in EXEMPT:
            return 0
        if under_way > self._most_requests:
            raise self._refusal("requests", f"{self._most_requests} requests are under way")
        size = self._size(scope)
        # The first body is always let in: one above the bound would otherwise never be.
        if size and self._bodies and self.memory.limit and self._bodies + size > self.most_bodies:
            raise self._refusal("bodies", f"bodies of {self._bodies} bytes are being read")
        if adds(scope["method"], path):
            await self.require_room(size)
        self._bodies += size
        self.memory.reserve(DECODED * size)
        return size

    def give_back(self, size: int) -> None:
        """Let go of a request."""
        self._bodies -= size
        self.memory.release(DECODED * size)

    async def require_room(self, size: int) -> None:
        """Refuse (507) a write with a body of so many bytes when there is no memory for it."""
        more = WRITE_COST * size
        if self.memory.fits(more):
            return
        await asyncio.to_thread(self.memory.trim)
        if not self.memory.fits(more):
            self._refused["memory"] += 1
            raise self.memory.refusal(more)

    def collect(self) -> Iterator[Metric]:
        """Yield what was refused, the memory limit and what counts against it."""
        refused = CounterMetricFamily(
            "palimpsest_requests_refused",
            "Requests refused for the load: by requests under way, bytes of bodies, or memory.",
            labels=("reason",),
        )
        for reason, count in self._refused.items():
            refused.add_metric((reason,), count)
        yield refused
        for name, text, value in (
            ("limit", "Most memory that counts; 0 is no limit.", self.memory.limit),
            ("counted", "Anonymous and shared memory of this process.", self.memory.counted),
        ):
            yield GaugeMetricFamily(f"palimpsest_memory_{name}_bytes", text, value=value)

    def _size(self, scope: Scope) -> int:
        """Return how many bytes a body may have."""
        declared, packed, in_chunks = 0, False, False
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit():
                declared = int(value)
            elif name == b"content-encoding":
                packed = True
            elif name == b"transfer-encoding":
                in_chunks = True
        # Without a declared length it may become as large as any body may.
        if in_chunks:
            return self._body_limit
        return min(declared * (UNPACKED if packed else 1), self._body_limit)

    def _refusal(self, reason: str, what: str) -> Refusal:
        self._refused[reason] += 1
        return Refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"Service unavailable: {what}, no more are taken on: try again in a second",
            AGAIN,
        )


def adds(method: str, path: str) -> bool:
    """Tell whether a request brings something that will be kept in memory.

    Batches of operations may only delete; their route looks into them.
    """
    if not path.startswith(COLLECTIONS):
        return False
    return method == "PUT" or (method == "POST" and path.endswith(ADDING))
