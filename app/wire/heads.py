"""Heads of requests that were read before: a client repeats its own, byte for byte.

To parse a head takes a call of Python per header and a few more; to find the same bytes again takes
one look-up. What they meant once they mean always, but for who shows a key by them, which is looked
up each time.
"""

from __future__ import annotations

from typing import NamedTuple

MOST = 512  # heads; a client whose vectors are written with several lengths has one of each
LONGEST = 2_048  # bytes of a head that is remembered

BLANK_LINE = b"\r\n\r\n"  # ends a head


class Head(NamedTuple):
    """A head that was read: its bytes, what it names, its headers, the bytes of its body."""

    text: bytes
    name: str
    headers: list[tuple[bytes, bytes]]
    length: int


class Heads:
    """Those of one server. Used in the event loop's thread."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> Head | None:
        """Return the head that received bytes begin with, None unless just this one was read."""
        return self._known.get(data[: data.find(BLANK_LINE) + len(BLANK_LINE)])

    def learn(self, head: Head) -> None:
        """Remember a head that was parsed."""
        if len(head.text) > LONGEST:
            return
        if len(self._known) >= MOST:
            self._known.clear()  # those in use come back with their next request
        self._known[head.text] = head
