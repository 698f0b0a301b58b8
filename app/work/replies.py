"""Whether there is memory for what a read answers, told from its limit before anything is read.

Most reads answer little, and are asked nothing. A large one takes memory for its points as they are
read and as they are written; it may use what is kept free for background work, which then waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import NamedTuple

from palimpsest.app.errors import Refusal
from palimpsest.app.work.memory import Memory
from palimpsest.index import (
    Collection,
    GroupRequest,
    QueryRequest,
    SearchRequest,
    levels_of,
)

SMALL = 16 * 2**20  # bytes; what is estimated at less is always read
_FEW = 64  # points: without their vectors they are small, but for their payloads
_PER_POINT = 1_000  # bytes of a hit: its objects, its text, and that text joined
_PER_CANDIDATE = 100  # of a point of a level that is not answered
# Text of a number is about 12 bytes long and stands in memory up to three times.
_PER_NUMBER = 40
_FEW_NUMBERS = 250  # of a vector of which no one counts how many it has
_PAYLOAD_TIMES = 6  # of the bytes it is stored in: as read, as objects, as text


class Wanted(NamedTuple):
    """What a read answers: at most so many points, with payloads, with vectors."""

    points: int
    payload: bool
    vectors: bool | tuple[str, ...]
    candidates: int = 0


def wanted_of(request: SearchRequest | QueryRequest | GroupRequest, stored: int) -> Wanted:
    """Return what a query of a collection with so many points answers at most."""
    payload, vectors = request.with_payload, request.with_vectors
    if isinstance(request, SearchRequest):
        return Wanted(min(request.k, stored), payload, vectors, min(request.offset, stored))
    candidates = sum(min(level.limit, stored) for level in levels_of(request.root))
    each = request.size if isinstance(request, GroupRequest) else 1
    return Wanted(min(request.root.limit * each, stored), payload, vectors, candidates)


@contextmanager
def room_for(memory: Memory, collection: Collection, reads: Sequence[Wanted]) -> Iterator[None]:
    """Hold memory for reads while they run.

    Raises:
        Refusal: 507, when there is none.
    """
    size = _held_for(memory, collection, reads)
    memory.reserve(size)
    try:
        yield
    finally:
        memory.release(size)


def _held_for(memory: Memory, collection: Collection, reads: Sequence[Wanted]) -> int:
    """Return how many bytes to hold for reads, 0 for small ones. Raises Refusal, 507."""
    few = sum(each.points + each.candidates for each in reads) <= _FEW
    if not memory.limit or (few and not any(each.vectors for each in reads)):
        return 0
    size = 0
    # All of a store is quickly told, the payloads in it are not.
    for payload_bytes in (lambda: collection.store_bytes, collection.payload_bytes):
        size = _size_of(collection, reads, payload_bytes)
        if size <= SMALL:
            return 0
        if memory.has_room(size):
            return size
    raise Refusal(
        HTTPStatus.INSUFFICIENT_STORAGE,
        f"Memory limit reached: this read may take {size} bytes, {memory.counted} of "
        f"{memory.limit} are in use. Ask for fewer points at once, without payloads or vectors "
        "that are not needed, or raise PALIMPSEST_MEMORY_LIMIT",
    )


def _size_of(
    collection: Collection, reads: Sequence[Wanted], payload_bytes: Callable[[], int]
) -> int:
    """Return about how many bytes reads take, for what the payloads of all points take stored."""
    payload = 0
    if any(each.payload for each in reads):
        payload = _PAYLOAD_TIMES * payload_bytes() // max(collection.count(), 1)
    return sum(
        each.candidates * _PER_CANDIDATE
        + each.points
        * (_PER_POINT + payload * each.payload + _vectors_of(collection, each.vectors))
        for each in reads
    )


def _vectors_of(collection: Collection, wanted: bool | tuple[str, ...]) -> int:
    """Return about how many bytes the vectors of one point take."""
    names = wanted if isinstance(wanted, tuple) else collection.config.names if wanted else ()
    return sum(_PER_NUMBER * (collection.numbers_in(name) or _FEW_NUMBERS) for name in names)
