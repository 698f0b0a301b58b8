"""Slices of the id space: disjoint parts of about one size, the same ones on every server.

An id belongs to slice ``h % total``, where h is the SipHash-2-4 (Aumasson, Bernstein 2012) with a
zero key of the eight little-endian bytes of an integer, or the sixteen bytes of a UUID.
"""

from __future__ import annotations

from siphash24 import siphash24

from palimpsest.index.types import PointId


def slice_of(id: PointId, total: int) -> int:
    """Return the number of the slice an id belongs to, of ``total``."""
    content = id.to_bytes(8, "little") if isinstance(id, int) else id.bytes
    return int.from_bytes(siphash24(content).digest(), "little") % total
