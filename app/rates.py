"""How many requests a minute are let through: one token bucket per collection and kind."""

from __future__ import annotations

import math
import threading
from http import HTTPStatus
from time import monotonic

from palimpsest.app.errors import Refusal

MINUTE = 60.0  # seconds


class Rates:
    """Token buckets by collection and kind of request; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}  # tokens, as of when

    def take(self, collection: str, kind: str, cost: int, limit: int) -> None:
        """Take ``cost`` tokens of a bucket that holds ``limit`` and fills in a minute.

        Raises:
            Refusal: 429, with ``Retry-After`` unless the cost is above the limit.
        """
        self._take(collection, kind, cost, limit, cost)

    def require(self, collection: str, kind: str, cost: int, limit: int) -> None:
        """Raise what taking so many tokens would, and take none."""
        self._take(collection, kind, cost, limit, 0)

    def _take(self, collection: str, kind: str, cost: int, limit: int, taken: int) -> None:
        if cost > limit:
            raise _too_many(
                f"{kind} rate limit exceeded, request larger than the rate limit "
                f"({cost} > {limit}), please try to split your request"
            )
        now = monotonic()
        with self._lock:
            held, since = self._buckets.get((collection, kind), (float(limit), now))
            tokens = min(float(limit), held + (now - since) * limit / MINUTE)
            if tokens >= cost:
                self._buckets[collection, kind] = (tokens - taken, now)
                return
            self._buckets[collection, kind] = (tokens, now)
        seconds = math.ceil((cost - tokens) * MINUTE / limit)
        raise _too_many(
            f"{kind} rate limit exceeded: Operation requires {cost} tokens but only {tokens:.1f} "
            f"were available. Retry after {seconds}s",
            {"retry-after": str(seconds)},
        )

    def forget(self, collection: str) -> None:
        """Forget a collection that is dropped: the next of its name begins with full buckets."""
        with self._lock:
            for kept in [one for one in self._buckets if one[0] == collection]:
                del self._buckets[kept]


def _too_many(text: str, headers: dict[str, str] | None = None) -> Refusal:
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, f"Rate limiting exceeded: {text}", headers)
