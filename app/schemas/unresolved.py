"""Between reading a body and checking what it asks for: the one place that may wait for vectors.

What a body asks for mostly holds its vectors. Where something stands for them that has to be made
into vectors first, whatever reads the body returns ``Unresolved``, and queries and writes go on
with what comes of it. Where nothing does, nothing is awaited.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Unresolved(Generic[T]):
    """What a body asks for once its vectors are made, which ``make`` begins."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self.make = make


async def resolved(read: T | Unresolved[T]) -> T:
    """Return what a body asks for, with every vector in it; raises what making them does."""
    return await read.make() if isinstance(read, Unresolved) else read
