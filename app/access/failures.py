"""Guessing keys made slow: wrong keys are answered late, address by address.

The first few of a minute are free, for clients with a mistake in their configuration. A valid key
never waits, wherever it comes from. Whoever shows no key at all guesses nothing, and does not wait.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from time import monotonic

MINUTE = 60.0  # seconds
FREE = 10  # wrong keys a minute
STEP = 0.1  # seconds by which each further one waits longer
LONGEST = 2.0  # seconds
MAX_ADDRESSES = 10_000  # remembered; the one that failed least recently is forgotten first
MAX_WAITING = 256  # replies at once
NETWORK = 64  # bits of an IPv6 address that one client cannot choose


class Failures:
    """Wrong keys by address; for the event loop's thread."""

    def __init__(self) -> None:
        self.waiting = 0
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()  # since when

    def note(self, address: str) -> float:
        """Count one wrong key; return for how many seconds its reply is to wait."""
        whole = network_of(address)
        now = monotonic()
        count, since = self._counts.pop(whole, (0, now))
        if now - since >= MINUTE:
            count, since = 0, now
        # Put back at the end: the dictionary's order is that of the last failure, by which it is
        # bounded.
        self._counts[whole] = (count + 1, since)
        if len(self._counts) > MAX_ADDRESSES:
            self._counts.popitem(last=False)
        return min(LONGEST, max(0, count + 1 - FREE) * STEP)


def network_of(address: str) -> str:
    """Return what failures of an address are counted under: it, or its network in IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        # A socket for both families shows IPv4 clients so; they would else share one network of 64
        # bits.
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), NETWORK), strict=False))
    return str(parsed)
