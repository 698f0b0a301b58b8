"""Whether a collection, and this process, may still grow under strict mode."""

from __future__ import annotations

import os
from collections.abc import Callable

from palimpsest.app.strict_filters import bad_request, refusal
from palimpsest.app.strict_limits import Limits
from palimpsest.index import Collection

MEGABYTE = 1024 * 1024


def check_room(
    collection: Collection, limits: Limits, *, vectors: bool, payload: bool, points: bool
) -> None:
    """Refuse a write that brings vectors, payloads or points to where there is no room for them."""
    if vectors:
        limit = limits.max_collection_vector_size_bytes
        _require_room("vector storage", collection.vector_bytes, limit)
    if payload:
        _check_payloads(collection, limits.max_collection_payload_size_bytes)
    most = limits.max_points_count
    if points and most is not None and collection.count() >= most:
        raise bad_request(f"Max points count limit of {most} reached!")
    _check_memory(limits.max_resident_memory_percent)


def _check_payloads(collection: Collection, limit: int | None) -> None:
    """Check the size of all payloads; it is counted only where the store's file is as large."""
    if limit is not None and collection.state().store_bytes >= limit:
        _require_room("payload storage", collection.payload_bytes, limit)


def _require_room(what: str, held: Callable[[], int], limit: int | None) -> None:
    if limit is not None and held() >= limit:
        raise bad_request(f"Max {what} size limit of {limit / MEGABYTE}MB reached!")


def _check_memory(limit: int | None) -> None:
    """Refuse when this process holds more than ``limit`` percent of the machine's memory."""
    if limit is None:
        return
    with open("/proc/self/statm", "rb") as file:
        resident = int(file.read().split()[1])
    used = 100 * resident // os.sysconf("SC_PHYS_PAGES")
    if used >= limit:
        raise refusal(
            f"Resident memory usage is at {used}% of total memory, exceeding the configured limit "
            f"of {limit}%",
            "Delete points, drop collections or raise `max_resident_memory_percent`.",
        )
