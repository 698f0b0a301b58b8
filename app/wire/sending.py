"""Whether a client reads its replies."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios

UNREAD = 64 * 1024  # bytes that a client has to read within the time-out of sending


class Unread:
    """What is left of a reply, and since when it has hardly become less."""

    __slots__ = ("_left", "_since")

    def __init__(self) -> None:
        self._left: int | None = None  # bytes, when they were last counted
        self._since = 0.0

    def seconds(self, transport: asyncio.Transport, now: float) -> float:
        """Return for how long a client has read less than ``UNREAD`` bytes of what is left.

        What the kernel keeps for the client counts as unread: it takes and frees that in pieces
        of megabytes.
        """
        left = transport.get_write_buffer_size()
        if not left:
            self._left = None
            return 0.0
        left += _queued(transport)
        if self._left is None or self._left - left >= UNREAD:
            self._left, self._since = left, now
        return now - self._since


def _queued(transport: asyncio.Transport) -> int:
    """Return how many bytes the kernel holds that the other side has not received."""
    connected = transport.get_extra_info("socket")
    try:
        found = fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, AttributeError, ValueError):
        return 0
    size: int = struct.unpack("i", found)[0]
    return size
