"""How many requests a minute each key or token may send."""

from __future__ import annotations

from palimpsest.app.access.rights import Access
from palimpsest.app.counts import Counts
from palimpsest.app.errors import Refusal
from palimpsest.app.rates import Rates

KINDS = ("key", "token", "none")
MAX_BUCKETS = 10_000  # tokens are made by others, and may be many


class KeyRates:
    """One bucket per key or token; ``limit`` is 0 for none."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.limited = Counts(
            "palimpsest_rate_limited",
            "Requests refused because their key or token sent too many.",
            ("kind",),
            [(kind,) for kind in KINDS],
        )
        self._rates = Rates()
        self._seen: set[str] = set()

    def take(self, access: Access) -> None:
        """Count one request. Raises Refusal (429, with Retry-After)."""
        if not self.limit:
            return
        if len(self._seen) >= MAX_BUCKETS and access.who not in self._seen:
            self._rates, self._seen = Rates(), set()  # all begin with full buckets again
        self._seen.add(access.who)
        try:
            self._rates.take(access.who, "Request", 1, self.limit)
        except Refusal:
            self.limited.add(access.kind)
            raise
