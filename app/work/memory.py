"""How much memory this process may hold, and how much it holds.

Counted is what no one can take back from it: anonymous and shared pages. Mapped files are left out,
which the system drops when it needs room. Writes that add are refused before the limit, by what
they will cost and by what the next seal needs; reads, deletions and drops go on.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from time import monotonic

from palimpsest.app.errors import Refusal

SHARE = 0.85  # of what the machine or the container has, where nothing else is set
UNLIMITED = 1 << 60  # bytes; cgroups of version 1 tell "none" by a number above it
# Bytes that a write holds at most for each byte of its body: text, rows, codes, a longer array in
# place of a full one. Measured on JSON of 29 MB (384 dimensions): 3.6; smaller vectors take less.
WRITE_COST = 4
_FRESH = 0.05  # seconds until the pages are counted again
_TRIM_PAUSE = 1.0  # seconds between two attempts to give freed memory back to the system
_KINDS = re.compile(rb"^(?:RssAnon|RssShmem):\s+(\d+) kB", re.MULTILINE)
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


class Memory:
    """The budget of one server; used by any thread."""

    def __init__(self, limit: int | None, headroom: Callable[[], int]) -> None:
        """Count against a limit in bytes, 0 for none, None for a share of what there is.

        Args:
            limit: as it was set.
            headroom: tells what is kept free for background work.
        """
        self.limit = default_limit() if limit is None else limit
        self._headroom = headroom
        self._lock = threading.Lock()
        self._reserved = 0  # for requests under way
        self._counted, self._counted_at = 0, -_FRESH
        self._kept_free = 0
        self._trimmed_at = -_TRIM_PAUSE

    @property
    def counted(self) -> int:
        """Bytes held, as of a moment ago."""
        with self._lock:
            self._count(_FRESH)
            return self._counted

    def reserve(self, size: int) -> None:
        """Count bytes that a request will take; as many are to be released."""
        with self._lock:
            self._reserved += size

    def release(self, size: int) -> None:
        """Count bytes of a request no longer."""
        with self._lock:
            self._reserved -= size

    def fits(self, more: int) -> bool:
        """Tell whether a write that takes so many bytes more leaves the headroom free."""
        with self._lock:
            self._count(_FRESH)
            return self._within(self._counted + self._reserved + self._kept_free + more)

    def has_room(self, more: int) -> bool:
        """Tell whether background work that takes so many bytes stays below the limit."""
        if self._left(more) >= 0:
            return True
        self.trim()
        return self._left(more) >= 0

    def trim(self) -> None:
        """Give freed memory back to the system, so that it counts as free; not too often."""
        with self._lock:
            now = monotonic()
            # A trim walks all free memory of the process, with the allocator's lock held.
            if now - self._trimmed_at < _TRIM_PAUSE:
                return
            self._trimmed_at = now
        with suppress(AttributeError, OSError):  # glibc alone has it
            ctypes.CDLL(None).malloc_trim(0)
        with self._lock:
            self._count(0)

    def refusal(self, more: int) -> Refusal:
        """Return the answer to a write there is no room for."""
        used, kept = self._counted + self._reserved, self._kept_free
        return Refusal(
            HTTPStatus.INSUFFICIENT_STORAGE,
            f"Memory limit reached: {used} of {self.limit} bytes are in use, {kept} more are kept "
            f"free for sealing and this write may take {more}. Reads and deletions go on: drop "
            "collections or delete points, write less at once, or raise PALIMPSEST_MEMORY_LIMIT",
        )

    def _left(self, more: int) -> int:
        with self._lock:
            self._count(_FRESH)
            if not self.limit:
                return 0
            return self.limit - self._counted - self._reserved - more

    def _within(self, total: int) -> bool:
        return not self.limit or total <= self.limit

    def _count(self, fresh: float) -> None:
        now = monotonic()
        if now - self._counted_at >= fresh:
            self._counted, self._counted_at = held(), now
            self._kept_free = self._headroom()


def held() -> int:
    """Return the bytes of anonymous and shared pages of this process, 0 where no one can tell."""
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return 0
    return 1024 * sum(map(int, _KINDS.findall(status)))


def default_limit() -> int:
    """Return the share of the machine's memory, or of the container's where that is less."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(SHARE * min([machine, *_group_limits(_OWN_CGROUPS, _CGROUPS)]))


def _group_limits(own: Path, root: Path) -> list[int]:
    """Return the limits in bytes of the cgroups this process is in, of either version."""
    limits: list[int] = []
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return limits
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        inner = top / path.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder == top or top in folder.parents:
                with suppress(OSError, ValueError):  # "max", or no such file: the mounted root
                    limits.append(int((folder / name).read_text()))
    return [limit for limit in limits if 0 < limit < UNLIMITED]
